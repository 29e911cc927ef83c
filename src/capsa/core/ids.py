"""Names of things: block, owner, node, network and claim ids, and how they are printed.

A block id is printed as a CIDv1 (raw codec, blake3 multihash, base32), so that common
content-addressing tools can name and verify the block. Other ids are printed in plain base32.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NewType, TypeAlias

from blake3 import blake3

from capsa.errors import UsageError

Buffer: TypeAlias = bytes | bytearray | memoryview

BlockId = NewType("BlockId", bytes)
"""BLAKE3-256 of a block's bytes: 32 bytes."""
OwnerId = NewType("OwnerId", bytes)
"""An owner's Ed25519 public key: 32 bytes."""
NodeId = NewType("NodeId", bytes)
"""A device's Ed25519 public key: 32 bytes."""
NetworkId = NewType("NetworkId", bytes)
"""BLAKE3-256 of the founding statement: 32 bytes."""
ClaimId = NewType("ClaimId", bytes)
"""16 random bytes, one per stored version, never used twice."""

ID_SIZE = 32
CLAIM_ID_SIZE = 16
_DIGITS: Final = 128
_SPREAD_SIZE: Final = _DIGITS * 5 // 8
_BASE32: Final = b"abcdefghijklmnopqrstuvwxyz234567".ljust(256, b"?")
_CID_PREFIX = bytes((0x01, 0x55, 0x1E, 0x20))  # version 1, raw codec, blake3 multihash, 32 bytes


def _spreading() -> list[tuple[int, int]]:
    """For each halving of the runs of digits: a mask of every run's right half, and how far the left one goes."""
    steps = []
    half = _DIGITS // 2
    while half:
        right = (1 << 5 * half) - 1
        steps.append((sum(right << start for start in range(0, 8 * _DIGITS, 16 * half)), 3 * half))
        half //= 2
    return steps


_SPREADING: Final = _spreading()


def block_id(block: Buffer) -> BlockId:
    """The id of a block: BLAKE3-256 of its bytes."""
    return BlockId(blake3(block).digest())


def to_base32(data: bytes) -> str:
    """Lower-case base32 (RFC 4648) without padding.

    A listing prints a cap for each file, so this is fast: one large number is spread until each of its digits of five
    bits has a byte of its own, by halves, quarters and so on of all digits at once. The standard library goes from
    byte to byte and takes four times as long.
    """
    if len(data) > _SPREAD_SIZE:
        return base64.b32encode(data).decode("ascii").rstrip("=").lower()
    number = int.from_bytes(data) << 8 * (_SPREAD_SIZE - len(data))
    for lower, shift in _SPREADING:
        right = number & lower
        number = (number ^ right) << shift | right
    return number.to_bytes(_DIGITS).translate(_BASE32)[: (8 * len(data) + 4) // 5].decode()


def from_base32(text: str) -> bytes:
    """Inverse of `to_base32`; raises `ValueError` on any text that it would not have printed."""
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError("not base32") from error
    if to_base32(data) != text:
        raise ValueError("not canonical base32")
    return data


def format_block_id(block: BlockId) -> str:
    """The CIDv1 text of a block id, 59 characters."""
    return "b" + to_base32(_CID_PREFIX + block)


def parse_block_id(text: str) -> BlockId:
    """The block id that a CIDv1 names; `UsageError` if it is not a raw blake3 CID in base32."""
    try:
        data = from_base32(text[1:]) if text.startswith("b") else b""
    except ValueError:
        data = b""
    if len(data) != len(_CID_PREFIX) + ID_SIZE or not data.startswith(_CID_PREFIX):
        raise UsageError("This is not a block id.", "A block id is a CIDv1 with raw codec and blake3 hash, in base32.")
    return BlockId(data[len(_CID_PREFIX) :])


def format_id(identifier: bytes) -> str:
    """The base32 text of an owner, node, network or claim id."""
    return to_base32(identifier)


def parse_id(text: str, size: int = ID_SIZE) -> bytes:
    """Inverse of `format_id` for an id of `size` bytes; raises `UsageError`."""
    try:
        data = from_base32(text)
    except ValueError:
        data = b""
    if len(data) != size:
        raise UsageError("This is not an id.", f"An id here is {size} bytes in base32.")
    return data
