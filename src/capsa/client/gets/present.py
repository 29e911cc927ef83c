"""What lies already where a file is to be restored, and whether it is that file. Synchronous; it runs on a lane."""

from __future__ import annotations

import contextlib
import os
import stat
from enum import Enum, auto
from pathlib import Path
from typing import Final, TypeAlias

from blake3 import blake3

from capsa.client.gets.places import TargetTree, taken
from capsa.core.catalog.entries import VersionEntry
from capsa.core.restore import Place
from capsa.errors import from_os_error

_AT_ONCE_SIZE: Final = 1024 * 1024
_SLICE_SIZE: Final = 64 * 1024 * 1024
_READ_SIZE: Final = 1024 * 1024


class Presence(Enum):
    """What lies at a place."""

    NOTHING = auto()
    OTHER = auto()
    """Something that may be replaced."""
    SAME = auto()


class Comparison:
    """A file that is as long as the wanted one; told slice by slice whether it is the same."""

    def __init__(self, tree: TargetTree, place: Place, version: VersionEntry, *, overwrite: bool) -> None:
        self._tree = tree
        self._place = place
        self._path = tree.path_of(place)
        self._version = version
        self._overwrite = overwrite
        self._descriptor = -1
        self._hasher = blake3()
        self._buffer = memoryview(bytearray(min(_READ_SIZE, version.size + 1)))

    def compare(self) -> Presence | None:
        """Read the next slice; at the end, what the file is. One that is the same gets its time.

        Raises `RefusedError` for another file that is not to be replaced.
        """
        if self._descriptor < 0:
            self._descriptor = self._tree.open_file(self._place)
        left = _SLICE_SIZE
        try:
            while left > 0:
                count = os.readv(self._descriptor, [self._buffer])
                if count == 0:
                    return self._judge()
                self._hasher.update(self._buffer[:count])
                left -= count
        except OSError as error:
            raise from_os_error(error, f"{self._path} cannot be read") from error
        return None

    def close(self) -> None:
        """Let the file go; a repeat does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _judge(self) -> Presence:
        if self._hasher.digest() != self._version.digest:
            return _other(self._path, overwrite=self._overwrite)
        if os.fstat(self._descriptor).st_mtime_ns != self._version.mtime_ns:
            with contextlib.suppress(PermissionError):  # somebody else's file
                os.utime(self._descriptor, ns=(self._version.mtime_ns, self._version.mtime_ns))
        return Presence.SAME


Look: TypeAlias = Presence | Comparison


def look(tree: TargetTree, place: Place, version: VersionEntry, *, overwrite: bool) -> Look:
    """What lies at a place, for a file's version; a long file is left to the caller to compare, and to close.

    Raises `RefusedError` for something else that is not to be replaced.
    """
    found = tree.find(place)
    if found is None:
        return Presence.NOTHING
    if not stat.S_ISREG(found.st_mode) or found.st_size != version.size:
        return _other(tree.path_of(place), overwrite=overwrite)
    comparison = Comparison(tree, place, version, overwrite=overwrite)
    if version.size > _AT_ONCE_SIZE:
        return comparison
    try:
        presence = comparison.compare()
    finally:
        comparison.close()
    return comparison if presence is None else presence


def _other(path: Path, *, overwrite: bool) -> Presence:
    if not overwrite:
        raise taken(path)
    return Presence.OTHER
