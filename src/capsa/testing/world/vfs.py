"""SQLite over the files of a simulated disk, so that a database too loses what it did not sync.

Locks are granted to whoever asks: in the simulated world a lane's job runs to its end before another begins, so
no two connections are ever in a transaction at once. For want of shared memory the journal is a rollback journal.
A durable database truncates it at commit, which with `synchronous=FULL` survives without syncing the folder. Others
delete it: if power fails before the folder is synced it comes back, and takes the last transaction with it.
"""

# ruff: noqa: N802 (these names are SQLite's)

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

import apsw

from capsa.core.ids import Buffer
from capsa.seams import Entropy
from capsa.testing.world import disk as sim

P = ParamSpec("P")
R = TypeVar("R")


def _translated(fn: Callable[P, R]) -> Callable[P, R]:
    """Let `fn` raise what SQLite understands where it raises an `OSError`."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return fn(*args, **kwargs)
        except OSError as error:
            kind = apsw.FullError if error.errno == errno.ENOSPC else apsw.IOError
            raise kind(str(error)) from error

    return call


class _VfsFile:
    """What `apsw` asks of an open file."""

    def __init__(self, file: sim.SimFile) -> None:
        self._file = file

    @_translated
    def xRead(self, amount: int, offset: int) -> bytes:
        return self._file.read(offset, amount)

    @_translated
    def xWrite(self, data: Buffer, offset: int) -> None:
        self._file.write(offset, [bytes(data)])

    @_translated
    def xTruncate(self, newsize: int) -> None:
        self._file.truncate(newsize)

    @_translated
    def xSync(self, flags: int) -> None:
        self._file.sync()

    @_translated
    def xFileSize(self) -> int:
        return self._file.size()

    def xClose(self) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return sim.SECTOR_SIZE

    def xDeviceCharacteristics(self) -> int:
        return 0

    def excepthook(self, etype: object, evalue: object, etraceback: object) -> bool:
        return True


class SimVfs(apsw.VFS):
    """One simulated disk's files, for SQLite."""

    def __init__(self, disk: sim.SimDisk, entropy: Entropy) -> None:
        self._disk = disk
        self._entropy = entropy
        self._name = f"capsa-simulated-{id(self):x}"
        super().__init__(self._name, base="")

    def connect(self, name: str, *, durable: bool) -> apsw.Connection:
        """A connection to a database on the disk."""
        connection = apsw.Connection(name, vfs=self._name)
        connection.pragma("temp_store", "memory")
        connection.pragma("journal_mode", "truncate" if durable else "delete")
        connection.pragma("synchronous", "full" if durable else "normal")
        return connection

    @_translated
    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert path is not None, "temporary files are kept in memory"
        flags[1] = flags[0]
        try:
            file = self._disk.open(path)
        except FileNotFoundError:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise
            file = self._disk.open(path, create=True)
            self._disk.sync_folder(path.rpartition("/")[0])  # as SQLite's own does for a new journal
        return cast("apsw.VFSFile", _VfsFile(file))

    @_translated
    def xDelete(self, filename: str, syncdir: bool) -> None:
        with suppress(FileNotFoundError):
            self._disk.remove(filename)
        if syncdir:
            self._disk.sync_folder(filename.rpartition("/")[0])

    @_translated
    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname.rpartition("/")[2] in self._disk.names(pathname.rpartition("/")[0])

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, numbytes: int) -> bytes:
        return self._entropy.take(numbytes)

    def excepthook(self, etype: object, evalue: object, etraceback: object) -> bool:
        return True
