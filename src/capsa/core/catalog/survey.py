"""Many keys at once: what a catalog says of each, by one walk that reads each page at most once, if it matters."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from capsa.core.catalog.entries import VersionEntry
from capsa.core.catalog.pages import PageRef, Steps
from capsa.core.catalog.reading import KeyRange
from capsa.core.catalog.view import KeyView, UnionCursor
from capsa.core.names import SEPARATOR, folders_of
from capsa.core.pages import Kind


class Standing(Struct, frozen=True):
    """What is to be known of a key before something is put there.

    `current` is the version that it holds; `above` a version, other than a folder, at one of the folders that it lies
    in; `below` a key that lies under it (not looked for where `current` is a file or link, which excludes it).
    """

    current: VersionEntry | None = None
    above: str | None = None
    below: str | None = None

    def clash(self, kind: Kind) -> str | None:
        """A key that keeps one of this kind from being added, or None: what is not a folder can hold no keys."""
        return self.above if self.above is not None or kind is Kind.FOLDER else self.below


def survey(roots: Iterable[PageRef | None], keys: Iterable[str]) -> Steps[dict[str, Standing]]:
    """How each key stands in the union of several trees. Raises as `Cursor.next_leaf`."""
    asked = set(keys)
    folders = {folder for key in asked for folder in folders_of(key)}
    ahead = _Ahead(roots)
    currents: dict[str, VersionEntry] = {}
    below: dict[str, str] = {}
    # No key ends with a separator, so one that does stands for whatever lies under it; all are met in order.
    for place in sorted(asked | folders | {key + SEPARATOR for key in asked}):
        if not place.endswith(SEPARATOR):
            view = yield from ahead.first_from(place)
            if view is not None and view.key == place and view.current is not None:
                currents[place] = view.current
        elif _may_hold_keys(currents.get(place[:-1])):
            view = yield from ahead.first_from(place)
            if view is not None and view.key.startswith(place):
                below[place[:-1]] = view.key
    barring = {folder for folder in folders if not _may_hold_keys(currents.get(folder))}
    return {key: Standing(currents.get(key), _first_of(key, barring), below.get(key)) for key in asked}


def _may_hold_keys(current: VersionEntry | None) -> bool:
    return current is None or current.kind is Kind.FOLDER


def _first_of(key: str, folders: set[str]) -> str | None:
    return next((folder for folder in folders_of(key) if folder in folders), None) if folders else None


class _Ahead:
    """A place in the union that only moves on: the key that it has come to, and what lies behind."""

    def __init__(self, roots: Iterable[PageRef | None]) -> None:
        self._cursor = UnionCursor(roots, KeyRange())
        self._view: KeyView | None = None
        self._ended = False

    def first_from(self, key: str) -> Steps[KeyView | None]:
        """The first key from this one on that has a version; `key` is not below any that was asked for before."""
        if self._view is not None and self._view.key >= key:
            return self._view
        self._cursor.skip_to(key)
        self._view = None
        while not self._ended and self._view is None:
            view = yield from self._cursor.next_key()
            self._ended = view is None
            if view is not None and view.current is not None:
                self._view = view
        return self._view
