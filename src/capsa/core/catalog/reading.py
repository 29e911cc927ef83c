"""Reading one tree: a range of keys, leaf by leaf, without touching pages outside it."""

from __future__ import annotations

from dataclasses import dataclass

from capsa.core.catalog.entries import Entry
from capsa.core.catalog.pages import Inner, PageRef, Place, Steps, fetch, fetch_root, places_in

_CHARACTER_LAST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys from `low` up to, but not including, `high` (None: to the end)."""

    low: str = ""
    high: str | None = None

    @classmethod
    def only(cls, key: str) -> KeyRange:
        """One key. No key has a control character, so none lies between this one and itself with a NUL behind."""
        return cls(key, key + "\0")

    @classmethod
    def under(cls, prefix: str) -> KeyRange:
        """All keys that begin with a text; `photos/` is a folder, `photos` also finds `photos2/a`."""
        stem = prefix.rstrip(_CHARACTER_LAST)
        return cls(prefix, stem[:-1] + chr(ord(stem[-1]) + 1) if stem else None)

    def after(self, key: str) -> KeyRange:
        """What of this range comes behind `key`: where an earlier reading continues."""
        return KeyRange(max(self.low, key + "\0"), self.high)

    def __contains__(self, key: str) -> bool:
        return self.low <= key and (self.high is None or key < self.high)


class Cursor:
    """A place in the tree at `root` (None when empty), moving through a range of keys in order."""

    def __init__(self, root: PageRef | None, keys: KeyRange) -> None:
        self._keys = keys
        self._ahead: list[Place | PageRef] = [] if root is None else [root]  # the next one last

    def next_leaf(self) -> Steps[tuple[Entry, ...]]:
        """The range's entries in the next leaf that has any, in order; empty at the end, and again then.

        Raises `IntegrityError` (`FormatError`) if a page is not what its parent says. A call that was given up, or
        that failed, may be repeated: it goes on where the last one that returned left off.
        """
        while self._ahead:
            place = self._ahead[-1]
            if isinstance(place, Place):
                page, below = (yield from fetch(place)), place.below
            else:
                page, below = (yield from fetch_root(place)), None
            self._ahead.pop()
            if isinstance(page, Inner):
                self._ahead += reversed([child for child in places_in(page, below) if self._may_hold(child)])
            elif found := tuple(entry for entry in page.items if entry.key in self._keys):
                return found
        return ()

    def skip_to(self, key: str) -> None:
        """Leave out what lies before `key`, as far as no leaf has it already."""
        self._keys = KeyRange(max(self._keys.low, key), self._keys.high)
        while self._ahead and isinstance(place := self._ahead[-1], Place) and not self._may_hold(place):
            self._ahead.pop()

    def _may_hold(self, place: Place) -> bool:
        starts_in_time = self._keys.high is None or place.child.key < self._keys.high
        return starts_in_time and (place.below is None or place.below[0] >= self._keys.low)


def lookup(root: PageRef | None, key: str) -> Steps[tuple[Entry, ...]]:
    """All entries of one key in the tree at `root`; raises as `Cursor.next_leaf`."""
    cursor = Cursor(root, KeyRange.only(key))
    found: list[Entry] = []
    while entries := (yield from cursor.next_leaf()):
        found += entries
    return tuple(found)
