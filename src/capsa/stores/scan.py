"""Reading a segment file record by record, past whatever is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from capsa.core.segments import (
    ALIGNMENT,
    RECORD_HEADER_SIZE,
    RECORD_MAGIC,
    RecordHeader,
    SegmentHeader,
    decode_record_header,
    padded_size,
    record_size,
)
from capsa.stores.disk import DiskFile

_WINDOW_SIZE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record whose header is genuine; `intact` says whether its payload hashes to its id.

    `offset` is where the header begins, in bytes from the start of the file.
    """

    offset: int
    header: RecordHeader
    payload: bytes
    intact: bool

    @property
    def end(self) -> int:
        """Where the next record would begin."""
        return self.offset + record_size(self.header.length)


def scan(file: DiskFile, segment: SegmentHeader, start: int) -> Iterator[FoundRecord]:
    """All records from `start` (where one begins) to the end of the file, skipping bytes that belong to none."""
    size = file.size()
    position = start
    while position + RECORD_HEADER_SIZE <= size:
        header = decode_record_header(segment, position, file.read(position, RECORD_HEADER_SIZE))
        if header is None:
            position = _next_magic(file, position + ALIGNMENT, size)
            continue
        payload = file.read(position + RECORD_HEADER_SIZE, header.length)
        found = FoundRecord(position, header, payload, intact=blake3(payload).digest() == header.id)
        # The tag vouches for the length even where the payload is damaged, so the walk goes on behind it.
        position += RECORD_HEADER_SIZE + padded_size(header.length)
        yield found


def _next_magic(file: DiskFile, start: int, size: int) -> int:
    """The first aligned position from `start` on that could begin a header; `size` if there is none."""
    for window_start in range(start, size, _WINDOW_SIZE):
        window = file.read(window_start, _WINDOW_SIZE)
        at = window.find(RECORD_MAGIC)
        while at >= 0 and at % ALIGNMENT:  # the window begins aligned, so a header never straddles two
            at = window.find(RECORD_MAGIC, at + 1)
        if at >= 0:
            return window_start + at
    return size
