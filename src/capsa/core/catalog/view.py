"""What an owner sees: the union of all devices' catalogs.

A version is visible if any catalog has it and none has a removal that names it. The current one of a key has the
highest (Lamport time, dot). The union does not depend on the order of the catalogs, nor on how often one is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from capsa.core.catalog.entries import Dot, Entry, RemovalEntry, VersionEntry
from capsa.core.catalog.pages import PageRef, Steps
from capsa.core.catalog.reading import Cursor, KeyRange
from capsa.core.encoding import encode


class KeyView(Struct, frozen=True):
    """One key's history. Both lists begin with the newest; `lamport` is the highest that any entry has."""

    key: str
    versions: tuple[VersionEntry, ...]
    removed: tuple[VersionEntry, ...]
    lamport: int

    @classmethod
    def of(cls, key: str, entries: Iterable[Entry]) -> KeyView:
        """The view of a key, given all catalogs' entries of it, in any order and as often as they come."""
        entries = tuple(entries)
        if len(entries) == 1 and isinstance(entries[0], VersionEntry):  # as nearly all keys have it
            return cls(key, (entries[0],), (), entries[0].lamport)
        ended: set[Dot] = set()
        versions: set[VersionEntry] = set()
        lamport = 0
        for entry in entries:
            assert entry.key == key
            lamport = max(lamport, entry.lamport)
            if isinstance(entry, RemovalEntry):
                ended.update(entry.removes)
            else:
                versions.add(entry)
        # Only a fork gives one dot to two versions; their bytes then keep the order the same everywhere.
        newest_first = sorted(versions, key=lambda entry: (entry.lamport, entry.dot, encode(entry)), reverse=True)
        return cls(
            key,
            versions=tuple(entry for entry in newest_first if entry.dot not in ended),
            removed=tuple(entry for entry in newest_first if entry.dot in ended),
            lamport=lamport,
        )

    @property
    def current(self) -> VersionEntry | None:
        """The version that a reader of the key gets; None if all were removed."""
        return self.versions[0] if self.versions else None


class UnionCursor:
    """A place in the union of several trees, moving through a range of keys in order."""

    def __init__(self, roots: Iterable[PageRef | None], keys: KeyRange) -> None:
        self._sources = [_Source(Cursor(root, keys)) for root in roots]

    def skip_to(self, key: str) -> None:
        """Leave out the keys before this one."""
        for source in self._sources:
            source.skip_to(key)

    def next_key(self) -> Steps[KeyView | None]:
        """The view of the next key that any tree has an entry of; None at the end. Raises as `Cursor.next_leaf`."""
        for source in self._sources:
            if not source.ahead:
                yield from source.fill()
        keys = [source.ahead[0].key for source in self._sources if source.ahead]
        if not keys:
            return None
        key = min(keys)
        entries: list[Entry] = []
        for source in self._sources:
            while source.ahead and source.ahead[0].key == key:
                entries.append(source.ahead.popleft())
                if not source.ahead:  # the rest of this key may be in the next leaf
                    yield from source.fill()
        return KeyView.of(key, entries)


class _Source:
    """One tree of a union: its cursor, and the entries that were read but not yet taken."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.ahead: deque[Entry] = deque()

    def skip_to(self, key: str) -> None:
        while self.ahead and self.ahead[0].key < key:
            self.ahead.popleft()
        if not self.ahead:
            self._cursor.skip_to(key)

    def fill(self) -> Steps[None]:
        self.ahead += yield from self._cursor.next_leaf()


def look_up(roots: Iterable[PageRef | None], key: str) -> Steps[KeyView]:
    """The view of one key over several trees; one without versions if none has it. Raises as `Cursor.next_leaf`."""
    found = yield from UnionCursor(roots, KeyRange.only(key)).next_key()
    return found or KeyView.of(key, ())
