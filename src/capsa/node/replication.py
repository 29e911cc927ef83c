"""Copies on other nodes: sent while a put streams, confirmed by receipts, completed later where they fell short.

`spread` sends blocks ahead of their claim part; `settle` collects receipts for a part and sends what a holder
lacks, nothing else; `run` returns to the parts that were left short, and hands releases to those who were away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from capsa.core.claims import ClaimPart, ReleaseNote, check_receipt
from capsa.core.ids import BlockId, Buffer, ClaimId, NodeId
from capsa.core.messages import LIST_MAX, PAYLOAD_SIZE_MAX, Claim, Claimed, Put, Release
from capsa.core.replication import Copies, count_copies, plan
from capsa.errors import (
    CapsaError,
    DeadlineError,
    IntegrityError,
    LostConnectionError,
    NotFoundError,
    ProtocolError,
    leading,
)
from capsa.net.session import Session
from capsa.node.fetching import Fetcher
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.placement import Placement
from capsa.node.settings import NodeConfig
from capsa.node.state import ShortClaim, State
from capsa.node.transfers import Transfers
from capsa.seams import Entropy, Lane, Workers
from capsa.stores.base import BlockStore

_log = logging.getLogger(__name__)
NONCE_SIZE = 16
SILENCE_TRANSFERS = 2
"""How long a node that let us wait in vain gets nothing new, in times of what a transfer may take."""

Holders: TypeAlias = dict[int, set[NodeId]]
"""Nodes that gave a receipt, by the index of the block in its part."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One block of a part, and its place there."""

    index: int
    block: BlockId
    size: int
    claim: ClaimId

    @classmethod
    def of(cls, part: ClaimPart, index: int) -> _Piece:
        block, size, item = part.blocks[index]
        return cls(index, block, size, item.claim)


