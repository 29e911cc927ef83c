"""Reading payloads out of segment files. Runs on the read lane, with a connection and files of its own."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import apsw
from blake3 import blake3

from capsa.core.ids import BlockId, format_block_id
from capsa.errors import IntegrityError, NotFoundError
from capsa.stores.disk import Disk, DiskFile
from capsa.stores.log import segment_name
from capsa.stores.queries import Place, Queries

_FILES_MAX: Final = 64


class Reader:
    """Blocks and claim parts by id; keeps the files that were read last open."""

    def __init__(self, disk: Disk, folder: str, connection: apsw.Connection) -> None:
        connection.pragma("query_only", True)
        self.index = Queries(connection)
        self._disk = disk
        self._folder = folder
        self._files: OrderedDict[int, DiskFile] = OrderedDict()

    def close(self) -> None:
        """Let go of the connection and the files."""
        self.index.close()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def block(self, block: BlockId) -> bytes:
        """A block's bytes, not yet checked; `NotFoundError`, or `IntegrityError` if they are not all there."""
        place = self._place_of(block)
        return self._read(place, 0, place.length)

    def sample(self, block: BlockId, offset: int, size: int) -> tuple[bytes, int]:
        """Up to `size` bytes from `offset` modulo the block's length, and that length."""
        place = self._place_of(block)
        start = offset % place.length if place.length else 0
        return self._read(place, start, min(size, place.length - start)), place.length

    def part(self, digest: bytes) -> bytes:
        """A claim part's signed bytes; `NotFoundError`, or `IntegrityError` if they are damaged."""
        place = self.index.part_place(digest)
        if place is None:
            raise NotFoundError("This claim part is not here.")
        signed = self._read(place, 0, place.length)
        if blake3(signed).digest() != digest:
            raise IntegrityError("A stored claim part is damaged.", "Fetch it from another holder.")
        return signed

    def _place_of(self, block: BlockId) -> Place:
        place = self.index.place(block)
        if place is None:
            raise NotFoundError(f"Block {format_block_id(block)} is not here.")
        return place

    def _read(self, place: Place, start: int, size: int) -> bytes:
        hint = "Fetch what it held from other holders."
        try:
            data = self._file(place.segment).read(place.offset + start, size)
        except OSError as error:
            raise IntegrityError(f"Segment {place.segment} cannot be read ({error}).", hint) from error
        if len(data) != size:
            raise IntegrityError(f"Segment {place.segment} ends too early.", hint)
        return data

    def _file(self, segment: int) -> DiskFile:
        if segment not in self._files:
            self._files[segment] = self._disk.open(segment_name(self._folder, segment))
            if len(self._files) > _FILES_MAX:
                _, oldest = self._files.popitem(last=False)
                oldest.close()
        self._files.move_to_end(segment)
        return self._files[segment]
