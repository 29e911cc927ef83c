"""A member that plays by no rules but its own: real keys, real handshakes, and whatever answers a test wants.

It is also the honest tests' eye: it asks any node what a member may ask.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import apsw

from capsa.core.claims import ClaimPart
from capsa.core.ids import BlockId, NodeId
from capsa.core.messages import (
    Find,
    Found,
    GetPart,
    Have,
    Held,
    Inventory,
    Message,
    Parts,
    Ping,
    Pong,
    Sync,
)
from capsa.core.signing import encode_signed
from capsa.core.statements import NodeRecord, record
from capsa.errors import NotFoundError
from capsa.net.base import Transport
from capsa.net.pool import Pool
from capsa.net.rpc import Answer
from capsa.net.session import Session
from capsa.net.transports.tcp import TcpTransport
from capsa.node.identity import Identity
from capsa.node.membership import Members
from capsa.node.runtime import SystemClock, SystemEntropy, ThreadWorkers
from capsa.node.state import State
from capsa.seams import Lane
from tests.node.network import ROOMY, Network

M = TypeVar("M", bound=Message)
Lie = Callable[[Session, Message, memoryview], Answer]


def not_found(session: Session, message: Message, payload: memoryview) -> Answer:
    """What a member answers that has nothing."""
    raise NotFoundError("It is not here.")


class Liar:
    """A member without a store. `lie` answers everything but greetings and gossip; `asked` is what it was asked."""

    def __init__(self, network: Network, name: str, lie: Lie, transport: Transport) -> None:
        self.config = network.config(name)
        self.lie = lie
        self.asked: list[Message] = []
        self._network = network
        self._workers = ThreadWorkers()
        self._state = State(apsw.Connection(":memory:"))
        self._members = Members(self.config, state=self._state, workers=self._workers)
        identity = Identity(self.config, self._members, SystemClock())
        self.pool = Pool({"tcp": transport}, identity, self._handle, entropy=SystemEntropy())

    @property
    def node(self) -> NodeId:
        return self.config.node

    async def _handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Ping):
            return Pong(), ()
        if isinstance(message, Sync):
            await self._members.absorb(message)
            return self._members.answer(message), ()
        self.asked.append(message)
        return self.lie(session, message, payload)

    async def open(self) -> None:
        """Recall its papers."""
        await self._members.open()

    async def announce(self, *, capacity: int, listen: bool) -> None:
        """Make itself known, by gossip with the nodes that are up."""
        addresses = (await self.pool.listen("tcp://127.0.0.1:0")).address if listen else ""
        values = NodeRecord(
            owner=self.config.owner,
            addresses=(addresses,) if listen else (),
            capacity=capacity,
            free=capacity,
            zone="",
            full=False,
            incarnation=int(time.time()),
            name=self.config.name,
        )
        signed = encode_signed(record(self.config.device, self.config.network, values))
        await self._members.learn(records=(signed,))
        for name in self._network.running:
            session = await self.session(name)
            await session.call(Sync(records=(signed,)), timeout=10)

    async def session(self, name: str) -> Session:
        """Its session with a running node."""
        return await self.pool.session(self._network.node(name), (self._network.address(name),))

    async def ask(self, name: str, message: Message, answer: type[M]) -> M:
        """What a running node answers to any member; raises what it raises."""
        reply = await (await self.session(name)).call(message, timeout=10)
        assert isinstance(reply.body, answer)
        return reply.body

    async def parts(self, name: str) -> list[ClaimPart]:
        """The claim parts on a node."""
        digests = (await self.ask(name, Inventory(), Parts)).digests
        session = await self.session(name)
        replies = [await session.call(GetPart(digest), timeout=10) for digest in digests]
        return [ClaimPart.parse(reply.payload, self.config.network) for reply in replies]

    async def held(self, name: str, blocks: list[BlockId]) -> set[BlockId]:
        """Which of these blocks lie on a node."""
        found = await self.ask(name, Find(tuple(blocks)), Found)
        return {blocks[index] for index in found.indexes}

    async def proven(self, name: str, blocks: list[BlockId]) -> int:
        """How many of these blocks a node gives proofs for."""
        held = await self.ask(name, Have(tuple(blocks), bytes(16)), Held)
        return sum(bool(proof) for proof in held.proofs)

    async def close(self) -> None:
        await self._workers.run(Lane.DISK, self._state.close)
        self._workers.close()


@asynccontextmanager
async def lying(
    network: Network,
    name: str,
    lie: Lie = not_found,
    *,
    capacity: int = ROOMY,
    listen: bool = True,
    tcp: Callable[[Transport], Transport] = lambda tcp: tcp,
    kind: type[Liar] = Liar,
    announced: bool = True,
) -> AsyncIterator[Liar]:
    """A liar that every running node sees alive, if `announced`; without `lie` it merely has nothing."""
    liar = kind(network, name, lie, tcp(TcpTransport()))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(liar.pool.run())
        try:
            await liar.open()
            if announced:
                await liar.announce(capacity=capacity, listen=listen)
            yield liar
        finally:
            running.cancel()
            await asyncio.wait([running])
            await liar.close()
