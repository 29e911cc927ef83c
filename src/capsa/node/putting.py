"""The home's side of a put: blocks and claims taken from a command, and the journal of what is under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from capsa.core import commands as c
from capsa.core.claims import ClaimPart, ReleaseNote, ids_digest
from capsa.core.ids import ClaimId
from capsa.core.messages import Message
from capsa.errors import NotFoundError, RefusedError
from capsa.net.session import Session
from capsa.node.replication import Replicator
from capsa.node.serving import Answer, cut
from capsa.node.settings import NodeConfig
from capsa.node.state import State
from capsa.seams import Clock, Lane, Workers
from capsa.stores.base import BlockStore

Handler = Callable[[Session, Any, memoryview], Awaitable[Answer]]


class Putting:
    """Answers the commands that put and release."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        store: BlockStore,
        state: State,
        replicator: Replicator,
        workers: Workers,
        clock: Clock,
    ) -> None:
        self._config = config
        self._store = store
        self._state = state
        self._replicator = replicator
        self._workers = workers
        self._clock = clock

    @property
    def handlers(self) -> Mapping[type[Message], Handler]:
        """What answers each kind of message."""
        return {
            c.Keep: self._keep,
            c.Commit: self._commit,
            c.OpenPuts: self._open_puts,
            c.ForgetPuts: self._forget_puts,
            c.StalePuts: self._stale_puts,
            c.Copies: self._copies,
            c.EndClaims: self._end_claims,
            c.Recall: self._recall,
            c.Remember: self._remember,
            c.Retire: self._retire,
            c.Reprieve: self._reprieve,
        }

    async def _keep(self, session: Session, message: c.Keep, payload: memoryview) -> Answer:
        blocks = cut(message.ids, message.sizes, payload)
        missing = self._replicator.new(await self._store.missing([block for block, _ in blocks]))
        new = tuple(index for index, (block, _) in enumerate(blocks) if block in missing)
        claim = ClaimId(message.claim)
        # What this home has already may lie on its picks too: `settle` asks them before it sends.
        fresh = [blocks[index] for index in new]
        await self._replicator.keep(claim, message.copies if message.spread else 0, blocks, fresh)
        return c.Kept(new), ()

    async def _commit(self, session: Session, message: c.Commit, payload: memoryview) -> Answer:
        part = ClaimPart.parse(message.part, self._config.network)
        if part.owner != self._config.owner:
            raise RefusedError("This home keeps claims of its own owner only.")
        missing = await self._store.missing([block for block, _, _ in part.blocks])
        if missing:
            raise NotFoundError(f"{len(missing)} blocks of this claim did not reach the home.", "Put the file again.")
        await self._store.claim(part)
        items = [(item.claim, part.number, ids_digest(item.ids)) for item in part.items]
        await self._workers.run(Lane.DISK, self._state.note_items, items, self._clock.now())
        settle = self._replicator.settle if message.wait else self._replicator.settle_later
        return c.Committed(tuple(await settle(part))), ()

    async def _open_puts(self, session: Session, message: c.OpenPuts, payload: memoryview) -> Answer:
        now = self._clock.now()
        opened = await self._workers.run(
            Lane.DISK, self._state.open_puts, message.names, message.proposed, now, message.secrets
        )
        claims, items = tuple(put.claim for put in opened), tuple(put.items for put in opened)
        return c.PutsOpened(claims, items, tuple(put.secret for put in opened)), ()

    async def _forget_puts(self, session: Session, message: c.ForgetPuts, payload: memoryview) -> Answer:
        await self._workers.run(Lane.DISK, self._state.forget_puts, message.names)
        return c.Done(), ()

    async def _stale_puts(self, session: Session, message: c.StalePuts, payload: memoryview) -> Answer:
        before = self._clock.now() - self._config.timing.pending
        return c.PutsStale(tuple(await self._workers.run(Lane.DISK, self._state.stale_puts, before))), ()

    async def _copies(self, session: Session, message: c.Copies, payload: memoryview) -> Answer:
        short = await self._workers.run(Lane.DISK, self._state.short_among, message.claims)
        durable = tuple(line.durable if line else 0 for line in short)
        return c.CopiesTold(durable, tuple(line.wanted if line else 0 for line in short)), ()

    async def _end_claims(self, session: Session, message: c.EndClaims, payload: memoryview) -> Answer:
        note = ReleaseNote.parse(message.release, self._config.network)
        if note.owner != self._config.owner:
            raise RefusedError("This home releases claims of its own owner only.")
        await self._replicator.release(note)
        return c.Done(), ()

    async def _recall(self, session: Session, message: c.Recall, payload: memoryview) -> Answer:
        found = await self._workers.run(Lane.DISK, self._state.recall, message.names, message.stamps)
        return c.Recalled(tuple(found)), ()

    async def _remember(self, session: Session, message: c.Remember, payload: memoryview) -> Answer:
        await self._workers.run(Lane.DISK, self._state.remember, message.names, message.stamps)
        return c.Done(), ()

    async def _retire(self, session: Session, message: c.Retire, payload: memoryview) -> Answer:
        await self._workers.run(Lane.DISK, self._state.retire, message.claims, self._clock.now())
        return c.Done(), ()

    async def _reprieve(self, session: Session, message: c.Reprieve, payload: memoryview) -> Answer:
        await self._workers.run(Lane.DISK, self._state.reprieve, message.claims)
        return c.Done(), ()
