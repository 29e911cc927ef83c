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

    def __init__(self, connect: Callable[[], Awaitable[Session]], *, patience: float = PATIENCE_SECONDS) -> None:
        self._connect = connect
        self._patience = patience
        self._session: Session | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, message: Message, answer: type[M], payload: Sequence[Buffer] = ()) -> M:
        """The node's answer; raises what the node raised, `LostConnectionError` if it stays away."""
        body = (await self._call(message, payload)).body
        if not isinstance(body, answer):
            raise ProtocolError("The home's node answered with something else.", "Restart the node with this capsa.")
        return body

    async def fetch(self, block: BlockId) -> memoryview:
        """A block's bytes, from wherever the node finds them; it has checked them against the id."""
        return (await self._call(Fetch(block), ())).payload

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()

    @property
    def session(self) -> Session | None:
        """The session in use: a lock that the node ties to a session is lost with it."""
        return self._session

    async def _call(self, message: Message, payload: Sequence[Buffer]) -> Reply:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._patience
        while True:
            try:
                session = await self._open()
                return await session.call(message, payload, timeout=ANSWER_SECONDS)
            except LostConnectionError:
                if loop.time() >= give_up:
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
