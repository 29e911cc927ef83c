"""A folder on disk that keys are restored below: real folders are opened one by one, and no link is ever followed.

Synchronous and for one lane: what `open` hands out is good until it is called again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import unicodedata
from collections import OrderedDict
from pathlib import Path
from typing import Final

from capsa.core.pages import MODE_MAX
from capsa.core.restore import Place
from capsa.errors import CapsaError, NotFoundError, RefusedError, from_os_error

_OPEN_MAX: Final = 32
"""Folders that are kept open: neighbours lie in the same ones."""
_UNSYNCED_MAX: Final = 64
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OTHER_PLACE: Final = "Use --force to replace it, or -o for another place."


class TargetTree:
    """The folder at `root`, which may itself be reached by a link, and what lies below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._unsynced: dict[tuple[str, ...], int] = {}

    def path_of(self, place: Place) -> Path:
        """Where a place is, for people; nothing is opened by it."""
        return self.root.joinpath(*place.folders, place.name)

    def open(self, folders: tuple[str, ...], *, make: bool = False) -> int:
        """A descriptor of a folder, which stays ours; `make` makes those that are missing.

        Raises `NotFoundError` where one is missing, `RefusedError` where something else has its name, such as a link,
        or a folder of another spelling on a file system that takes both for one.
        """
        if folders in self._folders:
            self._folders.move_to_end(folders)
            return self._folders[folders]
        if folders:
            descriptor = self._open_below(self.open(folders[:-1], make=make), folders, make=make)
        else:
            descriptor = self._open_root(make=make)
        self._folders[folders] = descriptor
        if len(self._folders) > _OPEN_MAX:
            os.close(self._folders.popitem(last=False)[1])
        return descriptor

    def find(self, place: Place) -> os.stat_result | None:
        """What lies at a place, itself if it is a link; None if nothing does. Raises `RefusedError` as `open`."""
        try:
            folder = self.open(place.folders)
        except NotFoundError:
            return None
        try:
            found = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
            _check_spelling(folder, place.name, found, self.path_of(place))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, f"{self.path_of(place)} cannot be looked at") from error
        return found

    def open_file(self, place: Place) -> int:
        """A descriptor of the file at a place, for reading: the caller's to close."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            return os.open(place.name, flags, dir_fd=self.open(place.folders))
        except OSError as error:
            raise from_os_error(error, f"{self.path_of(place)} cannot be read") from error

    def make_link(self, place: Place, target: str, mtime_ns: int, *, overwrite: bool = False) -> bool:
        """A symbolic link at a place; False if the very same is there already.

        Where it may lead, the caller has judged. Raises `RefusedError` if something else is there: with `overwrite`,
        only a folder or a device is something else.
        """
        folder = self.open(place.folders, make=True)
        found = self.find(place)
        try:
            if found is not None and stat.S_ISLNK(found.st_mode):
                if os.readlink(place.name, dir_fd=folder) == target:
                    self.touch(place)
                    return False
            elif found is not None and not (overwrite and stat.S_ISREG(found.st_mode)):
                raise taken(self.path_of(place))
            if found is not None and not overwrite:
                raise taken(self.path_of(place))
            if found is not None:
                os.unlink(place.name, dir_fd=folder)
            os.symlink(target, place.name, dir_fd=folder)
            with contextlib.suppress(OSError):  # not every file system keeps a link's time
                os.utime(place.name, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise _cannot(error, self.path_of(place)) from error
        self.touch(place)
        return True

    def make_folder(self, place: Place, mode: int, mtime_ns: int) -> bool:
        """A folder at a place, with its bits and time if nothing lies in it; False if it was there already."""
        before = self.find(place)
        folder = self.open((*place.folders, place.name), make=True)
        try:
            with os.scandir(folder) as inside:
                empty = next(inside, None) is None
            if empty:
                with contextlib.suppress(PermissionError):
                    os.fchmod(folder, mode & MODE_MAX)
                    os.utime(folder, ns=(mtime_ns, mtime_ns))
                os.fsync(folder)
        except OSError as error:
            raise _cannot(error, self.path_of(place)) from error
        self.touch(place)
        return before is None

    def drop_twin(self, place: Place, name: str) -> None:
        """Remove a second name of the file at a place, as a crash between giving it one and taking the other leaves."""
        folder = self.open(place.folders)
        with contextlib.suppress(OSError):  # a name too many is no harm
            one = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
            other = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
                os.unlink(name, dir_fd=folder)

    def touch(self, place: Place) -> None:
        """Note that the folder of a place has a name in it that is to be durable after `sync`."""
        self._note(place.folders, self.open(place.folders))

    def sync(self) -> None:
        """Bring the names that are noted to the disk."""
        while self._unsynced:
            folders, descriptor = self._unsynced.popitem()
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise _cannot(error, self.root.joinpath(*folders)) from error
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Let all folders go; a repeat does nothing."""
        for descriptor in (*self._folders.values(), *self._unsynced.values()):
            os.close(descriptor)
        self._folders.clear()
        self._unsynced.clear()

    def _open_root(self, *, make: bool) -> int:
        try:
            if make:
                self._make_root()
            return os.open(self.root, _FOLDER)
        except (FileNotFoundError, NotADirectoryError) as error:
            if make or isinstance(error, NotADirectoryError):
                raise RefusedError(f"{self.root} is not a folder.", "Choose another place with -o.") from None
            raise NotFoundError(f"There is no folder {self.root}.") from None
        except FileExistsError:
            raise RefusedError(f"{self.root} is not a folder.", "Choose another place with -o.") from None
        except OSError as error:
            raise _cannot(error, self.root) from error

    def _make_root(self) -> None:
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        for path in missing:
            descriptor = os.open(path.parent, _FOLDER)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _open_below(self, parent: int, folders: tuple[str, ...], *, make: bool) -> int:
        name, path = folders[-1], self.root.joinpath(*folders)
        made = False
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=parent)
                    made = True
            descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise NotFoundError(f"There is no folder {path}.") from None
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                raise RefusedError(f"{path} is not a folder, or is a link to one.", "Choose another place.") from None
            raise _cannot(error, path) from error
        try:
            if made:
                self._note(folders[:-1], parent)
            else:
                _check_spelling(parent, name, os.fstat(descriptor), path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _note(self, folders: tuple[str, ...], descriptor: int) -> None:
        if folders not in self._unsynced:
            if len(self._unsynced) >= _UNSYNCED_MAX:
                self.sync()
            self._unsynced[folders] = os.dup(descriptor)


def taken(path: Path) -> RefusedError:
    """Something else has the name."""
    return RefusedError(f"{path} is there already, and is something else.", _OTHER_PLACE)


def _check_spelling(folder: int, name: str, found: os.stat_result, path: Path) -> None:
    """Raise `RefusedError` if it is by another spelling that the name leads to what was found there.

    Some file systems take `A` and `a` for one name. The folder is only read where `a` leads to what `A` does.
    """
    try:
        twin = os.stat(name.swapcase(), dir_fd=folder, follow_symlinks=False)
    except OSError:
        return
    if name.swapcase() == name or (twin.st_dev, twin.st_ino) != (found.st_dev, found.st_ino):
        return
    with os.scandir(folder) as entries:
        if any(unicodedata.normalize("NFC", entry.name) == name for entry in entries):
            return
    raise RefusedError(f"{path} has the name of another file there, in other letters.", "Choose another place.")


def _cannot(error: OSError, path: Path) -> CapsaError:
    if error.errno == errno.EEXIST:
        return taken(path)
    return from_os_error(error, f"{path} cannot be written")
