"""Talking about the network: peer lists exchanged with whoever is connected, news passed on, silence noticed.

A node that is given one address learns all members from whoever answers there, and they it (docs/protocol.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from capsa.core.gossip import Learned
from capsa.core.ids import NodeId
from capsa.core.membership import State as Presence
from capsa.core.messages import Ping, Sync
from capsa.core.signing import encode_signed
from capsa.core.statements import NodeRecord, record
from capsa.errors import CapsaError, DeadlineError
from capsa.net.pool import Pool
from capsa.net.session import Session
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.settings import NodeConfig
from capsa.node.state import State
from capsa.seams import Clock, Entropy, Lane, Workers

_log = logging.getLogger(__name__)
_EXCHANGE_ROUNDS = 4
_HEARING_ROUNDS = 64
"""Exchanges within which a member has told all: far more than the bounds of what is kept need."""
_INCARNATION = "incarnation"


class Gossiper:
    """Keeps this node and its peers of one mind about the network."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        pool: Pool,
        members: Members,
        links: Links,
        state: State,
        workers: Workers,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._config = config
        self._pool = pool
        self._members = members
        self._links = links
        self._state = state
        self._workers = workers
        self._clock = clock
        self._entropy = entropy
        self._news: asyncio.Queue[tuple[Sync, NodeId | None]] = asyncio.Queue()
        self._opened: asyncio.Queue[Session] = asyncio.Queue()
        self._retry_at: dict[str, tuple[float, float]] = {}
        self._was_dialled = False
        self._tried: set[NodeId] = set()
        self._untried = set(config.bootstrap)
        self._heard_out: set[NodeId] = set()
        self._caught_up = asyncio.Event()

    # --- told by the pool and by requests

    def opened(self, session: Session) -> None:
        """A session opened: lists are exchanged with it."""
        if session.peer.admitted:
            self._was_dialled = self._was_dialled or not session.dialled
            self.heard(session)
            self._links.changed()
            self._opened.put_nowait(session)

    def closed(self, session: Session) -> None:
        """A session ended."""
        self._links.changed()
        if session.peer.node not in self._pool.sessions:
            self._members.table.lost(session.peer.node, self._now())

    def heard(self, session: Session) -> None:
        """Something came from a peer."""
        if self._members.roster.owner_of(session.peer.node) is not None:
            self._members.table.heard(session.peer.node, self._now())

    async def answer(self, session: Session, sync: Sync) -> Sync:
        """A peer's list: take it in, pass on what is news, tell what the peer lacks."""
        self.pass_on(await self._members.absorb(sync), session.peer.node)
        return self._members.answer(sync)

    def settled(self) -> bool:
        """Whether every known node is connected, or was tried in vain."""
        if self._untried and not self._pool.sessions:
            return False
        return all(node in self._pool.sessions or node in self._tried for node in self._members.others())

    async def catch_up(self) -> None:
        """Wait until every member that can be reached has told what it knows, once since this node started.

        A home that was taken back to an older state learns so of its own newest head, before it signs another. Nodes
        that answer nothing delay this by `Timing.ask` at the most.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.timing.ask):
                await self._caught_up.wait()
        self._caught_up.set()

    async def ask_all(self) -> set[NodeId]:
        """Exchange lists with every member that can be reached, until none has more to tell; who answered."""
        await self.catch_up()
        answered: set[NodeId] = set()
        while asked := set(self._links.connected()) - answered:
            async with asyncio.TaskGroup() as group:
                tasks = {node: group.create_task(self._hear_out(node)) for node in asked}
            there = {node for node, task in tasks.items() if task.result()}
            if not there:
                break
            answered |= there
        return answered

    async def _hear_out(self, node: NodeId) -> bool:
        """Whether a node answered; all its lists are taken in then."""
        session = self._pool.sessions.get(node)
        if session is None:
            return False
        for _ in range(_HEARING_ROUNDS):
            learned = await self._exchange(session)
            if learned is None:
                return False
            if not learned:
                break
        return True

    def reachable(self) -> str:
        """Whether others can dial this node: yes, no, or unknown until one has."""
        if not self._config.dialable:
            return "no"
        return "yes" if self._was_dialled else "unknown"

    # --- what this node says

    async def announce(self, addresses: Sequence[str], free: int, full: bool) -> None:
        """Sign and spread this node's record; does nothing for a node that does not serve or is not admitted."""
        if not self._config.serving or not self._members.admitted:
            return
        floor = int(self._clock.now())
        incarnation = await self._workers.run(Lane.DISK, self._state.next_number, _INCARNATION, floor)
        values = NodeRecord(
            owner=self._config.owner,
            addresses=tuple(addresses)[:16],
            capacity=self._config.capacity,
            free=free,
            zone=self._config.zone,
            full=full,
            incarnation=incarnation,
            name=self._config.name,
        )
        signed = encode_signed(record(self._config.device, self._config.network, values))
        self.pass_on(await self._members.learn(records=(signed,)), None)

    async def spread(self, news: Sync) -> int:
        """Tell all connected members now; how many have it."""
        told = await self._tell(news, self._links.connected())
        return sum(told)

    # --- tasks

    async def run(self) -> None:
        """Ping, exchange, pass on and dial until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(group))
            group.create_task(self._exchange_with_new(group))
            group.create_task(self._exchange_with_random())
            group.create_task(self._pass_on_news())
            group.create_task(self._dial_bootstrap(group))

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        while True:
            step = self._members.table.tick(self._now())
            for event in step.events:
                _log.info("node %s is %s", event.node.hex()[:8], event.state)
                self._links.changed()
                if event.state is Presence.GONE and event.node in self._pool.sessions:
                    self._pool.sessions[event.node].abort(DeadlineError("The node has been silent for too long."))
            if self._members.admitted:
                for node in step.pings:
                    group.create_task(self._ping(node))
            self._look_whether_caught_up()
            await asyncio.sleep(self._config.timing.tick)

    def _look_whether_caught_up(self) -> None:
        if self._members.admitted and self.settled() and self._heard_out >= self._pool.sessions.keys():
            self._caught_up.set()

    async def _ping(self, node: NodeId) -> None:
        try:
            session = await self._links.session(node)
            await session.call(Ping(), timeout=self._config.timing.ask)
            self.heard(session)
        except CapsaError as error:
            _log.debug("node %s does not answer: %s", node.hex()[:8], error.message)
        finally:
            self._tried.add(node)

    async def _exchange_with_new(self, group: asyncio.TaskGroup) -> None:
        while True:
            group.create_task(self._exchange(await self._opened.get()))

    async def _exchange_with_random(self) -> None:
        while True:
            await asyncio.sleep(self._config.timing.sync)
            connected = self._links.connected()
            if connected and self._members.admitted:
                choice = int.from_bytes(self._entropy.take(4), "big") % len(connected)
                await self._exchange(self._pool.sessions[connected[choice]])

    async def _exchange(self, session: Session) -> bool | None:
        """Until neither has what the other lacks, or a few rounds: large sets go on next time.

        Whether something was learnt; None if the other side does not answer.
        """
        news = False
        try:
            say = self._members.offer()
            for _ in range(_EXCHANGE_ROUNDS):
                reply = await session.call(say, timeout=self._config.timing.ask)
                if not isinstance(reply.body, Sync):
                    return None
                self.heard(session)
                learned = await self._members.absorb(reply.body)
                news = news or bool(learned)
                self.pass_on(learned, session.peer.node)
                say = self._members.answer(reply.body)
                if not (say.statements or say.records or say.heads):
                    break
        except CapsaError as error:
            _log.info("no lists exchanged with %s: %s", session.remote, error.message)
            return None
        finally:
            self._heard_out.add(session.peer.node)
        self._look_whether_caught_up()
        return news

    def pass_on(self, learned: Learned, source: NodeId | None) -> None:
        """Tell all connected members but `source` what was learnt, as soon as may be."""
        if learned:
            self._links.changed()
            news = Sync(
                statements=tuple(encode_signed(signed) for signed in learned.statements),
                records=tuple(entry.signed for entry in learned.records),
                heads=tuple(head.signed for head in learned.heads),
            )
            self._news.put_nowait((news, source))

    async def _pass_on_news(self) -> None:
        while True:
            news, source = await self._news.get()
            await self._tell(news, [node for node in self._links.connected() if node != source])

    async def _tell(self, news: Sync, nodes: Sequence[NodeId]) -> list[bool]:
        async def tell(node: NodeId) -> bool:
            try:
                session = await self._links.session(node)
                reply = await session.call(news, timeout=self._config.timing.ask)
                if isinstance(reply.body, Sync):
                    await self._members.absorb(reply.body)
                return True
            except CapsaError as error:
                _log.info("news did not reach node %s: %s", node.hex()[:8], error.message)
                return False

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(tell(node)) for node in nodes]
        return [task.result() for task in tasks]

    async def _dial_bootstrap(self, group: asyncio.TaskGroup) -> None:
        """Dial the addresses we were given, for as long as nobody is connected; members' own are pinged anyway."""
        timing = self._config.timing
        while True:
            if self._members.admitted and not self._pool.sessions:
                for address in self._config.bootstrap:
                    due, pause = self._retry_at.get(address, (0.0, timing.dial_retry))
                    if self._now() >= due:
                        self._retry_at[address] = (self._now() + pause, min(2 * pause, timing.dial_retry_max))
                        group.create_task(self._dial(address))
            await asyncio.sleep(timing.tick)

    async def _dial(self, address: str) -> None:
        try:
            await self._pool.dial(address)
            self._retry_at.pop(address, None)
        except CapsaError as error:
            _log.info("nobody of the network answers at %s: %s", address, error.message)
        finally:
            self._untried.discard(address)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
