"""Sources: where the bytes of a put come from. Synchronous; they are read on a lane."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, runtime_checkable

from capsa.errors import ChangedError, RefusedError, UsageError, from_os_error

STREAM_MODE: Final = 0o644


class Source(Protocol):
    """Bytes to be put, read once from the beginning to the end."""

    @property
    def name(self) -> str:
        """The last part of the path it came from; empty if there is none."""
        ...

    @property
    def size(self) -> int | None:
        """How many bytes will come, where that is known."""
        ...

    @property
    def mtime_ns(self) -> int | None:
        """When it was last modified, in nanoseconds since 1970, where that is known."""
        ...

    @property
    def mode(self) -> int:
        """Its permission bits."""
        ...

    def read_into(self, buffer: memoryview) -> int:
        """Fill the buffer, and return how many bytes came: fewer than its length only at the end.

        Read until that happens: only then is it known whether the file stood still. Raises `ChangedError` if it did
        not, another `CapsaError` if it cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go; a repeat does nothing."""
        ...


class Readable(Protocol):
    """A binary stream as Python has them: anything with a blocking `read`."""

    def read(self, size: int, /) -> bytes | None: ...


@runtime_checkable
class _ReadableInto(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class FileSource:
    """A regular file. Raises `NotFoundError`, `RefusedError` or `UsageError` (for a folder) when made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        try:
            # Without O_NONBLOCK, opening a FIFO would wait for a writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise from_os_error(error, f"{path} cannot be read") from error
        self._before = os.fstat(descriptor)
        if not stat.S_ISREG(self._before.st_mode):
            os.close(descriptor)
            if stat.S_ISDIR(self._before.st_mode):
                raise UsageError(f"{path} is a folder.", "Name the files in it, or store folders with -r.")
            raise RefusedError(
                f"{path} is not a regular file.", "What it gives can be stored by way of stdin: put - --as KEY."
            )
        self._file = os.fdopen(descriptor, "rb", buffering=0)

    @property
    def name(self) -> str:
        return self._path.name

    @property
    def size(self) -> int:
        return self._before.st_size

    @property
    def mtime_ns(self) -> int:
        return self._before.st_mtime_ns

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self._before.st_mode)

    def read_into(self, buffer: memoryview) -> int:
        try:
            count = _fill(self._file, buffer)
            self._read += count
            if count < len(buffer):
                self._check_unchanged()
        except OSError as error:
            raise from_os_error(error, f"{self._path} cannot be read") from error
        return count

    def _check_unchanged(self) -> None:
        """By size and time of the open file, and by whether the path still leads to it."""
        before, after, there = self._before, os.fstat(self._file.fileno()), self._path.stat()
        same = (
            (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
            and (there.st_dev, there.st_ino) == (before.st_dev, before.st_ino)
            and self._read == before.st_size
        )
        if not same:
            raise ChangedError(f"{self._path} changed while it was read.", "Try again when nothing writes to it.")

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StreamSource:
    """Any binary stream, such as standard input. It stays the caller's to close."""

    def __init__(self, stream: Readable, name: str = "") -> None:
        self._stream = stream
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def size(self) -> None:
        return None

    @property
    def mtime_ns(self) -> None:
        return None

    @property
    def mode(self) -> int:
        return STREAM_MODE

    def read_into(self, buffer: memoryview) -> int:
        try:
            return _fill(self._stream, buffer)
        except OSError as error:
            raise from_os_error(error, "The input cannot be read") from error

    def close(self) -> None:
        """Nothing to let go."""


def _fill(stream: Readable, buffer: memoryview) -> int:
    count = 0
    while count < len(buffer):
        got = _read_some(stream, buffer[count:])
        if got == 0:
            break
        count += got
    return count


def _read_some(stream: Readable, buffer: memoryview) -> int:
    if isinstance(stream, _ReadableInto):
        count = stream.readinto(buffer)
    else:
        piece = stream.read(len(buffer))
        count = None if piece is None else len(piece)
        buffer[:count] = piece or b""
    if count is None:  # a stream that does not wait has nothing *yet*: not the end
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return count
