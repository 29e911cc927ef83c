"""The nodes of a catalog's tree, and their one encoding.

Pages are framed, padded and sealed as a file's pages are (`capsa.core.pages`), under a label of their own. A leaf
holds entries; an inner page holds children, each with its first entry's place in the order, where it is and how to
open it, its claim, and how many entries lie below.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from capsa.core.catalog.entries import Claim, Dot, Order, RemovalEntry, VersionEntry, check_entry, order_of
from capsa.core.ids import BlockId, Buffer, ClaimId, block_id
from capsa.core.keys import Label
from capsa.core.pages import Id, Key, decode_page, encode_page
from capsa.core.sealing import seal, unseal
from capsa.errors import FormatError

VERSION: Final = 1
PAGE_SIZE_MAX: Final = 64 * 1024
"""Bytes of a page's plaintext; a writer may make smaller ones."""
HEIGHT_MAX: Final = 8
"""Levels above the leaves. A million entries need two."""

T = TypeVar("T")
Steps: TypeAlias = "Generator[PageRef, Page, T]"
"""Yields where a page is, is sent that page (`open_page`, which the driver may remember), returns a `T`."""


class PageRef(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a page is, the key that opens it (left out of the representation), and the claim that keeps it."""

    id: Id
    key: Key
    claim: Claim

    def __repr__(self) -> str:
        return f"PageRef(id={self.id.hex()}, claim={self.claim.hex()})"


class Child(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A page as its parent knows it: the key and dot of its first entry, and the number of entries below."""

    key: str
    dot: Dot
    page: PageRef
    entries: Annotated[int, Meta(ge=1, le=2**63 - 1)]

    @property
    def first(self) -> Order:
        return self.key, self.dot


class Leaf(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The lowest level: entries, strictly ascending."""

    items: Annotated[tuple[VersionEntry | RemovalEntry, ...], Meta(min_length=1)]

    @property
    def height(self) -> int:
        return 0

    @property
    def first(self) -> Order:
        return order_of(self.items[0])

    @property
    def entries(self) -> int:
        return len(self.items)


class Inner(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A level above: children of height - 1, strictly ascending."""

    height: Annotated[int, Meta(ge=1, le=HEIGHT_MAX)]
    items: Annotated[tuple[Child, ...], Meta(min_length=2)]

    @property
    def first(self) -> Order:
        return self.items[0].first

    @property
    def entries(self) -> int:
        return sum(child.entries for child in self.items)


Page: TypeAlias = Leaf | Inner


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    """What is encoded: the version of the format, and a page, whose tag says which of the two it is."""

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    page: Leaf | Inner


@dataclass(frozen=True, slots=True)
class NewPage:
    """A sealed page, to be stored under a claim of its own."""

    id: BlockId
    block: bytes = field(repr=False)
    claim: ClaimId


def page_size(items_size: int) -> int:
    """An upper bound of a page's plaintext before padding, given the encoding of its items, in bytes."""
    return items_size + 16


def parse_page(padded: Buffer) -> Page:
    """The page in an unsealed block; `FormatError` if it is not exactly what `seal_page` would have sealed."""
    page = decode_page(_Frame, padded, size_max=PAGE_SIZE_MAX).page
    if isinstance(page, Leaf):
        for entry in page.items:
            check_entry(entry)
    places = [order_of(item) if not isinstance(item, Child) else item.first for item in page.items]
    if any(a >= b for a, b in pairwise(places)):
        raise FormatError("A catalog page is not in order.")
    return page


def seal_page(page: Page, secret: bytes, claim: ClaimId) -> tuple[Child, NewPage]:
    """A page as a block, and as its parent is to know it. `secret` is the owner's convergence key."""
    plaintext = encode_page(_Frame(VERSION, page))
    assert len(plaintext) <= PAGE_SIZE_MAX
    block, key = seal(secret, Label.SEAL_CATALOG_PAGE, plaintext)
    new = NewPage(block_id(block), block, claim)
    first_key, first_dot = page.first
    return Child(first_key, first_dot, PageRef(new.id, key, claim), page.entries), new


def open_page(ref: PageRef, block: Buffer) -> Page:
    """The page in a block that was checked against `ref.id`; `IntegrityError` if it does not open or is no page."""
    return parse_page(unseal(ref.key, Label.SEAL_CATALOG_PAGE, block))


def fetch_root(ref: PageRef) -> Steps[Page]:
    """The page at the top of a tree."""
    page = yield ref
    return page


@dataclass(frozen=True, slots=True)
class Place:
    """A child, with all that its parent and their ancestors say of it: its height, and what it must stay below."""

    child: Child
    height: int
    below: Order | None


def places_in(parent: Inner, below: Order | None) -> list[Place]:
    """The children of an inner page that itself stays `below`."""
    bounds = [*(child.first for child in parent.items[1:]), below]
    return [Place(child, parent.height - 1, bound) for child, bound in zip(parent.items, bounds, strict=True)]


def fetch(place: Place) -> Steps[Page]:
    """The page at a place; raises as `fetch_root`, and `FormatError` if it is not the one that is described."""
    page = yield from fetch_root(place.child.page)
    last = order_of(page.items[-1]) if isinstance(page, Leaf) else page.items[-1].first
    described = (place.height, place.child.first, place.child.entries)
    if (page.height, page.first, page.entries) != described or (place.below is not None and last >= place.below):
        raise FormatError("A catalog page is not the one its parent describes.")
    return page
