"""In how many copies versions lie, as their home's node last knew; who holds what now is asked in `holdings`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from capsa.client.holdings import find_holdings
from capsa.client.link import HomeLink
from capsa.client.snapshot import Snapshot
from capsa.core.catalog.entries import VersionEntry
from capsa.core.commands import Copies, CopiesTold
from capsa.core.ids import NodeId
from capsa.core.pages import DEFAULT_SHAPE, Shape
from capsa.errors import IntegrityError, LostConnectionError, NotFoundError, UnreachableError, leading

BATCH_MAX: Final = 1024
"""Claims in one question."""
_PROVED_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """A version, and the least copies that any of its blocks has; both counts include the home's own."""

    version: VersionEntry
    durable: int
    wanted: int

    @property
    def short(self) -> bool:
        """Whether copies are missing."""
        return self.durable < self.wanted


async def ask_copies(link: HomeLink, versions: Sequence[VersionEntry]) -> list[Standing]:
    """How these versions stand, in their order. What the home's node knows of no shortfall of counts as complete."""
    standings: list[Standing] = []
    for start in range(0, len(versions), BATCH_MAX):
        batch = versions[start : start + BATCH_MAX]
        told = await link.ask(Copies(tuple(version.claim for version in batch)), CopiesTold)
        for version, durable, wanted in zip(batch, told.durable, told.wanted, strict=True):
            complete = version.copies + 1
            standings.append(Standing(version, *((durable, wanted) if wanted else (complete, complete))))
    return standings


async def prove_copies(link: HomeLink, version: VersionEntry, *, shape: Shape = DEFAULT_SHAPE) -> Standing:
    """How a version stands by what the members prove now: for one that another device added, and looks after.

    That device's own copy counts if it answers, and is not waited for if it does not: it may be lost for good.
    """
    holdings = await find_holdings(link, version.cap, shape=shape)
    own = 1 if holdings.holders.get(NodeId(version.dot.device)) else 0
    wanted = version.copies + own
    return Standing(version, min(holdings.least, wanted), wanted)


async def prove_each(link: HomeLink, versions: Sequence[VersionEntry], *, home: NodeId, shape: Shape) -> list[Standing]:
    """`prove_copies` of those of many that the home's node cannot be asked about; durable is 0 of what cannot be had.

    It can be of what the home itself put and still has: of the rest it may know nothing, or too much.
    """
    slots = asyncio.Semaphore(_PROVED_AT_ONCE)

    async def prove(version: VersionEntry) -> Standing | None:
        async with slots:
            try:
                if version.dot.device == home:
                    here = await find_holdings(link, version.cap, shape=shape, here_only=True)
                    if here.least:
                        return None
                return await prove_copies(link, version, shape=shape)
            except LostConnectionError:  # to the home's node, which says nothing of the file
                raise
            except (IntegrityError, NotFoundError, UnreachableError):
                return Standing(version, 0, version.copies + 1)

    try:
        async with asyncio.TaskGroup() as group:
            proofs = [group.create_task(prove(version)) for version in versions]
    except BaseExceptionGroup as errors:
        raise leading(errors) from None
    return [standing for proof in proofs if (standing := proof.result()) is not None]


async def find_standings(
    link: HomeLink, versions: Sequence[VersionEntry], *, home: NodeId, shape: Shape = DEFAULT_SHAPE
) -> list[Standing]:
    """How versions stand, in their order: the home's own as its node knows, those of other devices by proof."""
    own = [version for version in versions if version.dot.device == home]
    others = [version for version in versions if version.dot.device != home]
    found = [*await ask_copies(link, own), *await prove_each(link, others, home=home, shape=shape)]
    by_dot = {standing.version.dot: standing for standing in found}
    return [by_dot[version.dot] for version in versions]


async def find_short(link: HomeLink, snapshot: Snapshot) -> AsyncIterator[Standing]:
    """The versions of the whole catalog that are short as far as the home's node knows, in the order of their keys."""
    batch: list[VersionEntry] = []
    async for view in snapshot.scan():
        batch += view.versions
        if len(batch) >= BATCH_MAX:
            for standing in await ask_copies(link, batch):
                if standing.short:
                    yield standing
            batch.clear()
    for standing in await ask_copies(link, batch):
        if standing.short:
            yield standing
