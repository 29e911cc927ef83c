"""Calls: their types, their bounds, and the turnstile that keeps a caller within them.

A session bounds what it does for the other side; a caller waits its turn so as never to meet these bounds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from capsa.core.ids import Buffer
from capsa.core.messages import Message
from capsa.errors import CapsaError

if TYPE_CHECKING:
    from capsa.net.session import Session

REQUESTS_MAX: Final = 256
"""Requests of one side whose answers have not left yet; one more ends the session, since honest callers wait."""
REQUEST_BYTES_MAX: Final = 16 * 1024 * 1024
"""Payload of such requests, in bytes; past it, no more is read from the connection."""
REPLY_BYTES_MAX: Final = 16 * 1024 * 1024
"""Replies waiting to be sent, in bytes; past it, no further request is begun."""
HANDLERS_MAX: Final = 64
"""Requests being handled at once; the others wait."""

Answer: TypeAlias = tuple[Message, Sequence[Buffer]]
Handler: TypeAlias = "Callable[[Session, Message, memoryview], Awaitable[Answer]]"
"""Answers a request with a message and its payload, or raises.

It gets the session, the request and its payload, which is the handler's own memory. The payload it returns must
stay untouched. A `CapsaError` that it raises reaches the caller as that error; anything else is logged, and reaches
the caller as a plain failure.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; the payload is the caller's own memory."""

    body: Message
    payload: memoryview


class Turnstile:
    """Lets at most so many requests, with at most so many bytes together, be under way; the others in order."""

    def __init__(self, count_max: int = REQUESTS_MAX, size_max: int = REQUEST_BYTES_MAX) -> None:
        self._count_left = count_max
        self._size_left = size_max
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def _fits(self, size: int) -> bool:
        return self._count_left > 0 and size <= self._size_left

    def _take(self, size: int) -> None:
        self._count_left -= 1
        self._size_left -= size

    async def enter(self, size: int) -> None:
        """Wait until a request of `size` bytes may go; `leave` must follow. Cancellation leaves nothing taken."""
        if not self._waiting and self._fits(size):
            self._take(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(size)  # our turn came in the very moment in which we were cancelled
            elif entry in self._waiting:
                self._waiting.remove(entry)
                self._admit()
            raise

    def leave(self, size: int) -> None:
        """A request that had entered with `size` is over."""
        self._count_left += 1
        self._size_left += size
        self._admit()

    def close(self, error: CapsaError) -> None:
        """Fail everyone who waits."""
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error)

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._take(size)
                turn.set_result(None)
