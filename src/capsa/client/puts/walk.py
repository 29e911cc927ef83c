"""The walk: what lies in a folder, as files to be put. Synchronous and lazy.

Symbolic links are stored, never followed. Whatever cannot be stored is told, and does not stop the rest.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from capsa.client.puts.ignore import IGNORE_FILE, IGNORE_SIZE_MAX, NO_RULES, Rules
from capsa.client.puts.jobs import Job, Stored, check_put_key
from capsa.client.puts.sources import FileSource, FolderSource, LinkSource
from capsa.client.puts.stamps import Stamp
from capsa.core.names import KEY_SIZE_MAX, SEPARATOR
from capsa.core.pages import NAME_SIZE_MAX
from capsa.core.restore import PART_SUFFIX
from capsa.errors import CapsaError, RefusedError, UsageError, from_os_error

_SPECIAL: Final = {
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}
_LISTING: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READING: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

FolderId: TypeAlias = tuple[int, int]
"""Device and inode number of a folder."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in the tree that is not stored, and is no failure.

    `what` it is: a `fifo`, a `socket`, a `device`, a `home` of capsa, or the `part` of a file that `get` left.
    """

    key: str
    what: str


Found: TypeAlias = Job | Skipped | Stored
"""A file to be put, something that is passed over, or what cannot be put (with its error)."""


class _Entry(NamedTuple):
    order: str
    """Its name in normal form C; a folder's with the slash that its keys have."""
    name: str
    """As the file system has it."""
    mode: int
    stamp: Stamp


@dataclass(slots=True)
class _Folder:
    """A folder that is being walked; `key` is empty where its files' keys have no prefix."""

    path: str
    key: str
    rules: Rules
    rest: Iterator[_Entry]

    def path_of(self, name: str) -> str:
        return f"{self.path}{name}" if self.path.endswith(os.sep) else f"{self.path}{os.sep}{name}"

    def key_of(self, name: str) -> str:
        return f"{self.key}{SEPARATOR}{name}" if self.key else name


