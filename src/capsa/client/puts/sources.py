"""Sources: where the bytes of a put come from. Synchronous; they are read on a lane."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, runtime_checkable

from capsa.client.puts.stamps import Stamp
from capsa.core.pages import LINK_TARGET_SIZE_MAX, Kind
from capsa.errors import ChangedError, RefusedError, UsageError, from_os_error

STREAM_MODE: Final = 0o644


class Source(Protocol):
    """What is to be put: bytes, read once from the beginning to the end; a link; or an empty folder."""

    @property
    def kind(self) -> Kind:
        """Links and folders have no bytes."""
        ...

    @property
    def link_target(self) -> str:
        """Where a link leads, as it says itself; else empty."""
        ...

    @property
    def stamp(self) -> Stamp | None:
        """Of what was opened, as it was then; None where there is nothing that a later reading could be told by."""
        ...

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
    """A regular file. Raises `NotFoundError`, `RefusedError` or `UsageError` (for a folder) when made.

    Without `follow`, a link is refused, even if it came to be since the file was listed.
    """

    kind = Kind.FILE
    link_target = ""

    def __init__(self, path: Path, *, follow: bool = True) -> None:
        self._path = path
        self._follow = follow
        self._read = 0
        try:
            # Without O_NONBLOCK, opening a FIFO would wait for a writer.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
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

    @property
    def stamp(self) -> Stamp:
        return Stamp.of(self._before)

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
        before, after = self._before, os.fstat(self._file.fileno())
        there = self._path.stat(follow_symlinks=self._follow)
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


class _Bare:
    """What has no content: a link or an empty folder, as `found`."""

    link_target = ""
    size = 0

    def __init__(self, path: Path, found: os.stat_result) -> None:
        self._path = path
        self._found = found

    @property
    def name(self) -> str:
        return self._path.name

    @property
    def mtime_ns(self) -> int:
        return self._found.st_mtime_ns

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self._found.st_mode)

    def read_into(self, buffer: memoryview) -> int:
        return 0

    def close(self) -> None:
        """Nothing to let go."""


class LinkSource(_Bare):
    """A symbolic link, which is not followed.

    Raises `NotFoundError` or `RefusedError` when made, `ChangedError` if it is no link (any more), `UsageError` if its
    target is not UTF-8 of at most 4,096 bytes.
    """

    kind = Kind.LINK

    def __init__(self, path: Path) -> None:
        try:
            found = path.lstat()
            target = os.fsencode(path.readlink()) if stat.S_ISLNK(found.st_mode) else None
        except OSError as error:
            raise from_os_error(error, f"{path} cannot be read") from error
        if target is None:
            raise ChangedError(f"{path} is not a link any more.", "Try again when nothing writes to it.")
        super().__init__(path, found)
        try:
            self.link_target = target.decode()
        except UnicodeDecodeError:
            raise UsageError(f"{path} leads to a name that is not UTF-8.", "Rename what it leads to.") from None
        if len(target) > LINK_TARGET_SIZE_MAX:
            raise UsageError(f"{path} leads to a name that is too long to be stored.", "Use a shorter one.")

    @property
    def stamp(self) -> Stamp:
        return Stamp.of(self._found)


class FolderSource(_Bare):
    """A folder, to be kept as an empty one.

    Raises `NotFoundError` or `RefusedError` when made, `ChangedError` if it is no folder (any more).
    """

    kind = Kind.FOLDER
    stamp = None

    def __init__(self, path: Path) -> None:
        try:
            found = path.stat()
        except OSError as error:
            raise from_os_error(error, f"{path} cannot be read") from error
        if not stat.S_ISDIR(found.st_mode):
            raise ChangedError(f"{path} is not a folder any more.", "Try again when nothing writes to it.")
        super().__init__(path, found)


class StreamSource:
    """Any binary stream, such as standard input. It stays the caller's to close."""

    kind = Kind.FILE
    link_target = ""
    stamp = None

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
