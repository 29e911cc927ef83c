"""Versions of one key: how they are numbered, by which id each goes, and which one is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from capsa.core.catalog.entries import VersionEntry
from capsa.core.catalog.view import KeyView
from capsa.core.encoding import encode
from capsa.core.ids import format_id
from capsa.errors import NotFoundError, UsageError

ID_LENGTH_MIN: Final = 10
"""Characters of an id that name a version; fewer could be taken for a number, or fit two."""
_NUMBER_LENGTH_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class Numbered:
    """A version that can be fetched, and its number."""

    number: int
    version: VersionEntry


def version_id(version: VersionEntry) -> str:
    """What names a version for good, 26 characters: its claim's id, which is never given twice."""
    return format_id(version.claim)


def number_versions(view: KeyView) -> list[Numbered]:
    """The versions of a key that are not removed, newest first, with their numbers.

    The oldest that this home knows of is 1. Removed ones count as well, so that a removal renames none; a version that
    another device added long ago, and that only now becomes known here, takes its place in between all the same.
    """
    order = {entry: place for place, entry in enumerate(_oldest_first(view), start=1)}
    return [Numbered(order[version], version) for version in view.versions]


def pick(view: KeyView, wanted: str | None) -> VersionEntry:
    """The version that `wanted` names: a number as `number_versions` gives it, an id or its beginning; None: current.

    Raises `NotFoundError` if there is none, or it was removed, and `UsageError` on what names no version at all.
    """
    if wanted is None:
        if view.current is None:
            raise NotFoundError(f"Nothing is stored under {view.key}.", "See 'capsa ls' for what is.")
        return view.current
    if not _is_number(wanted) and len(wanted) < ID_LENGTH_MIN:
        raise UsageError(
            f"{wanted!r} names no version.",
            f"Give a number, or {ID_LENGTH_MIN} characters of an id or more, as {_history(view)} prints them.",
        )
    named = [entry for place, entry in enumerate(_oldest_first(view), start=1) if _is_named(entry, place, wanted)]
    present = [entry for entry in named if entry in view.versions]
    if not present:
        what = "was removed" if named else "is not there"
        raise NotFoundError(f"Version {wanted} of {view.key} {what}.", f"See {_history(view)} for those that are.")
    if len(present) > 1:
        raise UsageError(f"{wanted!r} names several versions of {view.key}.", "Give more of the id.")
    return present[0]


def _oldest_first(view: KeyView) -> list[VersionEntry]:
    return sorted((*view.versions, *view.removed), key=lambda entry: (entry.lamport, entry.dot, encode(entry)))


def _is_number(wanted: str) -> bool:
    return wanted.isascii() and wanted.isdecimal() and len(wanted) <= _NUMBER_LENGTH_MAX


def _is_named(entry: VersionEntry, place: int, wanted: str) -> bool:
    if _is_number(wanted):
        return int(wanted) == place
    return version_id(entry).startswith(wanted.lower())


def _history(view: KeyView) -> str:
    return f"'capsa history {view.key}'"
