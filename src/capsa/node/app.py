"""The composition root: a node, put together from its parts.

The simulated world runs this very class; it replaces only disk, transports, clock, entropy and workers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from capsa.core.commands import COMMAND_MESSAGES
from capsa.core.ids import NodeId
from capsa.core.messages import Hello, Message
from capsa.errors import CapsaError, leading
from capsa.net.base import Listener, Transport
from capsa.net.local import Control as ControlDoor
from capsa.net.pool import VERSION, Pool
from capsa.net.rpc import Answer
from capsa.net.session import Session
from capsa.node.admission import Admissions
from capsa.node.control import Control
from capsa.node.duplicates import Duplicates
from capsa.node.examination import Examiner
from capsa.node.fetching import Fetcher
from capsa.node.gossip import Gossiper
from capsa.node.identity import Identity
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.placement import Placement
from capsa.node.putting import Putting
from capsa.node.refill import Refiller
from capsa.node.replication import Replicator
from capsa.node.serving import Serving
from capsa.node.settings import NodeConfig
from capsa.node.state import State
from capsa.node.transfers import Transfers
from capsa.seams import Clock, Entropy, Lane, Workers
from capsa.stores.disk import Disk
from capsa.stores.quota import QuotaStore, SpaceGuard
from capsa.stores.segments import SegmentStore
from capsa.stores.verify import VerifyingStore

_log = logging.getLogger(__name__)
_FREE_STEPS = 64
"""In how many steps a node tells what room it has."""
_WILDCARDS = {"0.0.0.0", "::"}


@dataclass(frozen=True, slots=True)
class Ready:
    """A node that is up: its id, and the addresses that it listens on, ports resolved."""

    node: NodeId
    listen: tuple[str, ...]


class Node:
    """One running home. `run` until cancelled."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        disk: Disk,
        transports: Mapping[str, Transport],
        clock: Clock,
        entropy: Entropy,
        workers: Workers,
    ) -> None:
        self._config = config
        self._disk = disk
        self._transports = transports
        self._clock = clock
        self._entropy = entropy
        self._workers = workers
        self._listeners: list[Listener] = []
        self._door: ControlDoor | None = None
        self._boot = entropy.take(16)

    async def run(self, ready: Callable[[Ready], None] = lambda ready: None) -> None:
        """Serve until cancelled; `ready` is called once everything listens.

        Raises `HomeError` if the home was written by a newer capsa, `RefusedError` if an address is taken.
        """
        config, workers = self._config, self._workers
        state = await workers.run(Lane.DISK, State.open, self._disk)
        segments = SegmentStore(
            self._disk,
            workers=workers,
            clock=self._clock,
            entropy=self._entropy,
            segment_size=config.segment_size,
        )
        store = SpaceGuard(VerifyingStore(segments), own=config.owner, disk=self._disk, workers=workers)
        guests = QuotaStore(store, own=config.owner, capacity=config.capacity)
        try:
            await guests.open()
            members = Members(config, state=state, workers=workers)
            await members.open()
            await self._run(state, segments, store, guests, members, ready)
        except BaseExceptionGroup as errors:
            raise leading(errors) from None
        finally:
            await guests.close()
            await workers.run(Lane.DISK, state.close)

    async def _run(
        self,
        state: State,
        segments: SegmentStore,
        store: SpaceGuard,
        guests: QuotaStore,
        members: Members,
        ready: Callable[[Ready], None],
    ) -> None:
        config, workers, clock, entropy = self._config, self._workers, self._clock, self._entropy
        admissions = Admissions(config, members=members, clock=clock)
        duplicates = Duplicates(config, self._boot)

        async def handle(session: Session, message: Message, payload: memoryview) -> Answer:
            return await serving.handle(session, message, payload)

        def opened(session: Session) -> None:
            gossiper.opened(session)
            examiner.met(session)
            replicator.wake()

        def closed(session: Session) -> None:
            gossiper.closed(session)

        async def count_damaged() -> int:
            return len(await segments.damaged())

        async def is_full() -> bool:
            with suppress(CapsaError):  # of a disk that does not say, what it last said holds
                await store.look()
            return store.full

        pool = Pool(
            self._between_nodes(),
            Identity(config, members, clock),
            handle,
            entropy=entropy,
            greet=self._greet,
            on_open=opened,
            on_close=closed,
            on_rival=duplicates.suspect,
            keep=lambda node: not config.dialable,
        )
        links = Links(pool, members, config.timing)
        transfers = Transfers()
        placement = Placement(members, links)
        fetcher = Fetcher(store, members, links, placement, transfers, config.timing)
        gossiper = Gossiper(
            config,
            pool=pool,
            members=members,
            links=links,
            state=state,
            workers=workers,
            clock=clock,
            entropy=entropy,
        )
        serving = Serving(
            config,
            store=store,
            guests=guests,
            members=members,
            gossiper=gossiper,
            admissions=admissions,
            duplicates=duplicates,
            transfers=transfers,
        )
        replicator = Replicator(
            config,
            store=store,
            state=state,
            members=members,
            links=links,
            placement=placement,
            fetcher=fetcher,
            transfers=transfers,
            workers=workers,
            entropy=entropy,
        )
        refiller = Refiller(
            config,
            store=store,
            guests=guests,
            state=state,
            members=members,
            links=links,
            placement=placement,
            fetcher=fetcher,
            workers=workers,
        )
        examiner = Examiner(
            config,
            pool=pool,
            members=members,
            duplicates=duplicates,
            clock=clock,
            listening=lambda: [listener.address for listener in self._listeners],
            advertised=self._advertised,
            used=lambda: guests.used,
        )

        putting = Putting(config, store=store, state=state, replicator=replicator, workers=workers, clock=clock)
        control = Control(
            config,
            store=store,
            state=state,
            members=members,
            links=links,
            gossiper=gossiper,
            admissions=admissions,
            duplicates=duplicates,
            examiner=examiner,
            fetcher=fetcher,
            putting=putting,
            transfers=transfers,
            workers=workers,
            clock=clock,
            entropy=entropy,
            listening=lambda: [listener.address for listener in self._listeners],
            damaged=count_damaged,
            full=is_full,
        )
        door = self._door = ControlDoor(control.handle, COMMAND_MESSAGES, on_close=control.closed)

        async with asyncio.TaskGroup() as group:
            group.create_task(guests.run())
            group.create_task(pool.run())
            group.create_task(door.run())
            for address in config.listen:
                self._listeners.append(await pool.listen(address))
            if config.control is not None:
                transport = self._transports[urlsplit(config.control).scheme]
                await door.listen(transport, config.control)

            async def announce() -> None:
                await self._announce(gossiper, store, guests)

            group.create_task(admissions.seek(pool, announce))
            group.create_task(gossiper.run())
            group.create_task(duplicates.run())
            group.create_task(replicator.run())
            if config.serving:
                group.create_task(refiller.run())
            ready(Ready(config.node, tuple(listener.address for listener in self._listeners)))

    async def wait_unused(self) -> None:
        """Wait until no command is connected."""
        if self._door is not None:
            await self._door.wait_unused()

    def _between_nodes(self) -> Mapping[str, Transport]:
        """The transports that lead to other machines: an address that a peer names must not be a socket of this one."""
        local = urlsplit(self._config.control or "").scheme
        return {scheme: one for scheme, one in self._transports.items() if scheme != local} or self._transports

    def _greet(self, session: Session) -> Hello:
        return Hello(VERSION, self._clock.now(), self._boot, observed=session.remote)

    async def _announce(self, gossiper: Gossiper, store: SpaceGuard, guests: QuotaStore) -> None:
        """Say where this node listens and what room it has: now, and whenever that has changed."""
        said: tuple[Sequence[str], int, bool] | None = None
        while True:
            try:
                await store.look()
            except CapsaError as error:
                _log.warning("the room that this node tells of is as it was: %s", error.message)
            free = max(0, min(self._config.capacity - guests.used, store.free))
            full = store.full or free * 20 < self._config.capacity
            facts = (self._advertised(), free - free % max(1, self._config.capacity // _FREE_STEPS), full)
            if facts != said:
                try:
                    await gossiper.announce(*facts)
                    said = facts
                except CapsaError as error:
                    _log.warning("this node's record could not be renewed: %s", error.message)
            await asyncio.sleep(self._config.timing.announce)

    def _advertised(self) -> tuple[str, ...]:
        """The addresses that others are told: those given for that, else where we listen, on our hosts if on all."""
        if self._config.advertise is not None:
            return self._config.advertise
        told: list[str] = []
        for listener in self._listeners:
            url = urlsplit(listener.address)
            if url.hostname in _WILDCARDS:
                told += [f"{url.scheme}://{host}:{url.port}" for host in self._config.hosts]
            else:
                told.append(listener.address)
        return tuple(told)
