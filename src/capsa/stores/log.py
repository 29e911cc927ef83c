"""The segment log: appends records to segment files and makes them durable. Runs on the disk lane.

A batch is appended in three steps: `append` writes and syncs it, the caller commits the index, and `commit` moves
the frontiers; `undo` instead takes the files back to where the last commit left them. A file whose sync failed is
never written again, because what the kernel then holds may differ from what the disk does: it is sealed, and
the batch goes to a new segment.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from capsa.core.ids import Buffer
from capsa.core.segments import (
    RECORD_HEADER_SIZE,
    SECRET_SIZE,
    SEGMENT_HEADER_SIZE,
    RecordHeader,
    SegmentHeader,
    encode_record_header,
    encode_segment_header,
    padded_size,
    record_size,
)
from capsa.errors import DiskError, NoSpaceError
from capsa.seams import Entropy
from capsa.stores.disk import Disk, DiskFile
from capsa.stores.index import SegmentState
from capsa.stores.queries import Place

SEGMENT_SIZE: Final = 256 * 1024 * 1024
CACHED_TAIL_SIZE: Final = 64 * 1024 * 1024
"""Bytes at the end of a segment that stay in the machine's memory once synced. What is kept for others is seldom read
soon, and memory pages that are used over and over cost less than ever new ones (docs/performance.md)."""
_NAME: Final = re.compile(r"(\d{10})\.segment")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def segment_name(folder: str, number: int) -> str:
    """The file name of a segment."""
    return f"{folder}/{number:010}.segment"


def segment_numbers(disk: Disk, folder: str) -> list[int]:
    """The numbers of the segment files in a folder, sorted."""
    return [int(match[1]) for name in disk.names(folder) if (match := _NAME.fullmatch(name))]


@dataclass(slots=True, eq=False)
class OpenSegment:
    """A segment that this process appends to: committed up to `frontier`, written up to `end` (bytes)."""

    header: SegmentHeader
    file: DiskFile
    frontier: int
    end: int
    sealed: bool = False
    forgotten: int = 0
    """Up to here the machine's memory no longer caches it."""
    fresh: bool = False
    """The index does not know it yet."""

    def state(self, frontier: int) -> SegmentState:
        """What the index is to know about it."""
        return SegmentState(self.header.number, self.header.secret, frontier, self.sealed)


class SegmentLog:
    """The one writer of segment files."""

    def __init__(self, disk: Disk, folder: str, entropy: Entropy, size_max: int) -> None:
        self._disk = disk
        self._folder = folder
        self._entropy = entropy
        self._size_max = size_max
        self._next_number = 1
        self._current: OpenSegment | None = None
        self._touched: list[OpenSegment] = []
        self._abandoned: list[SegmentState] = []
        self._failure: DiskError | None = None

    def resume(self, next_number: int, current: OpenSegment | None) -> None:
        """Go on after recovery: append to `current`, and number new segments from `next_number`."""
        self._next_number = next_number
        self._current = current

    def append(self, records: Sequence[tuple[RecordHeader, Buffer]]) -> tuple[list[Place], list[SegmentState]]:
        """Append and sync records; where their payloads lie, and the new states of segments.

        Raises `NoSpaceError`, with the files as they were, or `DiskError`, after which nothing can be appended.
        """
        if self._failure is not None:
            raise self._failure
        try:
            places = self._append(records)
        except OSError as error:
            if error.errno in _FULL:
                raise self._no_space() from error
            self._abandon()
            places = self._append_again(records)
        return places, [*self._abandoned, *(segment.state(segment.end) for segment in self._touched)]

    def commit(self) -> None:
        """The index holds the batch: from now on it is here."""
        for segment in self._touched:
            segment.frontier, segment.fresh = segment.end, False
            if segment.sealed:
                segment.file.close()
        self._touched.clear()
        self._abandoned.clear()

    def undo(self) -> None:
        """Take the files back to the last commit; the batch was not acknowledged."""
        self._current = None
        for segment in self._touched:
            try:
                if segment.fresh:
                    segment.file.close()
                    self._disk.remove(segment_name(self._folder, segment.header.number))
                else:
                    segment.file.truncate(segment.frontier)
                    segment.end, segment.sealed, self._current = segment.frontier, False, segment
            except OSError:
                self._seal_at_frontier(segment)
        self._touched.clear()

    def fail(self, error: Exception) -> DiskError:
        """Turn read-only; the error that every further append raises."""
        self._failure = DiskError(
            f"The disk failed ({error}); the store is read-only.", "Check the disk, then restart."
        )
        return self._failure

    def close(self) -> None:
        """Let go of the files."""
        if self._current is not None:
            self._current.file.close()
            self._current = None

    def _append_again(self, records: Sequence[tuple[RecordHeader, Buffer]]) -> list[Place]:
        try:
            return self._append(records)
        except OSError as error:
            if error.errno in _FULL:
                raise self._no_space() from error
            self._abandon()
            raise self.fail(error) from error

    def _append(self, records: Sequence[tuple[RecordHeader, Buffer]]) -> list[Place]:
        places: list[Place] = []
        buffers: list[Buffer] = []
        segment = self._current
        end = segment.end if segment is not None else 0
        for header, payload in records:
            size = record_size(header.length)
            if segment is None or (end + size > self._size_max and end > SEGMENT_HEADER_SIZE):
                if segment is not None:
                    self._write(segment, buffers, end)
                    segment.sealed = True
                segment, buffers = self._create(), []
                end = segment.end
            padding = padded_size(header.length) - header.length
            buffers += (encode_record_header(segment.header, end, header), payload)
            if padding:
                buffers.append(bytes(padding))
            places.append(Place(segment.header.number, end + RECORD_HEADER_SIZE, header.length))
            end += size
        if segment is not None:
            self._write(segment, buffers, end)
        return places

    def _write(self, segment: OpenSegment, buffers: Sequence[Buffer], end: int) -> None:
        if segment not in self._touched:
            self._touched.append(segment)
        if buffers:
            segment.file.write(segment.end, buffers)
            segment.file.sync()
            segment.end = end
            if (stop := end - CACHED_TAIL_SIZE) > segment.forgotten:
                segment.file.forget(segment.forgotten, stop)
                segment.forgotten = stop

    def _create(self) -> OpenSegment:
        header = SegmentHeader(self._next_number, self._entropy.take(SECRET_SIZE))
        self._next_number += 1
        name = segment_name(self._folder, header.number)
        file = self._disk.open(name, create=True)
        segment = OpenSegment(header, file, SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE, fresh=True)
        self._touched.append(segment)
        self._current = segment
        file.write(0, [encode_segment_header(header)])
        file.sync()
        self._disk.sync_folder(self._folder)
        return segment

    def _no_space(self) -> NoSpaceError:
        self.undo()
        return NoSpaceError("The disk is full.", "Free some space on it.")

    def _abandon(self) -> None:
        """Never write these files again; their committed part stays."""
        for segment in self._touched:
            self._seal_at_frontier(segment)
        self._touched.clear()
        self._current = None

    def _seal_at_frontier(self, segment: OpenSegment) -> None:
        segment.sealed = True
        segment.file.close()
        self._abandoned.append(segment.state(segment.frontier))
