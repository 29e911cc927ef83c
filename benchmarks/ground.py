"""The disk that stores and references share: it must be a real one, with room, and holds what is made here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.processes import FailedError

_MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}
MOUNTS = Path("/proc/self/mountinfo")
_BUFFER_SIZE = 1024 * 1024


def check(folder: Path, needed: int) -> None:
    """`FailedError` if the folder lies in memory, or its disk has less than `needed` bytes free."""
    kind = file_system_of(folder)
    if kind in _MEMORY_FILE_SYSTEMS:
        raise FailedError(f"{folder} lies in memory ({kind}), which syncs nothing: name a folder on a disk.")
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FailedError(f"{folder} has {free / 1e9:.0f} GB free, and {needed / 1e9:.0f} GB are needed.")


def file_system_of(folder: Path) -> str:
    """The type of the file system that a folder lies on."""
    found, depth = "", 0
    for line in MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        mount = Path(before.split()[4].encode().decode("unicode_escape"))  # spaces are written as \040
        if folder.resolve().is_relative_to(mount) and len(mount.parts) >= depth:  # a later mount covers an earlier one
            found, depth = after.split()[0], len(mount.parts)
    return found


def make_file(path: Path, size: int) -> None:
    """Write `size` random bytes, which stay in the page cache."""
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(os.urandom(min(left, _BUFFER_SIZE)))
        os.fsync(file.fileno())


def check_same(one: Path, other: Path, start: int = 0) -> None:
    """`FailedError` unless `other` holds just what `one` does from `start` on, up to the length of `other`."""
    with one.open("rb") as left, other.open("rb") as right:
        left.seek(start)
        while wrong := right.read(_BUFFER_SIZE):
            if wrong != left.read(len(wrong)):
                raise FailedError(f"{other} does not hold what was put.")
