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
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from capsa.core.ids import BlockId, Buffer, to_base32
from capsa.core.pages import MODE_MAX
from capsa.core.restore import PART_SUFFIX
from capsa.errors import CapsaError, NoSpaceError, NotFoundError, RefusedError, from_os_error

_NAME_SIZE_MAX: Final = 255
_CACHED_TAIL_SIZE: Final = 64 * 1024 * 1024
_OPEN_TRIES_MAX: Final = 8
_PRIVATE_MODE: Final = 0o600
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NOTHING_THERE: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_WITHOUT_HARD_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def part_path(target: Path, root: BlockId, tag: str = "") -> Path:
    """Where the part file of `target` lies: named after it, or after the root where that would be too long."""
    name = f".{target.name}{tag}{PART_SUFFIX}"
    if len(os.fsencode(name)) > _NAME_SIZE_MAX:
        name = f".{to_base32(root[:10])}{tag}{PART_SUFFIX}"
    return target.parent / name


class PartFile:
    """A locked, private file beside the target.

    What an earlier get left in it is only as good as the caller's check: read it with `read_into`, cut it with
    `truncate` where it stops being right, then `write` on from there and `finish`. To stop halfway, `close`.
    """

    def __init__(
        self, target: Path, root: BlockId, *, overwrite: bool = False, tag: str = "", folder: int | None = None
    ) -> None:
        """Open or make the part file.

        `tag` tells the part file of a range from that of the whole. `folder` is an open descriptor of the folder that
        the target lies in, for whoever must know which one that is; the path is then only what messages say.
        Raises `RefusedError` if the target exists and is not to be overwritten, if another get is at work on the same
        part file, or if what lies in its place is not a plain file of ours; `NotFoundError` without a folder.
        """
        self._target = target
        self._overwrite = overwrite
        self._path = part_path(target, root, tag)
        self._name = self._path.name
        self._descriptor = -1
        self._folder = -1
        try:
            self._folder = os.open(target.parent, _FOLDER) if folder is None else os.dup(folder)
            self._refuse_existing()
            self._descriptor = self._open_locked()
            self._size = os.fstat(self._descriptor).st_size
        except OSError as error:
            self.close()
            raise self._failed(error, self._path) from error
        except BaseException:
            self.close()
            raise

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
                f"{self._target} does not fit: {size - self._size:,} bytes are still to come.",
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

    def dress(self, *, mtime_ns: int, mode: int) -> None:
        """Give it its time (nanoseconds since 1970) and its permission bits. Nothing is written after that."""
        try:
            with contextlib.suppress(PermissionError):  # some file systems have no permission bits
                os.fchmod(self._descriptor, mode & MODE_MAX)
            os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
        except OSError as error:
            raise self._failed(error, self._path) from error

    def finish(self, *, mtime_ns: int, mode: int) -> None:
        """Make it durable under the target's name, with its time and permission bits, and close.

        Raises `RefusedError`, and keeps the part file, if the target has come into being and is not to be overwritten.
        """
        self.dress(mtime_ns=mtime_ns, mode=mode)
        [error] = finish_all([self])
        if error is not None:
            raise error

    def discard(self) -> None:
        """Remove the part file and close."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)
        self.close()

    def close(self) -> None:
        """Let go and leave the part file for the next get; a repeat does nothing."""
        for descriptor in (self._descriptor, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._folder = -1

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
            descriptor = os.open(self._name, flags, _PRIVATE_MODE, dir_fd=self._folder)
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
            there = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino):
            return False
        if there.st_nlink > 1:
            os.unlink(self._name, dir_fd=self._folder)
            return False
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, _PRIVATE_MODE)
        return True

    def _refuse_existing(self) -> None:
        """Even with `overwrite`, only a plain file or a link to one is replaced: a device is not the user's to lose."""
        if not stat.S_ISREG(self._mode_there(follow=True) or stat.S_IFREG):
            raise RefusedError(f"{self._target} is not a plain file.", "Choose another place with -o; - is stdout.")
        if not self._overwrite and self._mode_there(follow=False) is not None:
            raise RefusedError(f"{self._target} exists already.", "Use --force to replace it, or -o for another place.")

    def _mode_there(self, *, follow: bool) -> int | None:
        """Type and permission bits of what has the target's name, or of what that leads to; None if nothing is."""
        try:
            return os.stat(self._target.name, dir_fd=self._folder, follow_symlinks=follow).st_mode
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return None
            raise

    def start_writing(self) -> None:
        """Let the kernel begin to write it out, and wait for nothing: it then finds room for many files at once."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Bring its bytes to the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._failed(error, self._target) from error

    def take_name(self) -> None:
        """Give it the target's name; durable once the folder is. Raises as `finish`."""
        try:
            if self._overwrite:
                self._rename()
            else:
                self._rename_to_new()
        except OSError as error:
            raise self._failed(error, self._target) from error

    def sync_folder(self) -> None:
        """Bring the names in the target's folder to the disk."""
        try:
            os.fsync(self._folder)
        except OSError as error:
            raise self._failed(error, self._target) from error

    @property
    def folder_identity(self) -> tuple[int, int]:
        """Device and inode of the target's folder."""
        found = os.fstat(self._folder)
        return found.st_dev, found.st_ino

    def _rename(self) -> None:
        os.rename(self._name, self._target.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _rename_to_new(self) -> None:
        folders = {"src_dir_fd": self._folder, "dst_dir_fd": self._folder}
        try:
            os.link(self._name, self._target.name, **folders, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _WITHOUT_HARD_LINKS:
                raise
            # A race with another program is possible here, and better than leaving an empty file after a crash.
            self._refuse_existing()
            self._rename()
        else:
            os.unlink(self._name, dir_fd=self._folder)

    def _failed(self, error: OSError, path: Path) -> CapsaError:
        if error.errno == errno.ENOENT and not path.parent.is_dir():
            return NotFoundError(f"There is no folder {path.parent}.", "Make it first, or choose another with -o.")
        if error.errno == errno.EEXIST:
            return RefusedError(f"{path} exists already.", "Use --force to replace it, or -o for another place.")
        if error.errno == errno.ELOOP:
            return RefusedError(f"{path} is a symbolic link.", "Remove it, or choose another place with -o.")
        kept = "Make room; the next get goes on from here." if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        return from_os_error(error, f"{path} cannot be written", kept)


def finish_all(parts: Sequence[PartFile]) -> list[CapsaError | None]:
    """Make dressed part files durable under their targets' names, and close those; for each, None or why it was not.

    Many cost little more than one: the disk is waited for once for the bytes of all, and once a folder for the names.
    """
    outcomes: dict[int, CapsaError | None] = {}
    if len(parts) > 1:
        for part in parts:
            part.start_writing()
    for step in (PartFile.sync, PartFile.take_name):
        for index, part in enumerate(parts):
            if outcomes.get(index) is None:
                outcomes[index] = _failure(step, part)
    folders: dict[tuple[int, int], CapsaError | None] = {}
    for index, part in enumerate(parts):
        if outcomes[index] is None:
            folder = part.folder_identity
            if folder not in folders:
                folders[folder] = _failure(PartFile.sync_folder, part)
            outcomes[index] = folders[folder]
            part.close()
    return [outcomes[index] for index in range(len(parts))]


def _failure(step: Callable[[PartFile], None], part: PartFile) -> CapsaError | None:
    try:
        step(part)
    except CapsaError as error:
        return error
    return None
