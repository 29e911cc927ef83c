"""A connection over an asyncio stream transport; what `tcp` and `unix` share.

It is an `asyncio.BufferedProtocol`: bytes land in the buffer of the receiver, without a copy on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from capsa.net.base import Receiver

Describe = Callable[[object], str]
"""Makes a URL of a socket's name."""


class StreamConnection(asyncio.BufferedProtocol):
    """A `Connection` and the protocol that feeds its receiver."""

    def __init__(self, receiver: Receiver, describe: Describe, prepare: Callable[[asyncio.Transport], None]) -> None:
        self._receiver = receiver
        self._describe = describe
        self._prepare = prepare
        self._transport: asyncio.Transport
        self._clogged = False
        self._ended = False  # nothing more is written
        self._lost = False  # the transport is gone
        self.remote = ""
        self.local = ""

    # --- Connection ------------------------------------------------------------------------------

    def write(self, data: memoryview) -> bool:
        if self._ended:
            return True
        self._transport.write(data)
        return not self._clogged

    def pause_reading(self) -> None:
        if not self._ended and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._ended and not self._transport.is_reading():
            self._transport.resume_reading()

    def close(self) -> None:
        self._ended = True
        if not self._lost:
            self._transport.close()

    def abort(self) -> None:
        self._ended = True
        if not self._lost:
            self._transport.abort()

    # --- asyncio.BufferedProtocol ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._prepare(self._transport)
        # Anything that the socket does not take at once counts as clogged: the sender's queue is the queue.
        self._transport.set_write_buffer_limits(high=0)
        self.remote = self._describe(transport.get_extra_info("peername"))
        self.local = self._describe(transport.get_extra_info("sockname"))
        self._receiver.connected(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._receiver.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._receiver.buffer_updated(nbytes)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if not self._ended:
            self._receiver.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        self._receiver.disconnected(exc)


class StreamListener:
    """An open door of asyncio servers; `on_close` undoes what opening it left in the world."""

    def __init__(self, server: asyncio.Server, address: str, on_close: Callable[[], None] = lambda: None) -> None:
        self._server = server
        self._on_close = on_close
        self.address = address

    async def close(self) -> None:
        if self._server.is_serving():
            self._server.close()
            self._on_close()
