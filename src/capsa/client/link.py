"""A command's line to its home's node: typed questions, and patience when the node restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from capsa.core.commands import Fetch
from capsa.core.ids import BlockId, Buffer
from capsa.core.messages import Message
from capsa.errors import LostConnectionError, ProtocolError, UnreachableError
from capsa.net.rpc import Reply
from capsa.net.session import Session

PATIENCE_SECONDS = 30.0
"""How long a command waits for a node that vanished."""
ANSWER_SECONDS = 600.0
"""Within which a node answers anything: a commit may wait for several slow holders."""
_RETRY_SECONDS = 0.2

M = TypeVar("M", bound=Message)


class HomeLink:
    """Asks the home's node. `connect` opens a session over `control.sock` and is called again after a loss.

    Every question here may be repeated without harm, so one that was lost with the connection is asked again.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        *,
        patience: float = PATIENCE_SECONDS,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_lost` is called when the line is lost, before the wait for the node to come back."""
        self._connect = connect
        self._patience = patience
        self.on_lost = on_lost
        self._session: Session | None = None
        self._connecting = asyncio.Lock()
        self.recording = asyncio.Lock()
        """For whoever takes the node's head lock over this line: the node cannot tell the line's users apart."""

    async def ask(self, message: Message, answer: type[M], payload: Sequence[Buffer] = ()) -> M:
        """The node's answer; raises what the node raised, `LostConnectionError` if it stays away."""
        return (await self.ask_where(message, answer, payload))[0]

    async def ask_where(self, message: Message, answer: type[M], payload: Sequence[Buffer] = ()) -> tuple[M, Session]:
        """The node's answer, and the session it came over: what the node ties to that is lost with it."""
        reply, session = await self._call(message, payload)
        return _expected(reply, answer), session

    async def ask_on(self, session: Session, message: Message, answer: type[M]) -> M:
        """The answer over this very session, asked once: for what only the holder of a lock tied to it may do."""
        return _expected(await session.call(message, timeout=ANSWER_SECONDS), answer)

    async def fetch(self, block: BlockId) -> memoryview:
        """A block's bytes, from wherever the node finds them; it has checked them against the id."""
        return (await self._call(Fetch(block), ()))[0].payload

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()

    @property
    def session(self) -> Session | None:
        """The session in use, if there is one."""
        return self._session

    async def _call(self, message: Message, payload: Sequence[Buffer]) -> tuple[Reply, Session]:
        loop = asyncio.get_running_loop()
        lost_at: float | None = None
        while True:
            try:
                session = await self._open()
                return await session.call(message, payload, timeout=ANSWER_SECONDS), session
            except LostConnectionError:  # said by the node, too, when it is about to stop
                if lost_at is None:
                    lost_at = loop.time()
                    self.on_lost()
                if loop.time() >= lost_at + self._patience:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)

    async def _open(self) -> Session:
        async with self._connecting:
            if self._session is None or self._session.closed:
                try:
                    self._session = await self._connect()
                except UnreachableError as error:
                    raise LostConnectionError(
                        "The home's node does not answer.", "Start it with 'capsa up', then run the command again."
                    ) from error
            return self._session


def _expected(reply: Reply, answer: type[M]) -> M:
    if not isinstance(reply.body, answer):
        raise ProtocolError("The home's node answered with something else.", "Restart the node with this capsa.")
    return reply.body
