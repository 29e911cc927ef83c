"""A channel: whole messages over a connection. `Channel` holds what the two kinds share.

`SecureChannel` (capsa.net.secure) protects them by Noise; `PlainChannel` does not, and is for the control socket
of a home, which only its own user can open.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from capsa.core.frames import FrameReader, FrameWriter, Outgoing
from capsa.core.ids import Buffer
from capsa.errors import CapsaError, LostConnectionError, ProtocolError
from capsa.net.base import Connection
from capsa.net.identity import LOCAL, Peer
from capsa.net.memory import BulkMemory

CLOSE_GRACE_SECONDS: Final = 5.0
"""How long an orderly end waits for the other side to take what was written."""
_WRITES_A_TURN: Final = 4  # after that the loop's other work has its turn
_DIRECT_READ_SIZE_MIN: Final = 16 * 1024
_PLAIN_WRITE_SIZE_MAX: Final = 256 * 1024

_log = logging.getLogger(__name__)


class ChannelOwner(Protocol):
    """Whoever made a channel, and is told what comes of it."""

    def proven(self, peer: Peer) -> None:
        """The other side is proven; messages may pass."""
        ...

    def received(self, message: memoryview) -> None:
        """A message; its memory is the owner's now. A `ProtocolError` raised here ends the channel."""
        ...

    def worn(self) -> None:
        """The channel's keys are nearly used up: replace it soon."""
        ...

    def ended(self, error: CapsaError | None) -> None:
        """Called once, last. None: one of the two sides closed it in order."""
        ...


class Channel(ABC):
    """A `Receiver` that turns a connection's bytes into messages, and messages into bytes."""

    def __init__(self, owner: ChannelOwner, memory: BulkMemory) -> None:
        self._owner = owner
        self._connection: Connection | None = None
        self._writer = FrameWriter()
        self._reader = FrameReader(self._deliver, memory=memory.take)
        self._open = False
        self._clogged = False
        self._scheduled = False
        self._closing = False
        self._over = False
        self._error: CapsaError | None = None
        self._grace: asyncio.TimerHandle | None = None

    # --- for the owner ---------------------------------------------------------------------------

    @property
    def remote(self) -> str:
        """The other side's address, for people; empty before the connection is made."""
        return self._connection.remote if self._connection is not None else ""

    def send(self, parts: Sequence[Buffer], on_sent: Callable[[], None] | None = None) -> Outgoing:
        """Queue a message, whose bytes are those of `parts`; they stay untouched until `on_sent` is called.

        After the end the message is dropped.
        """
        message = Outgoing(parts, on_sent)
        if not self._over:
            self._writer.send(message)
            self._schedule()
        return message

    def withdraw(self, message: Outgoing) -> bool:
        """Take a message back. True: nothing of it was or will be sent; false: it had begun, and will go on."""
        return self._over or self._writer.withdraw(message)

    def pause_reading(self) -> None:
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        if self._connection is not None:
            self._connection.resume_reading()

    def close(self) -> None:
        """Send what is queued, then end; the other side gets `CLOSE_GRACE_SECONDS` for that."""
        if self._over or self._closing:
            return
        self._closing = True
        self._grace = asyncio.get_running_loop().call_later(CLOSE_GRACE_SECONDS, self.abort)
        if self._open:
            self._schedule()
        elif self._connection is not None:
            self._connection.close()

    def abort(self, error: CapsaError | None = None) -> None:
        """End now. `error` is what the owner will be told."""
        if self._error is None:
            self._error = error
        self._closing = True
        if self._connection is not None:
            self._connection.abort()
        else:
            self._end(None)

    # --- for the connection ----------------------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        self._connection = connection
        if self._closing:
            connection.abort()
        else:
            self._begin()

    @abstractmethod
    def get_buffer(self) -> memoryview: ...

    def buffer_updated(self, size: int) -> None:
        if self._over:
            return
        try:
            self._landed(size)
        except CapsaError as error:
            self.abort(error)

    def writable(self) -> None:
        self._clogged = False
        self._flush()

    def disconnected(self, error: Exception | None) -> None:
        self._end(error)

    # --- for the two kinds -----------------------------------------------------------------------

    @abstractmethod
    def _begin(self) -> None:
        """The connection is made."""

    @abstractmethod
    def _landed(self, size: int) -> None:
        """Take `size` bytes of the buffer last given; a `CapsaError` ends the channel."""

    @abstractmethod
    def _next_bytes(self) -> memoryview:
        """What to write next, untouched until written; empty when nothing is pending."""

    def _opened(self, peer: Peer) -> None:
        self._open = True
        self._owner.proven(peer)
        self._schedule()

    def _write(self, data: memoryview) -> None:
        assert self._connection is not None
        self._clogged = not self._connection.write(data)

    # --- inside ----------------------------------------------------------------------------------

    def _deliver(self, message: memoryview) -> None:
        if not self._over:
            self._owner.received(message)

    def _schedule(self) -> None:
        """Flush at the end of this turn of the loop, so that messages sent together travel together."""
        if self._open and not self._scheduled and not self._clogged:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if not self._open or self._over:
            return
        try:
            for _ in range(_WRITES_A_TURN):
                if self._clogged:
                    return
                data = self._next_bytes()
                if not data:
                    if self._closing and self._connection is not None:
                        self._connection.close()
                    return
                self._write(data)
        except ProtocolError as error:
            self.abort(error)
            return
        self._schedule()

    def _end(self, error: Exception | None) -> None:
        if self._over:
            return
        self._over = True
        self._open = False
        self._writer = FrameWriter()
        if self._grace is not None:
            self._grace.cancel()
        if isinstance(self._error, ProtocolError):
            _log.warning("ended a session with %s: %s", self.remote or "a peer", self._error.message)
        reason = self._error
        if reason is None and error is not None:
            reason = LostConnectionError(f"The connection failed: {error}.")
        self._owner.ended(reason)


class PlainChannel(Channel):
    """Messages without protection; bulk bytes land in their message at once."""

    def __init__(self, owner: ChannelOwner, memory: BulkMemory) -> None:
        super().__init__(owner, memory)
        self._buffer = memoryview(bytearray(_DIRECT_READ_SIZE_MIN))
        self._direct = False

    def get_buffer(self) -> memoryview:
        self._direct = len(self._reader.room) >= _DIRECT_READ_SIZE_MIN
        return self._reader.room if self._direct else self._buffer

    def _begin(self) -> None:
        self._opened(LOCAL)

    def _landed(self, size: int) -> None:
        if self._direct:
            self._reader.advance(size)
        else:
            self._reader.feed(self._buffer[:size])

    def _next_bytes(self) -> memoryview:
        return self._writer.next(_PLAIN_WRITE_SIZE_MAX)
