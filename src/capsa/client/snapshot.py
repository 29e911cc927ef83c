"""The owner's catalog, read through the home's node: pages are fetched and opened here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from capsa.client.link import HomeLink
from capsa.core.catalog.pages import Page, PageRef, Steps, open_page
from capsa.core.catalog.reading import KeyRange
from capsa.core.catalog.survey import Standing, survey
from capsa.core.catalog.view import KeyView, UnionCursor, look_up
from capsa.core.commands import Heads, HeadsTold
from capsa.core.heads import Head, newest, open_root
from capsa.core.ids import BlockId, NetworkId, NodeId
from capsa.core.keys import OwnerKeys

PAGES_CACHED_MAX: Final = 128
"""A page in memory is some ten times its 64 KiB of encoding at the most."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose catalog, and from which device it is written."""

    keys: OwnerKeys
    network: NetworkId
    device: NodeId
    copies: int
    """The network's default, which catalog pages have whatever a put asks for."""


class Snapshot:
    """The catalog as the heads known to the home say it is; pages that were read are kept."""

    def __init__(self, link: HomeLink, owner: Owner, heads: Iterable[bytes], pages: dict[BlockId, Page]) -> None:
        self._link = link
        self._pages = pages
        self.heads = [Head.parse(head, owner.network) for head in heads]
        newest_heads = newest(head for head in self.heads if head.owner == owner.keys.owner)
        self.newest = {device: head for (_, device), head in newest_heads.items()}
        self.roots = {device: open_root(head, owner.keys) for device, head in self.newest.items()}
        self.entries = sum(head.entries for head in self.newest.values())
        self.lamport = max((head.lamport for head in self.newest.values()), default=0)

    async def drive(self, steps: Steps[T]) -> T:
        """Give a core generator the pages it asks for."""
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send(await self._page(wanted))
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _page(self, ref: PageRef) -> Page:
        if ref.id not in self._pages:
            while len(self._pages) >= PAGES_CACHED_MAX:
                del self._pages[next(iter(self._pages))]
            self._pages[ref.id] = open_page(ref, await self._link.fetch(ref.id))
        return self._pages[ref.id]

    async def look_up(self, key: str) -> KeyView:
        """All that is known of one key."""
        return await self.drive(look_up(self.roots.values(), key))

    async def scan(self, prefix: str = "") -> AsyncIterator[KeyView]:
        """The keys that begin with `prefix` and have a version, in order."""
        cursor = UnionCursor(self.roots.values(), KeyRange.under(prefix))
        while (view := await self.drive(cursor.next_key())) is not None:
            if view.versions:
                yield view

    async def survey(self, keys: Iterable[str]) -> dict[str, Standing]:
        """How each key stands, by one walk."""
        return await self.drive(survey(self.roots.values(), keys))


async def take_snapshot(link: HomeLink, owner: Owner, pages: dict[BlockId, Page] | None = None) -> Snapshot:
    """The catalog as it is now; `pages` are those that were read before, and are kept there."""
    told = await link.ask(Heads(), HeadsTold)
    return Snapshot(link, owner, told.heads, {} if pages is None else pages)
