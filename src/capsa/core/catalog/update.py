"""Adding entries to a tree: a new root and the few pages that changed; the old tree stays as it is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from capsa.core.catalog.entries import Entry, Order, check_entry, order_of
from capsa.core.catalog.pages import (
    PAGE_SIZE_MAX,
    Child,
    Inner,
    Leaf,
    NewPage,
    Page,
    PageRef,
    Place,
    Steps,
    fetch,
    fetch_root,
    page_size,
    places_in,
    seal_page,
)
from capsa.core.encoding import decode, encode
from capsa.core.ids import ClaimId
from capsa.errors import IntegrityError

PAGE_SIZE_MIN: Final = 1024
"""Bytes of encoding below which a page could not hold two children with keys of moderate length."""

_INNER_ITEMS_MIN: Final = 2

Item = TypeVar("Item", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Update:
    """What an insertion comes to.

    `pages` are to be stored, children before their parents; `replaced` are pages of the old tree that the new one
    does not need, whose claims may be released once the new pages are safe. `entries` counts the new tree's.
    """

    root: PageRef | None
    entries: int
    pages: tuple[NewPage, ...]
    replaced: tuple[PageRef, ...]


def insert(
    root: PageRef | None,
    entries: Sequence[Entry],
    *,
    secret: bytes,
    new_claim: Callable[[], ClaimId],
    page_size_max: int = PAGE_SIZE_MAX,
) -> Steps[Update]:
    """Add entries, in any order, to the tree at `root` (None when empty); each page is asked for at most once.

    Entries that are there already are left out, so a repeat changes nothing. `secret` is the owner's convergence
    key; `new_claim` gives each new page a claim id of its own; pages aim at `page_size_max` bytes. Raises
    `IntegrityError` if a dot under the same key names something else already, or if a page is not what it should
    be; `FormatError` on an entry that no reader would take.
    """
    assert PAGE_SIZE_MIN <= page_size_max <= PAGE_SIZE_MAX
    writer = _Writer(secret, new_claim, page_size_max)
    added = _merge((), entries)
    for entry in added:
        check_entry(decode(type(entry), encode(entry), size_max=PAGE_SIZE_MAX))  # its fields are bounded only here
    if root is None:
        children = writer.write_leaves(added)
    else:
        top = yield from fetch_root(root)
        kept = Child(*top.first, root, top.entries)
        children = yield from writer.insert_into(top, kept, None, added)
        if children == [kept]:
            return Update(root, top.entries, (), ())
    return writer.finish(children, top.height if root else 0)


class _Writer:
    """One insertion: what it has written, and what that replaces."""

    def __init__(self, secret: bytes, new_claim: Callable[[], ClaimId], page_size_max: int) -> None:
        self._secret = secret
        self._new_claim = new_claim
        self._page_size_max = page_size_max
        self._pages: list[NewPage] = []
        self._replaced: list[PageRef] = []

    def insert_into(
        self, page: Page, known_as: Child, below: Order | None, added: Sequence[Entry]
    ) -> Steps[list[Child]]:
        """What takes the place of a page: itself if nothing is new, else one or more pages of its height."""
        if isinstance(page, Leaf):
            merged = _merge(page.items, added)
            if len(merged) == len(page.items):
                return [known_as]
            self._replaced.append(known_as.page)
            return self.write_leaves(merged)
        children: list[Child] = []
        places = places_in(page, below)
        for place, share in zip(places, _shares(places, added), strict=True):
            if share:
                child = yield from fetch(place)
                children += yield from self.insert_into(child, place.child, place.below, share)
            else:
                children.append(place.child)
        if children == list(page.items):
            return [known_as]
        self._replaced.append(known_as.page)
        return self._write_inner(children, page.height)

    def write_leaves(self, entries: Sequence[Entry]) -> list[Child]:
        """New leaves for entries in order; none for none."""
        return [self._write(Leaf(tuple(group))) for group in _groups(entries, self._page_size_max, 1)]

    def finish(self, children: list[Child], height: int) -> Update:
        """Put levels on top of pages of `height` until one page is left: the root."""
        while len(children) > 1:
            height += 1
            children = self._write_inner(children, height)
        root = children[0].page if children else None
        entries = sum(child.entries for child in children)
        return Update(root, entries, tuple(self._pages), tuple(self._replaced))

    def _write_inner(self, children: Sequence[Child], height: int) -> list[Child]:
        groups = _groups(children, self._page_size_max, _INNER_ITEMS_MIN)
        return [self._write(Inner(height, tuple(group))) for group in groups]

    def _write(self, page: Page) -> Child:
        child, new = seal_page(page, self._secret, self._new_claim())
        self._pages.append(new)
        return child


def _merge(present: Sequence[Entry], added: Sequence[Entry]) -> list[Entry]:
    """Both, in order and once each."""
    merged = {order_of(entry): entry for entry in present}
    for entry in added:
        if merged.setdefault(order_of(entry), entry) != entry:
            raise IntegrityError("Two catalog entries bear the same name.", "This device's catalog has forked.")
    return [merged[order] for order in sorted(merged)]


def _shares(places: Sequence[Place], added: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries, which are in order, that belong at each place; what lies before the first belongs there too."""
    start = 0
    for place in places[1:]:
        end = bisect_left(added, place.child.first, lo=start, key=order_of)
        yield added[start:end]
        start = end
    yield added[start:]


def _groups(items: Sequence[Item], size_max: int, items_min: int) -> Iterator[Sequence[Item]]:
    """Cut items into pages: one if they fit, else even ones about three quarters full, with room for what comes.

    No item needs more than a quarter of a page of full size, so none outgrows it; smaller pages may be outgrown, by
    one item or by what keeps them, and the last, from having fewer than `items_min`.
    """
    sizes = [len(encode(item)) for item in items]
    if items and page_size(sum(sizes)) <= size_max:
        yield items
        return
    pages = -(-sum(sizes) // (size_max * 3 // 4))
    share = sum(sizes) / max(pages, 1)
    start, filled = 0, 0
    for index, size in enumerate(sizes):
        if filled >= share and index - start >= items_min and len(items) - index >= items_min:
            yield items[start:index]
            start, filled = index, 0
        filled += size
    if items:
        yield items[start:]
