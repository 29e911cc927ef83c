"""Opening a segment store: make the index agree with the segments, whatever a crash or a failing disk left.

Behind a segment's frontier lies what no committed transaction knows. Records there that are intact are taken in,
whoever was told or not; the rest is a torn tail, and cut. Before the frontier nothing is looked at. A segment that
the index does not know is read whole; there, a genuine header over wrong bytes is rot if the segment is not the
newest, since a segment is synced before the next one is begun, and may be torn if it is.

What no transaction knows is written again before it is synced. After a sync that failed, the kernel goes on showing
bytes that it will never write, and calls them clean ("Can Applications Recover from fsync Failures?", USENIX ATC 2020).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import apsw

from capsa.core.ids import BlockId
from capsa.core.segments import (
    RECORD_HEADER_SIZE,
    SEGMENT_HEADER_SIZE,
    RecordKind,
    SegmentHeader,
    decode_segment_header,
)
from capsa.errors import FormatError, IntegrityError
from capsa.stores.disk import Disk, DiskFile
from capsa.stores.index import Applied, Index, SegmentState, value_of
from capsa.stores.log import OpenSegment, SegmentLog, segment_name, segment_numbers
from capsa.stores.queries import Place
from capsa.stores.scan import FoundRecord, scan

_BATCH_RECORDS: Final = 1024
_WINDOW_SIZE: Final = 1024 * 1024


def open_index(disk: Disk, name: str) -> Index:
    """The index, made anew if it is absent or damaged; `HomeError` if a newer capsa wrote it."""
    try:
        return Index(disk.database(name, durable=False))
    except (apsw.CorruptError, apsw.NotADBError):
        remove_index(disk, name)
        return Index(disk.database(name, durable=False))


def remove_index(disk: Disk, name: str) -> None:
    """Remove the index's files."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            disk.remove(name + suffix)


def recover(disk: Disk, folder: str, index: Index, log: SegmentLog, size_max: int) -> None:
    """Bring the index up to date with the segments in `folder`, and `log` to where it may go on appending."""
    disk.sync_folder(folder)  # a killed process may not have come to it
    numbers = segment_numbers(disk, folder)
    known = {state.number: state for state in index.segments()}
    for number in known.keys() - set(numbers):
        index.cut(number, 0)
    current: OpenSegment | None = None
    for number in numbers:
        newest = number == numbers[-1]
        doubtful = newest or bool(known)  # without an index all segments are unknown: more than can be written again
        opened = _recover_segment(disk, folder, index, number, known.get(number), newest=newest, doubtful=doubtful)
        if current is not None:
            current.file.close()
        current = opened
        if current is not None and (current.sealed or current.end >= size_max):
            current.file.close()
            current = None
    log.resume(max([0, *numbers, *known]) + 1, current)


def _recover_segment(
    disk: Disk, folder: str, index: Index, number: int, known: SegmentState | None, *, newest: bool, doubtful: bool
) -> OpenSegment | None:
    """Bring one segment's records into the index; the segment, open, or None if its records cannot be told.

    `doubtful` says that what the index does not know of it may be in the kernel alone.
    """
    name = segment_name(folder, number)
    file = disk.open(name)
    header = _header(file, number)
    if known is not None and header is not None and header.secret != known.secret:
        index.cut(number, 0)  # Another file under a known name, as from an old backup: read it all.
        known = None
    if header is None and known is not None:
        header = SegmentHeader(number, known.secret)
    if header is None:
        _set_aside(disk, name, file)
        return None
    size = file.size()
    frontier, sealed = (known.frontier, known.sealed) if known is not None else (SEGMENT_HEADER_SIZE, False)
    if size < frontier:
        index.cut(number, size)
        frontier, sealed = size, True
    segment = OpenSegment(header, file, frontier=frontier, end=frontier, sealed=sealed)
    if doubtful:
        _write_again(file, 0 if known is None else frontier)
    if size != frontier:
        _take_in(segment, index, was_whole=known is None and not newest)
    return segment


def _write_again(file: DiskFile, start: int) -> None:
    """Make sure that a file's bytes from `start` on are on the disk."""
    size = file.size()
    for offset in range(start, size, _WINDOW_SIZE):
        file.write(offset, [file.read(offset, min(_WINDOW_SIZE, size - offset))])
    if start < size:
        file.sync()


def _header(file: DiskFile, number: int) -> SegmentHeader | None:
    try:
        header = decode_segment_header(file.read(0, SEGMENT_HEADER_SIZE))
    except FormatError:
        return None
    return header if header.number == number else None


def _set_aside(disk: Disk, name: str, file: DiskFile) -> None:
    """Without its secret a segment is unreadable: remove it if nothing was ever stored in it, else keep it apart."""
    size = file.size()
    file.close()
    if size <= SEGMENT_HEADER_SIZE:
        disk.remove(name)
    else:
        disk.rename(name, name + ".damaged")


def _take_in(segment: OpenSegment, index: Index, *, was_whole: bool) -> None:
    """Index the intact records behind the frontier and cut what follows the last, so that the segment ends there.

    `was_whole` says that the file was synced to its end once, so that what is damaged is rot.
    """
    file, header = segment.file, segment.header
    file.sync()  # A killed process may have left records in the kernel only; what is indexed must be durable.
    batch: list[Applied] = []
    rotten: list[FoundRecord] = []
    for found in scan(file, header, segment.frontier):
        if not found.intact:
            rotten.append(found)
            continue
        segment.end = found.end
        with suppress(IntegrityError):
            batch.append((found.header, _place(header, found), value_of(found.header, found.payload)))
        if len(batch) == _BATCH_RECORDS:
            index.commit(batch, [segment.state(segment.end)])
            batch.clear()
    if file.size() != segment.end:
        file.truncate(segment.end)  # longer, where only the last record's padding was lost
        file.sync()
    index.commit(batch, [segment.state(segment.end)])
    segment.frontier = segment.end
    for found in rotten if was_whole else ():
        if found.header.kind is RecordKind.BLOCK:
            index.rotten(BlockId(found.header.id), _place(header, found))


def _place(header: SegmentHeader, found: FoundRecord) -> Place:
    return Place(header.number, found.offset + RECORD_HEADER_SIZE, found.header.length)
