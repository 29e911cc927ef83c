"""The part file of an atomic get: verified plaintext grows beside the target and takes its name when whole.

Synchronous; it runs on a lane. A part file outlives an interrupted get, so that the next one continues it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from capsa.core.ids import BlockId, Buffer, to_base32
from capsa.core.pages import MODE_MAX
from capsa.errors import CapsaError, NoSpaceError, NotFoundError, RefusedError, from_os_error

_SUFFIX: Final = ".capsa-part"
_NAME_SIZE_MAX: Final = 255
_CACHED_TAIL_SIZE: Final = 64 * 1024 * 1024
_OPEN_TRIES_MAX: Final = 8
_PRIVATE_MODE: Final = 0o600
_WITHOUT_HARD_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def part_path(target: Path, root: BlockId) -> Path:
    """Where the part file of `target` lies: named after it, or after the root where that would be too long."""
    name = f".{target.name}{_SUFFIX}"
    if len(os.fsencode(name)) > _NAME_SIZE_MAX:
        name = f".{to_base32(root[:10])}{_SUFFIX}"
    return target.parent / name


class PartFile:
    """A locked, private file beside the target.

    What an earlier get left in it is only as good as the caller's check: read it with `read_into`, cut it with
    `truncate` where it stops being right, then `write` on from there and `finish`. To stop halfway, `close`.
    """

    def __init__(self, target: Path, root: BlockId, *, overwrite: bool = False) -> None:
        """Open or make the part file.

        Raises `RefusedError` if the target exists and is not to be overwritten, if another get is at work on the same
        part file, or if what lies in its place is not a plain file of ours; `NotFoundError` without a folder.
        """
        self._target = target
        self._overwrite = overwrite
        self._path = part_path(target, root)
        self._refuse_existing()
        try:
            self._descriptor = self._open_locked()
        except OSError as error:
            raise self._failed(error, self._path) from error
        self._size = os.fstat(self._descriptor).st_size

    @property
    def path(self) -> Path:
        """The part file itself."""
        return self._path

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self._size

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill the buffer from `offset`, and return how many bytes came: fewer than its length only at the end."""
        count = 0
        try:
            while count < len(buffer):
                got = os.preadv(self._descriptor, [buffer[count:]], offset + count)
                if got == 0:
                    break
                count += got
        except OSError as error:
            raise self._failed(error, self._path) from error
        return count

    def truncate(self, size: int) -> None:
        """Keep only the first `size` bytes."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise self._failed(error, self._path) from error
        self._size = size

    def expect(self, size: int) -> None:
        """Raise `NoSpaceError`, before anything is fetched, if the disk cannot take the file up to `size` bytes."""
        try:
            disk = os.fstatvfs(self._descriptor)
        except OSError as error:
            raise self._failed(error, self._path) from error
        if size - self._size > disk.f_bavail * disk.f_frsize:
            raise NoSpaceError(
                f"{self._target} does not fit: {size - self._size} bytes are still to come.",
                "Make room, or choose another place with -o.",
            )

    def write(self, data: Buffer) -> None:
        """Add verified bytes at the end; `NoSpaceError` on a full disk leaves what was written before."""
        view = memoryview(data)
        written = 0
        try:
            while written < len(view):
                written += os.pwrite(self._descriptor, view[written:], self._size + written)
        except OSError as error:
            raise self._failed(error, self._path) from error
        self._size += written

    def settle(self, size: int) -> None:
        """Bring the first `size` bytes to the disk, and let the memory that caches them go but for the last of them.

        It runs beside `write`, on another lane, so that `finish` has little left to wait for. What cannot be settled
        now is `finish`'s to report.
        """
        if sys.platform == "linux" and size > _CACHED_TAIL_SIZE:
            with contextlib.suppress(OSError):
                os.fdatasync(self._descriptor)
                os.posix_fadvise(self._descriptor, 0, size - _CACHED_TAIL_SIZE, os.POSIX_FADV_DONTNEED)

    def finish(self, *, mtime_ns: int, mode: int) -> None:
        """Make it durable under the target's name, with its time and permission bits, and close.

        Raises `RefusedError`, and keeps the part file, if the target has come into being and is not to be overwritten.
        """
        try:
            with contextlib.suppress(PermissionError):  # some file systems have no permission bits
                os.fchmod(self._descriptor, mode & MODE_MAX)
            os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
            os.fsync(self._descriptor)
            if self._overwrite:
                self._path.replace(self._target)
            else:
                self._rename_to_new()
            self._sync_folder()
        except OSError as error:
            raise self._failed(error, self._target) from error
        self.close()

    def discard(self) -> None:
        """Remove the part file and close."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go and leave the part file for the next get; a repeat does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_locked(self) -> int:
        """A locked descriptor of the file that has the part file's name *now*.

        Between our opening and our locking, another get may have finished and given that very file its final name,
        and a crash in the middle of `_rename_to_new` leaves it with both. To write to it would spoil a finished file.
        """
        for _ in range(_OPEN_TRIES_MAX):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, _PRIVATE_MODE)
            try:
                if self._lock(descriptor):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise RefusedError(f"{self._path} keeps changing hands.", "Wait for the other get to end, or choose -o.")

    def _lock(self, descriptor: int) -> bool:
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode) or opened.st_uid != os.geteuid():
            raise RefusedError(f"{self._path} is not a file of yours.", "Remove it, or choose another place with -o.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(f"{self._target} is being fetched already.", "Wait for the other get to end.") from None
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        if (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino):
            return False
        if there.st_nlink > 1:
            self._path.unlink()
            return False
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, _PRIVATE_MODE)
        return True

    def _refuse_existing(self) -> None:
        """Even with `overwrite`, only a plain file or a link to one is replaced: a device is not the user's to lose."""
        if self._target.exists() and not self._target.is_file():
            raise RefusedError(f"{self._target} is not a plain file.", "Choose another place with -o; - is stdout.")
        if not self._overwrite and os.path.lexists(self._target):
            raise RefusedError(f"{self._target} exists already.", "Use --force to replace it, or -o for another place.")

    def _rename_to_new(self) -> None:
        try:
            self._target.hardlink_to(self._path)
        except OSError as error:
            if error.errno not in _WITHOUT_HARD_LINKS:
                raise
            # A race with another program is possible here, and better than leaving an empty file after a crash.
            self._refuse_existing()
            self._path.replace(self._target)
        else:
            self._path.unlink()

    def _sync_folder(self) -> None:
        folder = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _failed(self, error: OSError, path: Path) -> CapsaError:
        if error.errno == errno.ENOENT and not path.parent.is_dir():
            return NotFoundError(f"There is no folder {path.parent}.", "Make it first, or choose another with -o.")
        if error.errno == errno.EEXIST:
            return RefusedError(f"{path} exists already.", "Use --force to replace it, or -o for another place.")
        if error.errno == errno.ELOOP:
            return RefusedError(f"{path} is a symbolic link.", "Remove it, or choose another place with -o.")
        kept = "Make room; the next get goes on from here." if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        return from_os_error(error, f"{path} cannot be written", kept)
