"""The segment format: how a segment file begins, and the header in front of each record.

A segment is a header of 64 bytes and then records, each a header of 88 bytes, a payload, and zeros up to the
next multiple of eight. Every record's id is the BLAKE3-256 of its payload, whatever its kind.

Record headers carry a tag keyed with the segment's own random secret over (segment number, offset, all fields).
So a block whose bytes look like a record is never taken for one when a scan looks for the next header after
damage: who sends blocks never sees the secret, and a header copied from elsewhere does not fit its new offset.
The secret lies in the clear in the segment's header (and again in the index), because who can read our disk can
do anything with it anyway; it keeps out those who can only choose the bytes of blocks.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from blake3 import blake3

from capsa.core.ids import CLAIM_ID_SIZE, Buffer
from capsa.core.keys import Label
from capsa.core.sealing import BLOCK_SIZE_MAX
from capsa.errors import FormatError, HomeError

VERSION: Final = 1
SECRET_SIZE: Final = 32
SEGMENT_HEADER_SIZE: Final = 64
RECORD_HEADER_SIZE: Final = 88
ALIGNMENT: Final = 8
RECORD_MAGIC: Final = b"cRec"
PAYLOAD_SIZE_MAX: Final = BLOCK_SIZE_MAX
NO_CLAIM: Final = bytes(CLAIM_ID_SIZE)

_SEGMENT_MAGIC: Final = b"capsaseg"
_SEGMENT: Final = struct.Struct("<8sI4xQ32s")
_SEGMENT_CHECK_SIZE: Final = 8
_RECORD: Final = struct.Struct("<4sB3xI4xQ32s16s")
_RECORD_TAG_SIZE: Final = 16
_PLACE: Final = struct.Struct("<QQ")
_LABEL: Final = Label.RECORD_HEADER.encode()


class RecordKind(IntEnum):
    """What a record's payload is."""

    BLOCK = 1
    """A block; the header names the claim it came under."""
    CLAIM = 2
    """A signed claim part, verbatim."""
    RELEASE = 3
    """A signed release, verbatim."""
    HOLD = 4
    """Packed ids of blocks that were here already and are now also pending under the header's claim."""
    DISCARD = 5
    """Packed ids of blocks that are forgotten: their records before this one count no longer."""


_KINDS: Final = frozenset(int(kind) for kind in RecordKind)


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Which segment this is, and the secret of its record headers."""

    number: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """A record's kind, payload size in bytes, id, claim (`NO_CLAIM` if none), and when it came (Unix seconds)."""

    kind: RecordKind
    length: int
    id: bytes
    claim: bytes
    came: int


def padded_size(size: int) -> int:
    """`size` rounded up to the alignment of records."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def record_size(length: int) -> int:
    """Bytes that a record with a payload of `length` bytes takes in a segment."""
    return RECORD_HEADER_SIZE + padded_size(length)


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The first 64 bytes of a segment file."""
    assert len(header.secret) == SECRET_SIZE
    fields = _SEGMENT.pack(_SEGMENT_MAGIC, VERSION, header.number, header.secret)
    return fields + blake3(fields).digest(length=_SEGMENT_CHECK_SIZE)


def decode_segment_header(data: Buffer) -> SegmentHeader:
    """Inverse of `encode_segment_header`; `HomeError` if a newer capsa wrote it, `FormatError` if it is damaged."""
    if len(data) != SEGMENT_HEADER_SIZE:
        raise FormatError("A segment's header is cut short.")
    fields = bytes(data[: _SEGMENT.size])
    magic, version, number, secret = _SEGMENT.unpack(fields)
    if magic != _SEGMENT_MAGIC or blake3(fields).digest(length=_SEGMENT_CHECK_SIZE) != data[_SEGMENT.size :]:
        raise FormatError("A segment's header is damaged.")
    if version > VERSION:
        raise HomeError("This store was written by a newer capsa.", "Update capsa on this machine.")
    if version != VERSION or fields != _SEGMENT.pack(magic, version, number, secret):
        raise FormatError("A segment's header is not in its canonical form.")
    return SegmentHeader(number, secret)


def encode_record_header(segment: SegmentHeader, offset: int, header: RecordHeader) -> bytes:
    """The 88 bytes in front of a payload, for the record that begins at `offset` of `segment`."""
    fields = _RECORD.pack(RECORD_MAGIC, header.kind, header.length, header.came, header.id, header.claim)
    return fields + _tag(segment, offset, fields)


def decode_record_header(segment: SegmentHeader, offset: int, data: Buffer) -> RecordHeader | None:
    """The header at `offset` of `segment`, or None if these 88 bytes are not one that belongs exactly there."""
    if len(data) != RECORD_HEADER_SIZE or data[: len(RECORD_MAGIC)] != RECORD_MAGIC:
        return None
    fields = bytes(data[: _RECORD.size])
    if not hmac.compare_digest(_tag(segment, offset, fields), data[_RECORD.size :]):
        return None
    _, kind, length, came, identifier, claim = _RECORD.unpack(fields)
    if length > PAYLOAD_SIZE_MAX or kind not in _KINDS:
        return None
    return RecordHeader(RecordKind(kind), length, identifier, claim, came)


def _tag(segment: SegmentHeader, offset: int, fields: bytes) -> bytes:
    message = _LABEL + _PLACE.pack(segment.number, offset) + fields
    return blake3(message, key=segment.secret).digest(length=_RECORD_TAG_SIZE)