class Replicator:
    """Brings blocks to their holders."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        store: BlockStore,
        state: State,
        members: Members,
        links: Links,
        placement: Placement,
        fetcher: Fetcher,
        transfers: Transfers,
        workers: Workers,
        entropy: Entropy,
    ) -> None:
        self._config = config
        self._store = store
        self._state = state
        self._members = members
        self._links = links
        self._placement = placement
        self._fetcher = fetcher
        self._transfers = transfers
        self._workers = workers
        self._entropy = entropy
        self._wake = asyncio.Event()
        self._settling: set[bytes] = set()
        self._asked: dict[bytes, set[NodeId]] = {}
        """Of each short part: the nodes that were there when it was looked at, and did not fail."""
        self._gave: dict[bytes, set[NodeId]] = {}
        """Of each short part: the nodes that gave a receipt for any of it. They are asked again, were they full now."""
        self._silent: dict[NodeId, float] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._on_their_way: dict[BlockId, asyncio.Future[None]] = {}

    def wake(self) -> None:
        """Somebody came back: look again at what is short."""
        self._wake.set()

    # --- while a put streams

    def new(self, missing: Collection[BlockId]) -> set[BlockId]:
        """Those of the blocks missing here that are not on their way already, for a command that was interrupted."""
        return {block for block in missing if block not in self._on_their_way}

    async def keep(
        self,
        claim: ClaimId,
        copies: int,
        blocks: Sequence[tuple[BlockId, Buffer]],
        new: Sequence[tuple[BlockId, Buffer]],
    ) -> None:
        """Store blocks here, pending under `claim`, and send the new ones to their picks at the same time.

        Goes on to its end when the caller is cancelled, so that what was sent is never here unknown.
        """
        if self._tasks is None:  # `run` owns what is on its way
            raise LostConnectionError("This node is stopping.", "Run the command again.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for block, _ in new:
            self._on_their_way[block] = done
        self._tasks.create_task(self._carry(done, claim, copies, blocks, new))
        await self._arrived(block for block, _ in blocks)
        await asyncio.shield(done)

    async def _carry(
        self,
        done: asyncio.Future[None],
        claim: ClaimId,
        copies: int,
        blocks: Sequence[tuple[BlockId, Buffer]],
        new: Sequence[tuple[BlockId, Buffer]],
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_here(claim, blocks))
                group.create_task(self.spread(claim, copies, new))
        except ExceptionGroup as errors:
            done.set_exception(leading(errors))
            done.exception()  # looked at, whether or not the caller still waits
        else:
            done.set_result(None)
        finally:
            for block, _ in new:
                if self._on_their_way.get(block) is done:
                    del self._on_their_way[block]

    async def _keep_here(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        with self._transfers.copying(self._config.node, blocks):
            await self._store.put(claim, blocks)

    async def _arrived(self, blocks: Iterable[BlockId]) -> None:
        """Wait for those blocks that are on their way, however that ends."""
        if awaited := {self._on_their_way[block] for block in blocks if block in self._on_their_way}:
            await asyncio.wait(awaited)

    async def spread(self, claim: ClaimId, copies: int, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        """Send blocks to their picks, pending under `claim`. Failures are left to `settle`."""
        loads: defaultdict[NodeId, list[tuple[BlockId, Buffer]]] = defaultdict(list)
        willing = self._willing()
        for block, data in blocks:
            preferred = self._placement.preferences(block, self._config.node)
            for node in [node for node in preferred if node in willing][:copies]:
                loads[node].append((block, data))
        async with asyncio.TaskGroup() as group:
            for node, load in loads.items():
                group.create_task(self._send_quietly(node, claim, load))

    async def _send_quietly(self, node: NodeId, claim: ClaimId, load: Sequence[tuple[BlockId, Buffer]]) -> None:
        try:
            await self._send(await self._links.session(node), claim, load)
        except CapsaError as error:
            self._notice_silence(node, error)
            _log.info("blocks did not reach node %s: %s", node.hex()[:8], error.message)

    def _notice_silence(self, node: NodeId, error: CapsaError) -> None:
        """Whoever let us wait in vain is passed over for a while: all that follows would wait for it again."""
        if isinstance(error, DeadlineError):
            self._silent[node] = asyncio.get_running_loop().time() + SILENCE_TRANSFERS * self._config.timing.transfer

    def _willing(self) -> set[NodeId]:
        """Nodes that can be reached, and did not let us wait in vain lately."""
        now = asyncio.get_running_loop().time()
        return {node for node in self._links.reachable() if self._silent.get(node, 0.0) <= now}

    async def _send(self, session: Session, claim: ClaimId, load: Sequence[tuple[BlockId, Buffer]]) -> None:
        ids, sizes = tuple(block for block, _ in load), tuple(len(data) for _, data in load)
        payload = [data for _, data in load]
        with self._transfers.copying(session.peer.node, load):
            await session.call(Put(claim, ids, sizes), payload, timeout=self._config.timing.transfer)

    # --- when a part is signed

    async def settle(self, part: ClaimPart) -> list[int]:
        """Bring a part and its blocks to all wanted holders; durable copies of each item, the home counted.

        The part is in this store already. What stays short is remembered and taken up by `run`.
        """
        self._settling.add(part.digest)
        try:
            await self._arrived(block for block, _, _ in part.blocks)
            items = [ShortClaim(item.claim, 1, item.copies + 1) for item in part.items]
            await self._workers.run(Lane.DISK, self._state.mark_short, part.digest, items)
            copies = await self._settle(part, dict.fromkeys(item.claim for item in part.items))
            return [min(copies[item.claim].durable, item.copies + 1) for item in part.items]
        finally:
            self._settling.discard(part.digest)

    async def settle_later(self, part: ClaimPart) -> list[int]:
        """Leave a part, which is in this store already, to `run`, also of a later start; the copies there are now."""
        items = [ShortClaim(item.claim, 1, item.copies + 1) for item in part.items if item.copies]
        await self._workers.run(Lane.DISK, self._state.mark_short, part.digest, items)
        self.wake()
        return [1] * len(part.items)

    async def _settle(self, part: ClaimPart, claims: Collection[ClaimId]) -> dict[ClaimId, Copies]:
        """Bring the blocks of these claims of a part to their holders, and remember which of them stay short."""
        there, failed = self._placement.takers(), set[NodeId]()
        holders = await self._confirm(part, claims, failed)
        copies = count_copies(part, holders, home_holds=True)
        short = [ShortClaim(claim, copies[claim].durable, copies[claim].wanted) for claim in claims]
        short = [line for line in short if line.durable < line.wanted]
        await self._workers.run(Lane.DISK, self._state.settle, part.digest, short)
        self._asked[part.digest] = (there - failed) & self._willing()
        self._gave[part.digest] = self._gave.get(part.digest, set()).union(*holders.values())
        return copies

    async def _confirm(self, part: ClaimPart, claims: Container[ClaimId], failed: set[NodeId]) -> Holders:
        """Ask until every block has the receipts it wants, or nobody is left to ask; the holders of each block."""
        holders: Holders = {index: set() for index in range(len(part.blocks))}
        gave = self._gave.get(part.digest, set())
        while True:
            preferences = [
                self._placement.preferences(block, part.home, holders[index] | gave) if item.claim in claims else ()
                for index, (block, _, item) in enumerate(part.blocks)
            ]
            reachable = self._willing() - failed
            pushes = plan(part, preferences=preferences, holders=holders, reachable=reachable)
            if not pushes:
                return holders
            async with asyncio.TaskGroup() as group:
                for push in pushes:
                    pieces = [_Piece.of(part, index) for index in push.indexes]
                    group.create_task(self._ask(push.node, part, pieces, holders, failed))

    async def _ask(
        self,
        node: NodeId,
        part: ClaimPart,
        pieces: Sequence[_Piece],
        holders: Holders,
        failed: set[NodeId],
    ) -> None:
        """Get one node's receipt for its blocks, sending it what it lacks; a node that fails is not asked again."""
        try:
            session = await self._links.session(node)
            missing = await self._claim(session, part, pieces, holders)
            if not missing:
                return
            for claim, batch in _batches(missing):
                load = [(piece.block, await self._fetcher.fetch(piece.block)) for piece in batch]
                await self._send(session, claim, load)
            if await self._claim(session, part, missing, holders):
                raise ProtocolError("A node does not keep what it says it stored.")
        except NotFoundError:
            failed.add(node)
        except CapsaError as error:
            self._notice_silence(node, error)
            _log.info("node %s gave no receipt: %s", node.hex()[:8], error.message)
            failed.add(node)

    async def _claim(
        self, session: Session, part: ClaimPart, pieces: Sequence[_Piece], holders: Holders
    ) -> list[_Piece]:
        """Ask for a receipt, check it, note it; returns the pieces that the node lacks."""
        nonce = self._entropy.take(NONCE_SIZE)
        indexes = tuple(piece.index for piece in pieces)
        ask = Claim(part.signed, indexes, nonce)
        reply = await session.call(ask, timeout=self._config.timing.transfer)
        if not isinstance(reply.body, Claimed):
            raise ProtocolError("A node answered a claim with something else.")
        lacking = set(reply.body.missing)
        held = [piece for piece in pieces if piece.index not in lacking]
        node = session.peer.node
        check_receipt(
            reply.body.receipt,
            network=self._config.network,
            holder=node,
            part_digest=part.digest,
            ids=[piece.block for piece in held],
            nonce=nonce,
        )
        for piece in held:
            holders[piece.index].add(node)
        self._transfers.promised(node, [piece.size for piece in held])
        return [piece for piece in pieces if piece.index in lacking]

    # --- afterwards

    async def release(self, note: ReleaseNote) -> None:
        """Keep a release, and hand it to all members; those that are away get it when they are back.

        This home is one of them, so that a crash between its journal and its store leaves nothing half released.
        """
        nodes = (*self._members.others(), self._config.node)
        await self._workers.run(Lane.DISK, self._state.release, note.digest, note.signed, note.claims, nodes)
        await self._keep_release(note)
        self.wake()

    async def _keep_release(self, note: ReleaseNote) -> None:
        await self._store.release(note)
        await self._workers.run(Lane.DISK, self._state.release_sent, note.digest, self._config.node)

    async def run(self) -> None:
        """Own what is on its way, complete what is short and hand on releases, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._tend()
            finally:
                self._tasks = None  # a group that is shutting down takes no more

    async def _tend(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._config.timing.settle):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._complete()
            except CapsaError as error:
                _log.warning("copies are not completed for now: %s", error.message)

    async def _complete(self) -> None:
        for _, signed in await self._workers.run(Lane.DISK, self._state.queued_releases, self._config.node):
            await self._keep_release(ReleaseNote.parse(signed, self._config.network))
        for node in self._links.connected():
            await self._hand_releases(node)
        parts = await self._workers.run(Lane.DISK, self._state.short_parts)
        self._asked = {digest: self._asked[digest] for digest in parts if digest in self._asked}
        self._gave = {digest: self._gave[digest] for digest in parts if digest in self._gave}
        for digest in parts:
            takers = self._placement.takers() & self._willing()
            if digest not in self._settling and takers - self._asked.get(digest, set()):
                await self._resettle(digest)

    async def _resettle(self, digest: bytes) -> None:
        try:
            part = ClaimPart.parse(await self._store.part(digest), self._config.network)
        except NotFoundError:
            return  # a home that lost its segments gets the part back when it refills
        except IntegrityError as error:
            _log.warning("a claim part is not completed: %s", error.message)
            return
        short = await self._workers.run(Lane.DISK, self._state.short_claims, digest)
        await self._settle(part, dict.fromkeys(short))

    async def _hand_releases(self, node: NodeId) -> None:
        for digest, signed in await self._workers.run(Lane.DISK, self._state.queued_releases, node):
            try:
                session = await self._links.session(node)
                await session.call(Release(signed), timeout=self._config.timing.ask)
            except CapsaError as error:
                _log.info("node %s did not take a release: %s", node.hex()[:8], error.message)
                return
            await self._workers.run(Lane.DISK, self._state.release_sent, digest, node)


def _batches(pieces: Sequence[_Piece]) -> Iterator[tuple[ClaimId, list[_Piece]]]:
    """Pieces in messages' worth: bounded in bytes and number. A batch is pending under its first piece's claim."""
    batch: list[_Piece] = []
    size = 0
    for piece in pieces:
        if batch and (size + piece.size > PAYLOAD_SIZE_MAX or len(batch) == LIST_MAX):
            yield batch[0].claim, batch
            batch, size = [], 0
        batch.append(piece)
        size += piece.size
    if batch:
        yield batch[0].claim, batch
