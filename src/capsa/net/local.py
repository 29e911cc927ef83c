"""The control channel of a home: sessions over a Unix socket, without Noise.

Whoever can open the socket is the home's own user; both ends are `LOCAL` to each other. The sessions are otherwise
those between nodes: the same frames, calls and bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from capsa.core.envelope import Codec
from capsa.core.messages import Message
from capsa.errors import DeadlineError, RefusedError
from capsa.net.base import Listener, Transport
from capsa.net.channel import Channel, PlainChannel
from capsa.net.memory import BulkMemory
from capsa.net.rpc import Answer, Handler
from capsa.net.session import Session

DIAL_TIMEOUT_SECONDS: Final = 10.0


class Control:
    """Serves control sessions; `run` owns them. `on_close` is told of each one that ended."""

    def __init__(
        self, handler: Handler, messages: Sequence[type[Message]], on_close: Callable[[Session], None] | None = None
    ) -> None:
        self._handler = handler
        self._codec = Codec(messages)
        self._on_close = on_close
        self._memory = BulkMemory()
        self._tasks: asyncio.TaskGroup | None = None
        self._running = asyncio.Event()
        self._listeners: list[Listener] = []
        self.sessions: list[Session] = []
        """The open ones, oldest first."""

    async def run(self) -> None:
        """Own all sessions, until cancelled; then the doors close and the sessions end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._running.set()
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    self._tasks = None  # a group that is shutting down takes no more
        finally:
            self._running.clear()
            for listener in self._listeners:
                await listener.close()

    async def listen(self, transport: Transport, address: str) -> Listener:
        """Open a door, once `run` runs, until that ends or the listener is closed."""
        await self._running.wait()
        listener = await transport.listen(address, self._accept)
        self._listeners.append(listener)
        return listener

    async def wait_unused(self) -> None:
        """Wait until no session is open."""
        while under_way := [session for session in self.sessions if not session.closed]:
            await under_way[0].wait_closed()

    def _accept(self) -> Channel:
        session = Session(lambda owner: PlainChannel(owner, self._memory), self._codec, self._handler)
        if self._tasks is None:
            session.abort()
        else:
            self._tasks.create_task(self._serve(session))
        return session.channel

    async def _serve(self, session: Session) -> None:
        self.sessions.append(session)
        try:
            await session.run()
        finally:
            self.sessions.remove(session)
            if self._on_close is not None:
                self._on_close(session)


async def _refuse(session: Session, message: Message, payload: memoryview) -> Answer:
    raise RefusedError("A command takes no requests.")


async def connect(
    transport: Transport, address: str, messages: Sequence[type[Message]], handler: Handler = _refuse
) -> Session:
    """A session with the home's process at `address`, which the caller closes.

    Give it a task for `run` if the other side may send requests. Raises `UnreachableError` if nobody serves there.
    """
    session = Session(lambda owner: PlainChannel(owner, BulkMemory()), Codec(messages), handler)
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_SECONDS):
            await transport.dial(address, session.channel)
    except TimeoutError:
        raise DeadlineError(f"Nobody answered at {address} within {DIAL_TIMEOUT_SECONDS:g} seconds.") from None
    except BaseException:
        session.abort()
        raise
    return session
