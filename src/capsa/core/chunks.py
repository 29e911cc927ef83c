"""Chunks: opened from the block that an entry names, and recognised again in a file that lies half-fetched."""

from __future__ import annotations

from typing import Final

from capsa.core.ids import Buffer, block_id
from capsa.core.keys import Label
from capsa.core.pages import Entry
from capsa.core.sealing import (
    SEAL_OVERHEAD,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    pad,
    padme,
    reseal_into,
    sealed_size,
    unpad,
    unseal_into,
)
from capsa.errors import FormatError

_SUITES: Final = (SUITE_AES_256_GCM, SUITE_CHACHA20_POLY1305)


def open_chunk(entry: Entry, block: Buffer, buffer: memoryview | None = None) -> memoryview:
    """The plaintext of a chunk, in `buffer` if one is given; it must hold the chunk's Padmé length.

    `block` has been checked against `entry.id`. Raises `FormatError` if its length or padding is not what the
    entry says, `IntegrityError` if it does not open with the entry's key.
    """
    size = padme(entry.length)
    if len(block) != size + SEAL_OVERHEAD:
        raise FormatError("A chunk is not as long as its page says.")
    padded = memoryview(bytearray(size)) if buffer is None else buffer[:size]
    unseal_into(padded, entry.key, Label.SEAL_CHUNK, block)
    return unpad(padded, entry.length)


def is_chunk(entry: Entry, plaintext: Buffer) -> bool:
    """Whether `plaintext` is the chunk that `entry` names: sealed again with the same key, it has the same id."""
    if len(plaintext) != entry.length:
        return False
    padded = plaintext if len(plaintext) == padme(entry.length) else pad(plaintext)
    block = memoryview(bytearray(sealed_size(entry.length)))
    for suite in _SUITES:
        reseal_into(block, entry.key, Label.SEAL_CHUNK, padded, suite)
        if block_id(block) == entry.id:
            return True
    return False