def folder_id(path: Path) -> FolderId | None:
    """By which a folder is known whatever it is called; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def walk(
    folder: str, prefix: str, rules: Rules = NO_RULES, *, homes: Collection[FolderId] = frozenset()
) -> Iterator[Found]:
    """All that lies in a folder, under keys that begin with `prefix` (empty: with nothing), folder by folder.

    Jobs come in the order of their keys, but that an empty folder has the place that its files would have. `folder`
    itself may be a link. A folder in which nothing but what is excluded or skipped lies, is kept as an empty one. A
    `.capsaignore` that cannot be understood is told, and nothing of its folder is stored: it may hold what was meant
    to be left out. `homes` are skipped, since they grow while they are read. Holds one listing a level of the tree.
    """
    return _Walk(homes, len(prefix) + 1 if prefix else 0).run(folder, prefix, rules)


class _Walk:
    def __init__(self, homes: Collection[FolderId], start: int) -> None:
        """`start` is where in a key the path within the tree begins."""
        self._homes = homes
        self._start = start
        self._open: list[_Folder] = []  # not the stack of the interpreter: trees may be deeper than that

    def run(self, path: str, key: str, rules: Rules) -> Iterator[Found]:
        yield from self._enter(path, key, rules, follow=True)
        while self._open:
            here = self._open[-1]
            entry = next(here.rest, None)
            if entry is None:
                self._open.pop()
                continue
            key = here.key_of(entry.order.removesuffix(SEPARATOR))
            if (error := _fault(key, entry.name)) is not None:
                yield Stored(shown(here.key_of(entry.name)), error=error)
            elif stat.S_ISDIR(entry.mode):
                yield from self._enter(here.path_of(entry.name), key, here.rules)
            else:
                yield _job(here.path_of(entry.name), key, entry)

    def _enter(self, path: str, key: str, rules: Rules, *, follow: bool = False) -> Iterator[Found]:
        """Go into a folder; what is to be told of it before what lies in it."""
        here = _Folder(path, key, rules, iter(()))
        told: list[Skipped | Stored] = []
        try:
            entries = self._listed(here, told, follow)
        except CapsaError as error:
            yield Stored(shown(key or path), error=error)
            return
        yield from told
        if entries:
            here.rest = iter(entries)
            self._open.append(here)
        elif key and not any(isinstance(line, Stored) for line in told):
            yield Job(key, partial(_open_folder, path), size=0)

    def _listed(self, here: _Folder, told: list[Skipped | Stored], follow: bool) -> list[_Entry]:
        """What is to be stored of a folder, in order; raises `CapsaError` if it cannot be listed."""
        try:
            descriptor = os.open(here.path, _LISTING if follow else _LISTING | os.O_NOFOLLOW)
        except OSError as error:
            raise from_os_error(error, f"{shown(here.path)} cannot be listed") from error
        try:
            with os.scandir(descriptor) as listing:
                names = {entry.name: entry for entry in listing}
            if (ignore := names.get(IGNORE_FILE)) is not None and not ignore.is_dir(follow_symlinks=False):
                here.rules = _with_file(here, descriptor, self._start)
            return sorted(_distinct(self._chosen(here, names.values(), told), here, told))
        except OSError as error:
            raise from_os_error(error, f"{shown(here.path)} cannot be listed") from error
        finally:
            os.close(descriptor)

    def _chosen(
        self, here: _Folder, listing: Iterable[os.DirEntry[str]], told: list[Skipped | Stored]
    ) -> Iterator[_Entry]:
        """What is neither excluded nor skipped."""
        for found in listing:
            is_folder = found.is_dir(follow_symlinks=False)
            name = found.name if found.name.isascii() else unicodedata.normalize("NFC", found.name)
            if here.rules.levels and here.rules.exclude(here.key_of(name)[self._start :], is_folder=is_folder):
                continue
            try:
                status = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone before anything was known of it
            except OSError as error:
                failure = from_os_error(error, f"{shown(here.path_of(found.name))} cannot be read")
                told.append(Stored(shown(here.key_of(found.name)), error=failure))
                continue
            if (what := self._reason(found.name, status)) is not None:
                told.append(Skipped(shown(here.key_of(found.name)), what))
                continue
            order = name + SEPARATOR if stat.S_ISDIR(status.st_mode) else name
            yield _Entry(order, found.name, status.st_mode, Stamp.of(status))

    def _reason(self, name: str, status: os.stat_result) -> str | None:
        """Why something is skipped; None if it is not."""
        if name.startswith(".") and name.endswith(PART_SUFFIX):
            return "part"
        if stat.S_ISDIR(status.st_mode):
            return "home" if (status.st_dev, status.st_ino) in self._homes else None
        return _SPECIAL.get(stat.S_IFMT(status.st_mode))


def shown(text: str) -> str:
    """A name of the file system as text that can be printed: bytes that are not UTF-8 as in `\\xff`."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _distinct(entries: Iterable[_Entry], here: _Folder, told: list[Skipped | Stored]) -> Iterable[_Entry]:
    """Of names that are one in normal form C, the one that is in it, else the first; the others are told."""
    everything = list(entries)
    foreign: dict[str, list[_Entry]] = {}
    for entry in everything:
        if not entry.name.isascii():
            foreign.setdefault(entry.order.removesuffix(SEPARATOR), []).append(entry)
    if not foreign:
        return everything
    for entry in everything:
        if entry.name.isascii() and entry.name in foreign:  # the Kelvin sign's normal form is the letter K
            foreign[entry.name].append(entry)
    clashing: set[str] = set()
    for name, entries_of_name in foreign.items():
        kept, *others = sorted(entries_of_name, key=lambda entry: (entry.name != name, entry.name))
        for other in others:
            clashing.add(other.name)
            told.append(Stored(shown(here.key_of(other.name)), error=_clash(other.name, kept.name)))
    return [entry for entry in everything if entry.name not in clashing]


def _job(path: str, key: str, entry: _Entry) -> Job:
    if stat.S_ISLNK(entry.mode):
        return Job(key, partial(_open_link, path), size=0)
    return Job(key, partial(_open_file, path), size=entry.stamp.size, stamp=entry.stamp)


def _fault(key: str, name: str) -> UsageError | None:
    """Why something cannot be stored under this key; None if it can. Most names are plain, which is seen fast."""
    if key.isascii() and key.isprintable() and len(key) <= KEY_SIZE_MAX and len(name) <= NAME_SIZE_MAX:
        return None
    try:
        check_put_key(key)
    except UsageError as error:
        return UsageError(error.message, "Rename it, or exclude it.")
    return None


def _clash(name: str, twin: str) -> RefusedError:
    """Both look alike, so they are told with their characters' numbers."""
    return RefusedError(
        f"The name {name!a} differs from {twin!a}, which is stored, only in how Unicode writes it.",
        "Rename one of them.",
    )


def _with_file(here: _Folder, descriptor: int, start: int) -> Rules:
    """The rules within a folder that has a `.capsaignore`; `UsageError` if nobody can tell what it says."""
    where = shown(here.path_of(IGNORE_FILE))
    try:
        with os.fdopen(os.open(IGNORE_FILE, _READING, dir_fd=descriptor), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{where} is not a file.", "Rename it: the name is for a list of what to leave out.")
            content = file.read(IGNORE_SIZE_MAX + 1)
    except OSError as error:
        raise from_os_error(error, f"{where} cannot be read") from error
    return here.rules.within(here.key[start:], content, where)


def _open_file(path: str) -> FileSource:
    return FileSource(Path(path), follow=False)


def _open_link(path: str) -> LinkSource:
    return LinkSource(Path(path))


def _open_folder(path: str) -> FolderSource:
    return FolderSource(Path(path))
