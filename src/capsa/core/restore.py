"""Where what is stored comes to lie when it is fetched: which path a key gets, and whether a link may be made.

Keys and links may come from an evil catalog. What is decided here is lexical; that no part of a path is a link on the
disk is seen to by whoever opens the folders, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from capsa.core.names import SEPARATOR, check_key
from capsa.errors import RefusedError

PART_SUFFIX: Final = ".capsa-part"
"""How the name of a file ends that is being fetched; it begins with a dot."""

_HERE: Final = "."
_ABOVE: Final = ".."
_ALL: Final = ("", _HERE, _HERE + SEPARATOR)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key's file lies below the target folder: the folders on the way, its own name.

    The first `inside` of the folders lead to the restored folder, which no link may leave.
    """

    folders: tuple[str, ...]
    name: str
    inside: int

    def __str__(self) -> str:
        return SEPARATOR.join((*self.folders, self.name))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user wants to have: the file of one key and all that lies under it; everything, if that is empty."""

    key: str

    @classmethod
    def of(cls, text: str) -> Selection:
        """What was typed: a key, with or without a slash behind it, or `.` for everything; `UsageError`."""
        return cls("" if text in _ALL else check_key(text.removesuffix(SEPARATOR)))

    @property
    def prefix(self) -> str:
        """What the keys under it begin with."""
        return self.key + SEPARATOR if self.key else ""

    def place(self, key: str) -> Place:
        """Where a key of the selection comes to lie: as `put -r` found it, beside what else its parent has.

        Raises `RefusedError` if a part is no name of a file, or that of a file being fetched.
        """
        assert key == self.key or key.startswith(self.prefix)
        above = self.key.count(SEPARATOR)
        parts = tuple(key.split(SEPARATOR)[above:])
        for part in parts:
            if part in ("", _HERE, _ABOVE) or "\0" in part:
                raise RefusedError(f"{key} is no path within a folder.", "Fetch it alone, with get and -o.")
            if part.startswith(".") and part.endswith(PART_SUFFIX):
                raise RefusedError(f"{key} has the name of a file being fetched.", "Fetch it alone, with get and -o.")
        return Place(parts[:-1], parts[-1], int(bool(self.key) and key != self.key))


def check_link(place: Place, target: str) -> None:
    """Raise `RefusedError` unless a link at `place` leads to somewhere within the restored folder.

    Only what cannot lead elsewhere whatever lies on the way is good: a relative target that first goes up, no further
    than the restored folder, and then only down. `..` behind a name would depend on where that name leads.
    """
    if target.startswith(SEPARATOR):
        raise _leads_out(place, target)
    parts = [part for part in target.split(SEPARATOR) if part not in ("", _HERE)]
    up = next((index for index, part in enumerate(parts) if part != _ABOVE), len(parts))
    if up > len(place.folders) - place.inside or _ABOVE in parts[up:]:
        raise _leads_out(place, target)


def _leads_out(place: Place, target: str) -> RefusedError:
    return RefusedError(
        f"{place} is a link to {target}, which may lead out of the restored folder.",
        "It is not made; make it yourself if you trust it.",
    )
