"""Sealing: how chunks and pages become blocks that no peer can read (docs/format.md).

P = plaintext padded with zeros to its Padmé length; K = keyed BLAKE3(secret; length-prefixed label,
suite and aad, then P); block = suite byte + AEAD(K, nonce 0, P, aad = label + suite). K depends on the
exact bytes that are encrypted and on all that is authenticated, so a key never meets a second plaintext
and nonce 0 is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from capsa.core.ids import Buffer
from capsa.core.keys import Label, length_prefixed
from capsa.errors import FormatError, IntegrityError

SUITE_AES_256_GCM: Final = 1
SUITE_CHACHA20_POLY1305: Final = 2
TAG_SIZE: Final = 16
SEAL_OVERHEAD: Final = 1 + TAG_SIZE
BLOCK_SIZE_MAX: Final = 4 * 1024 * 1024
KEY_SIZE: Final = 32

_NONCE = bytes(12)
_AEADS: dict[int, Callable[[bytes], AESGCM | ChaCha20Poly1305]] = {
    SUITE_AES_256_GCM: AESGCM,
    SUITE_CHACHA20_POLY1305: ChaCha20Poly1305,
}


def padme(size: int) -> int:
    """The padded length of `size` bytes: at most 12 % more, and only O(log log size) bits leak (PURBs, 2019)."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (size + mask) & ~mask


def sealed_size(size: int) -> int:
    """The length of the block that `size` bytes of plaintext become."""
    return padme(size) + SEAL_OVERHEAD


def _aad(label: Label, suite: int) -> bytes:
    return label.encode() + bytes((suite,))


def seal_into(block: memoryview, secret: bytes, label: Label, padded: Buffer, suite: int = SUITE_AES_256_GCM) -> bytes:
    """Seal `padded` into `block`, which must be exactly `SEAL_OVERHEAD` longer; return the key.

    `padded` is already of its Padmé length (see `pad`); the hot path calls this with reused buffers.
    """
    hasher = blake3(length_prefixed(label.encode(), bytes((suite,)), _aad(label, suite)), key=secret)
    hasher.update(padded)
    key = hasher.digest()
    reseal_into(block, key, label, padded, suite)
    return key


def reseal_into(block: memoryview, key: bytes, label: Label, padded: Buffer, suite: int = SUITE_AES_256_GCM) -> None:
    """Make the block again from its key, to learn by its id whether `padded` is what the key was derived from.

    Unless the id proves that, the key may now have met a second plaintext: throw the block away.
    """
    block[0] = suite
    _AEADS[suite](key).encrypt_into(_NONCE, padded, _aad(label, suite), block[1:])


def pad(plaintext: Buffer) -> bytes:
    """The plaintext with zeros up to its Padmé length."""
    return bytes(plaintext).ljust(padme(len(plaintext)), b"\0")


def unpad(padded: Buffer, size: int) -> memoryview:
    """The first `size` bytes, where `padded` is they and zeros up to their Padmé length; else `FormatError`."""
    view = memoryview(padded)
    if len(view) != padme(size):
        raise FormatError("A block's plaintext is not padded to its Padmé length.")
    if bytes(view[size:]) != bytes(len(view) - size):
        raise FormatError("A block's padding is not zero.")
    return view[:size]


def seal(secret: bytes, label: Label, plaintext: Buffer, suite: int = SUITE_AES_256_GCM) -> tuple[bytes, bytes]:
    """Pad and seal; returns (block, key)."""
    padded = pad(plaintext)
    block = bytearray(len(padded) + SEAL_OVERHEAD)
    key = seal_into(memoryview(block), secret, label, padded, suite)
    return bytes(block), key


def unseal_into(padded: memoryview, key: bytes, label: Label, block: Buffer) -> None:
    """Open `block` into `padded`, which must be exactly `SEAL_OVERHEAD` shorter.

    Raises `FormatError` on an unknown suite or a wrong length, `IntegrityError` on a wrong tag.
    """
    view = memoryview(block)
    if not SEAL_OVERHEAD <= len(view) <= BLOCK_SIZE_MAX or len(padded) != len(view) - SEAL_OVERHEAD:
        raise FormatError("A block has an impossible length.")
    suite = view[0]
    if suite not in _AEADS:
        raise FormatError(f"A block is sealed with the unknown suite {suite}.", "A newer capsa may read it.")
    try:
        _AEADS[suite](key).decrypt_into(_NONCE, view[1:], _aad(label, suite), padded)
    except InvalidTag:
        raise IntegrityError("A block does not open with its key.") from None


def unseal(key: bytes, label: Label, block: Buffer) -> bytes:
    """The padded plaintext of a block; raises as `unseal_into`."""
    padded = bytearray(max(0, len(block) - SEAL_OVERHEAD))
    unseal_into(memoryview(padded), key, label, block)
    return bytes(padded)
