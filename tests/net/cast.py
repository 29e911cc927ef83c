"""Who plays in the tests of sessions: nodes of one network with seeded randomness, and ways to join them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from capsa.core.keys import DeviceKey
from capsa.core.messages import Message, Ping
from capsa.net.base import Connection, Listener, Receiver, ReceiverFactory, Transport
from capsa.net.identity import SharedSecret
from capsa.net.local import Control, connect
from capsa.net.pool import Pool
from capsa.net.rpc import Answer, Handler
from capsa.net.session import Session
from capsa.testing.sessions import MESSAGES, echo

NETWORK = b"n" * 32
SECRET = b"s" * 32


class CountedEntropy:
    """Bytes that never repeat, and are the same in every run."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def take(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed} {self._count}".encode()).digest(size)


def device(name: str) -> DeviceKey:
    return DeviceKey(hashlib.sha256(name.encode()).digest())


def make_pool(name: str, transport: Transport, handler: Handler = echo, secret: bytes = SECRET, **more: Any) -> Pool:
    return Pool(
        {transport.scheme: transport},
        SharedSecret(device(name), NETWORK, secret),
        handler,
        entropy=more.pop("entropy", CountedEntropy(name)),
        messages=MESSAGES,
        **more,
    )


@asynccontextmanager
async def running(*pools: Pool) -> AsyncIterator[None]:
    """The pools run while the context lasts; an error within comes out as itself."""
    async with asyncio.TaskGroup() as tasks:
        owned = [tasks.create_task(pool.run()) for pool in pools]
        try:
            yield
        finally:
            for task in owned:
                task.cancel()


@asynccontextmanager
async def joined_by_pools(
    transport: Transport, address: str, near_handler: Handler, far_handler: Handler
) -> AsyncIterator[tuple[Session, Session]]:
    near, far = make_pool("near", transport, near_handler), make_pool("far", transport, far_handler)
    async with running(near, far):
        listener = await far.listen(address)
        session = await near.dial(listener.address)
        yield session, far.sessions[device("near").node]


@asynccontextmanager
async def joined_by_control(
    transport: Transport, address: str, near_handler: Handler, far_handler: Handler
) -> AsyncIterator[tuple[Session, Session]]:
    accepted = asyncio.Event()

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        if not accepted.is_set():
            accepted.set()
            return await echo(session, message, payload)
        return await far_handler(session, message, payload)

    control = Control(handler, MESSAGES)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(control.run())
        listener = await control.listen(transport, address)
        session = await connect(transport, listener.address, MESSAGES, near_handler)
        running_session = tasks.create_task(session.run())
        try:
            await session.call(Ping(), timeout=10)
            yield session, control.sessions[0]
        finally:
            running_session.cancel()
            serving.cancel()
            await listener.close()


class _Trickled:
    """A receiver that takes at most a few bytes at a time."""

    def __init__(self, receiver: Receiver, size: int) -> None:
        self._receiver = receiver
        self._size = size
        self.connected = receiver.connected
        self.buffer_updated = receiver.buffer_updated
        self.writable = receiver.writable
        self.disconnected = receiver.disconnected

    def get_buffer(self) -> memoryview:
        return self._receiver.get_buffer()[: self._size]


class Trickle:
    """A transport that delivers `size` bytes at a time."""

    def __init__(self, transport: Transport, size: int) -> None:
        self._transport = transport
        self._size = size

    @property
    def scheme(self) -> str:
        return self._transport.scheme

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        return await self._transport.listen(address, lambda: _Trickled(accept(), self._size))

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        return await self._transport.dial(address, _Trickled(receiver, self._size))


Wrap = Callable[[memoryview], bytes]


class Meddler:
    """A transport whose listeners' connections pass what they *write* through `change` first."""

    def __init__(self, transport: Transport, change: Wrap) -> None:
        self._transport = transport
        self.change = change

    @property
    def scheme(self) -> str:
        return self._transport.scheme

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        return await self._transport.listen(address, lambda: _Meddled(accept(), self))

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        return await self._transport.dial(address, receiver)


class _Meddled:
    def __init__(self, receiver: Receiver, meddler: Meddler) -> None:
        self._receiver = receiver
        self._meddler = meddler
        self.get_buffer = receiver.get_buffer
        self.buffer_updated = receiver.buffer_updated
        self.writable = receiver.writable
        self.disconnected = receiver.disconnected

    def connected(self, connection: Connection) -> None:
        self._receiver.connected(_MeddledConnection(connection, self._meddler))


class _MeddledConnection:
    def __init__(self, connection: Connection, meddler: Meddler) -> None:
        self._connection = connection
        self._meddler = meddler
        self.pause_reading = connection.pause_reading
        self.resume_reading = connection.resume_reading
        self.close = connection.close
        self.abort = connection.abort
        self.remote = connection.remote
        self.local = connection.local

    def write(self, data: memoryview) -> bool:
        return self._connection.write(memoryview(self._meddler.change(data)))
