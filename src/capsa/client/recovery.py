"""Recovering: what a new device of an owner learns from the others, and which catalogs it can read by that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from capsa.client.link import HomeLink
from capsa.client.snapshot import Owner, Snapshot
from capsa.core.catalog.pages import Page
from capsa.core.commands import Done, FallBack, HearAll, HeardAll
from capsa.core.heads import Head
from capsa.core.ids import BlockId, NodeId
from capsa.errors import IntegrityError, NotFoundError, UnreachableError

ANSWERS_WANTED: Final = 3
"""With fewer members that answer, those few could keep the newest catalogs to themselves."""
_LOST: Final = (IntegrityError, NotFoundError, UnreachableError)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came back.

    `answered` counts the owners that did, of `others` there are; `keys` the keys that can be read. Of the devices in
    `fallen_back` an earlier catalog is read, since the newest cannot be had; of those in `unreadable` none can;
    of those in `behind` a newer one was made than anybody who answered knows.
    """

    answered: int
    others: int
    keys: int
    fallen_back: tuple[NodeId, ...]
    unreadable: tuple[NodeId, ...]
    behind: tuple[NodeId, ...]


async def recover(link: HomeLink, owner: Owner) -> Recovered:
    """Ask all members that can be reached, and read the newest catalogs; where one cannot be had, the one before.

    A repeat asks again, and may find more. This home's own catalog is never read from an earlier head: what it adds
    next would be built on that.
    """
    heard = await link.ask(HearAll(), HeardAll)
    pages: dict[BlockId, Page] = {}
    used: list[Head] = []
    fallen_back: list[NodeId] = []
    unreadable: list[NodeId] = []
    for line in heard.heads:
        head = Head.parse(line.newest, owner.network)
        if await _can_read(link, owner, head, pages):
            used.append(head)
            continue
        complete = Head.parse(line.complete, owner.network) if line.complete else None
        own = head.device == owner.device
        if own or complete is None or not await _can_read(link, owner, complete, pages):
            unreadable.append(head.device)
            continue
        await link.ask(FallBack(head.digest, complete.digest), Done)
        used.append(complete)
        fallen_back.append(head.device)
    return Recovered(
        answered=len(heard.answered),
        others=heard.others,
        keys=await _count_keys(Snapshot(link, owner, [head.signed for head in used], pages)),
        fallen_back=tuple(fallen_back),
        unreadable=tuple(unreadable),
        behind=tuple(NodeId(line.device) for line in heard.behind),
    )


async def _can_read(link: HomeLink, owner: Owner, head: Head, pages: dict[BlockId, Page]) -> bool:
    """Whether every page of a catalog can be had."""
    try:
        await _count_keys(Snapshot(link, owner, [head.signed], pages))
    except _LOST:
        return False
    return True


async def _count_keys(snapshot: Snapshot) -> int:
    count = 0
    async for _ in snapshot.scan():
        count += 1
    return count
