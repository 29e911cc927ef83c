"""What may follow the beginning of a key, up to the next slash: for whoever completes keys as they are typed."""

from __future__ import annotations

from collections.abc import Iterable

from capsa.core.catalog.pages import PageRef, Steps
from capsa.core.catalog.reading import KeyRange
from capsa.core.catalog.view import UnionCursor
from capsa.core.names import SEPARATOR


class Siblings:
    """The keys that begin with `prefix`, in order; those beyond a further slash as their folder, once.

    What lies in such a folder is leapt over, not read: the answer costs by its own length, not by the catalog's.
    """

    def __init__(self, roots: Iterable[PageRef | None], prefix: str) -> None:
        self._roots = tuple(roots)
        self._prefix = prefix
        self._high = KeyRange.under(prefix).high
        self._cursor = UnionCursor(self._roots, KeyRange.under(prefix))

    def next_name(self) -> Steps[str | None]:
        """The next key or, ending in a slash, folder; None at the end. Raises as `UnionCursor.next_key`."""
        while (view := (yield from self._cursor.next_key())) is not None:
            if not view.versions:
                continue
            name, slash, _ = view.key[len(self._prefix) :].partition(SEPARATOR)
            found = self._prefix + name + slash
            if slash:
                beyond = KeyRange.under(found).high
                assert beyond is not None  # a slash is not the last character that there is
                self._cursor = UnionCursor(self._roots, KeyRange(beyond, self._high))
            return found
        return None
