"""Reading a block: from here, or from its holders in the order of placement, or from whoever has it.

`Find` is the broadcast of last resort: it reaches holders that nobody can compute, such as the home that put a
block, or a node that took it while a pick was away (docs/decisions/0001).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from capsa.core.ids import CLAIM_ID_SIZE, BlockId, Buffer, ClaimId, NodeId, block_id
from capsa.core.messages import Find, Found, Get, Got
from capsa.errors import (
    CapsaError,
    DeadlineError,
    DiskError,
    IntegrityError,
    NoSpaceError,
    NotFoundError,
    UnreachableError,
)
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.placement import Placement
from capsa.node.settings import Timing
from capsa.node.transfers import Transfers
from capsa.stores.base import BlockStore

_AT_ONCE = 2
_NO_CLAIM = ClaimId(bytes(CLAIM_ID_SIZE))
_log = logging.getLogger(__name__)


class Fetcher:
    """Finds blocks. Every byte that comes from a peer is checked against the block's id."""

    def __init__(
        self,
        store: BlockStore,
        members: Members,
        links: Links,
        placement: Placement,
        transfers: Transfers,
        timing: Timing,
    ) -> None:
        self._store = store
        self._members = members
        self._links = links
        self._placement = placement
        self._transfers = transfers
        self._timing = timing

    async def fetch(self, block: BlockId) -> Buffer:
        """The block's bytes, from this store if it has them.

        A copy here that has rotted is replaced. Raises `NotFoundError` when everybody was asked
        and nobody has it, `UnreachableError` when somebody who may have it could not be asked.
        """
        try:
            return await self._store.get(block)
        except NotFoundError:
            return await self.fetch_remote(block)
        except IntegrityError:
            found = await self.fetch_remote(block)
            try:
                await self._store.put(_NO_CLAIM, [(block, found)])  # the part that claims it is still here
            except (NoSpaceError, DiskError) as error:
                _log.warning("a copy here that has rotted could not be replaced: %s", error.message)
            return found

    async def fetch_remote(self, block: BlockId) -> Buffer:
        """The block's bytes from another node; raises as `fetch`."""
        nodes = self._placement.readers(block)
        found = await self._get_first(nodes, block)
        if found is None:
            found = await self._get_first(await self._find(block, set(nodes)), block)
        if found is not None:
            return found
        silent = len(set(self._members.others()) - set(self._links.connected()))
        if silent:
            raise UnreachableError(
                f"A block is on none of the nodes that answer; {silent} of the network's nodes could not be asked.",
                "Try again when more of them are up.",
            )
        raise NotFoundError("No node of the network has a block that is needed.")

    async def _get_first(self, nodes: Sequence[NodeId], block: BlockId) -> Buffer | None:
        """The block from the first of these nodes that has it; None if none has.

        They are asked in order, the next one when one fails, or is silent for `hedge` seconds. No more than
        `_AT_ONCE` are asked at once: where our own line is slow, all seem silent.
        """
        left = iter(nodes)
        asked: dict[asyncio.Task[Buffer | None], NodeId] = {}
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    node = next(left, None) if len(asked) < _AT_ONCE else None
                    if node is not None:
                        asked[group.create_task(self._get(node, block))] = node
                    if not asked:
                        return None
                    patience = self._timing.hedge if len(asked) < _AT_ONCE else None
                    done, _ = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        node = asked.pop(task)
                        if (found := task.result()) is not None:
                            for outrun in asked.values():
                                if nodes.index(outrun) < nodes.index(node):
                                    self._links.distrust(outrun)  # the next block is not to wait for it again
                            return found
            finally:
                for task in asked:
                    task.cancel()

    async def _get(self, node: NodeId, block: BlockId) -> Buffer | None:
        """The block from one node; None if it has no right bytes to give."""
        try:
            session = await self._links.session(node)
            with self._transfers.asking(node):
                reply = await session.call(Get(block), timeout=self._timing.transfer)
        except NotFoundError:
            return None
        except DeadlineError:
            _log.info("node %s was silent when asked for a block", node.hex()[:8])
            self._links.distrust(node)
            return None
        except CapsaError as error:
            _log.info("node %s did not give a block: %s", node.hex()[:8], error.message)
            return None
        if isinstance(reply.body, Got) and block_id(reply.payload) == block:
            self._transfers.fetched(node, len(reply.payload))
            return reply.payload
        _log.warning("node %s gave wrong bytes for a block: dropped", node.hex()[:8])
        self._links.distrust(node)
        session.close()
        return None

    async def _find(self, block: BlockId, asked: set[NodeId]) -> Sequence[NodeId]:
        """Who says that they have it, among those that were not asked yet."""
        finders: list[NodeId] = []

        async def ask(node: NodeId) -> None:
            try:
                session = await self._links.session(node)
                reply = await session.call(Find((block,)), timeout=self._timing.ask)
            except CapsaError:
                return
            if isinstance(reply.body, Found) and reply.body.indexes:
                finders.append(node)

        async with asyncio.TaskGroup() as group:
            for node in self._members.others():
                if node not in asked:
                    group.create_task(ask(node))
        return finders
