"""Refilling: a node that opened empty takes back, from the others, what it should hold.

It asks each member for the claim parts there, and fetches the blocks of which it is the home or a pick. A node
that is new to the network takes its share in the same way.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

from capsa.core.claims import ClaimPart
from capsa.core.ids import BlockId, ClaimId, NodeId
from capsa.core.messages import LIST_MAX, GetPart, Inventory, Parts
from capsa.errors import (
    CapsaError,
    IntegrityError,
    NoSpaceError,
    NotFoundError,
    ProtocolError,
    UnreachableError,
)
from capsa.net.session import Session
from capsa.node.fetching import Fetcher
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.placement import Placement
from capsa.node.settings import NodeConfig
from capsa.node.state import State
from capsa.seams import Lane, Workers
from capsa.stores.base import BlockStore

_log = logging.getLogger(__name__)
UNDER_WAY = "refilling"
"""Under which the state notes, while it is not empty, that a refill was begun."""
_AT_ONCE = 4
_DAMAGED_MAX = 64
"""Claims that a node may list and not have; with more of them it is not worth asking on."""


class Refiller:
    """Brings an empty store back to what it should hold, however often it is interrupted."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        store: BlockStore,
        guests: BlockStore,
        state: State,
        members: Members,
        links: Links,
        placement: Placement,
        fetcher: Fetcher,
        workers: Workers,
    ) -> None:
        self._config = config
        self._store = store
        self._guests = guests
        self._state = state
        self._members = members
        self._links = links
        self._placement = placement
        self._fetcher = fetcher
        self._workers = workers

    async def run(self) -> None:
        """Refill if the store opened empty, or an earlier refill was cut short; then return."""
        while True:
            try:
                return await self._refill()
            except CapsaError as error:
                _log.warning("refilling stopped, and will go on: %s", error.message)
            await asyncio.sleep(self._config.timing.settle)

    async def _refill(self) -> None:
        under_way = await self._workers.run(Lane.DISK, self._state.value, UNDER_WAY)
        if not under_way and (await self._store.stats()).blocks:
            return
        await self._workers.run(Lane.DISK, self._state.set_value, UNDER_WAY, b"yes")
        asked: set[NodeId] = set()
        pause = self._config.timing.dial_retry
        while not asked or not asked >= set(self._links.reachable() & set(self._members.others())):
            for node in self._links.connected():
                if node not in asked:
                    if await self._take_from(node):
                        asked.add(node)
                    else:
                        pause = min(2 * pause, self._config.timing.dial_retry_max)
            await asyncio.sleep(pause)
        await self._workers.run(Lane.DISK, self._state.set_value, UNDER_WAY, b"")

    async def _take_from(self, node: NodeId) -> bool:
        """All parts that a member has and we lack, with their blocks; whether nothing is left to ask it for.

        A part that lacks blocks which only an absent node may have is left for another time; the rest is taken.
        """
        whole = True
        damaged = 0
        try:
            session = await self._links.session(node)
            known = set(await self._store.parts())
            after = b""
            while True:
                reply = await session.call(Inventory(after), timeout=self._config.timing.ask)
                if not isinstance(reply.body, Parts):
                    raise ProtocolError("A node answered a question for its claims with something else.")
                if any(one >= other for one, other in pairwise((after, *reply.body.digests))):
                    raise ProtocolError("A node lists its claims out of order: the list might never end.")
                for digest in reply.body.digests:
                    if digest in known:
                        continue
                    try:
                        whole &= await self._take_part(session, digest)
                    except (IntegrityError, NotFoundError) as error:  # others may have it, and this node has others
                        damaged += 1
                        if damaged > _DAMAGED_MAX:
                            raise
                        _log.info("node %s could not give a claim: %s", node.hex()[:8], error.message)
                if len(reply.body.digests) < LIST_MAX:
                    return whole
                after = reply.body.digests[-1]
        except CapsaError as error:
            _log.info("node %s could not be asked for its claims: %s", node.hex()[:8], error.message)
            return isinstance(error, NoSpaceError)

    async def _take_part(self, session: Session, digest: bytes) -> bool:
        """One part, and those of its blocks that belong here; false if some of them cannot be had for now."""
        reply = await session.call(GetPart(digest), timeout=self._config.timing.ask)
        part = ClaimPart.parse(reply.payload, self._config.network)
        if part.digest != digest or not self._members.roster.is_member(part.owner):
            raise ProtocolError("A node gave another claim part than it was asked for.")
        mine = part.home == self._config.node
        store = self._store if mine else self._guests
        wanted = [
            (block, item.claim)
            for block, _, item in part.blocks
            if mine or self._placement.should_hold(self._config.node, block, item.copies, part.home)
        ]
        if not wanted:
            return True
        missing = set(await self._store.missing([block for block, _ in wanted]))
        slots = asyncio.Semaphore(_AT_ONCE)
        unreachable = 0

        async def take(block: BlockId, claim: ClaimId) -> None:
            nonlocal unreachable
            async with slots:
                try:
                    await store.put(claim, [(block, await self._fetcher.fetch_remote(block))])
                except NotFoundError:
                    _log.info("a block that this node should hold is nowhere to be found")
                except UnreachableError:
                    unreachable += 1

        try:
            async with asyncio.TaskGroup() as group:
                for block, claim in wanted:
                    if block in missing:
                        missing.discard(block)
                        group.create_task(take(block, claim))
        except ExceptionGroup as errors:
            raise next((error for error in errors.exceptions if isinstance(error, CapsaError)), errors) from None
        if unreachable:
            _log.info("%d blocks that this node should hold cannot be had for now", unreachable)
            return False
        await store.claim(part)
        return True
