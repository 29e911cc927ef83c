"""The disk seam: files, folders and databases under one root. The simulated disk implements the same protocol.

Names are relative, `/`-separated, and always our own, never a peer's. Everything here is synchronous and runs on
a lane; errors are `OSError`s, and `apsw.Error`s from databases.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import apsw

from capsa.core.ids import Buffer

_BUFFERS_MAX: Final = 1024  # IOV_MAX on Linux and macOS
_BUSY_MS: Final = 5000
_CACHE_KIB: Final = 4096
_PAGES_BEFORE_CHECKPOINT: Final = 1000


class DiskFile(Protocol):
    """An open file; used by one lane only."""

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write the buffers, one after the other, from `offset` on. An error leaves any part of them written."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end of the file."""
        ...

    def size(self) -> int:
        """The file's size in bytes."""
        ...

    def sync(self) -> None:
        """Make what was written survive power loss. After an error, what it covered may be lost for good."""
        ...

    def forget(self, start: int, stop: int) -> None:
        """Let the memory that caches these synced bytes go; they stay on the disk. A hint, which cannot fail."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        ...

    def close(self) -> None:
        """Let go, without syncing. A repeat does nothing."""
        ...


class Disk(Protocol):
    """A folder on a disk."""

    def open(self, name: str, *, create: bool = False) -> DiskFile:
        """Open a file for reading and writing. `FileNotFoundError`, or with `create` `FileExistsError`."""
        ...

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted; empty if there is no such folder."""
        ...

    def make_folder(self, name: str) -> None:
        """Make a folder and those above it; a repeat does nothing."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Rename a file, replacing what bore the new name."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; `FileNotFoundError`."""
        ...

    def sync_folder(self, name: str) -> None:
        """Make the files made, renamed and removed in a folder survive power loss."""
        ...

    def space(self) -> tuple[int, int]:
        """Free and total bytes of the disk, as far as we may use it."""
        ...

    def database(self, name: str, *, durable: bool) -> apsw.Connection:
        """Open or make an SQLite database; each call is a connection of its own, for one lane.

        With `durable`, a committed transaction survives power loss; without, the newest ones may be lost, never
        a part of one.
        """
        ...


class SystemFile:
    """A `DiskFile` of the operating system (POSIX)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        for start in range(0, len(buffers), _BUFFERS_MAX):
            self._write_all(buffers[start : start + _BUFFERS_MAX])

    def _write_all(self, buffers: Sequence[Buffer]) -> None:
        rest = list(buffers)
        while rest:
            written = os.writev(self._descriptor, rest)
            while rest and written >= len(rest[0]):
                written -= len(rest.pop(0))
            if written:
                rest[0] = memoryview(rest[0])[written:]

    def read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._descriptor, size, offset)
        while len(data) < size and (more := os.pread(self._descriptor, size - len(data), offset + len(data))):
            data += more
        return data

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def sync(self) -> None:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)  # fsync there stops at the drive's cache
        else:
            os.fdatasync(self._descriptor)

    def forget(self, start: int, stop: int) -> None:
        if sys.platform == "linux":
            os.posix_fadvise(self._descriptor, start, stop - start, os.POSIX_FADV_DONTNEED)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SystemDisk:
    """A `Disk` of the operating system, rooted at an existing folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str, *, create: bool = False) -> SystemFile:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        return SystemFile(os.open(self._root / name, flags, 0o600))

    def names(self, folder: str) -> list[str]:
        path = self._root / folder
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def make_folder(self, name: str) -> None:
        (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def rename(self, old: str, new: str) -> None:
        (self._root / old).replace(self._root / new)

    def remove(self, name: str) -> None:
        (self._root / name).unlink()

    def sync_folder(self, name: str) -> None:
        descriptor = os.open(self._root / name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def space(self) -> tuple[int, int]:
        usage = shutil.disk_usage(self._root)
        return usage.free, usage.used + usage.free

    def database(self, name: str, *, durable: bool) -> apsw.Connection:
        connection = apsw.Connection(str(self._root / name))
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("cache_size", -_CACHE_KIB)
        connection.pragma("journal_mode", "wal")
        connection.pragma("wal_autocheckpoint", _PAGES_BEFORE_CHECKPOINT)
        connection.pragma("synchronous", "full" if durable else "normal")
        return connection
