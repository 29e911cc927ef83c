"""Connections within one process: `memory:name`. Delivery goes through the event loop, in a fixed order."""

from __future__ import annotations

import asyncio
from typing import Final

from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.net.base import Connection, Listener, Receiver, ReceiverFactory

BUFFER_SIZE_MAX: Final = 256 * 1024
"""What one direction holds before it clogs, in bytes."""
_SCHEME: Final = "memory:"


class MemoryConnection:
    """One end of a pair; `other` is the other one."""

    other: MemoryConnection

    def __init__(self, receiver: Receiver, local: str, remote: str) -> None:
        self.local = local
        self.remote = remote
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._incoming = bytearray()
        self._kept: memoryview | None = None  # of a write that clogged: what has not left yet
        self._paused = False
        self._scheduled = False
        self._closing = False
        self._over = False

    def write(self, data: memoryview) -> bool:
        if self._over or self._closing:
            return True
        assert self._kept is None, "written to while clogged"
        left = self.other._take(data)
        if left:
            self._kept = left
        return not left

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._schedule()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self.other._schedule()

    def abort(self) -> None:
        if not self._over:
            self._end(None)
            self.other._end(ConnectionResetError("the other side aborted"))

    def _take(self, data: memoryview) -> memoryview:
        """Accept what there is room for; return the rest."""
        if self._over:
            return data[:0]
        size = min(len(data), BUFFER_SIZE_MAX - len(self._incoming))
        self._incoming += data[:size]
        self._schedule()
        return data[size:]

    def _schedule(self) -> None:
        if not self._scheduled and not self._paused and not self._over:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if self._paused or self._over:
            return
        if self._incoming:
            buffer = self._receiver.get_buffer()
            size = min(len(buffer), len(self._incoming))
            buffer[:size] = self._incoming[:size]
            del self._incoming[:size]
            self._receiver.buffer_updated(size)
            self.other._unclog()
            self._schedule()
        elif self.other._closing and self.other._kept is None:
            self.other._end(None)
            self._end(None)

    def _unclog(self) -> None:
        if self._kept is None or self._over:
            return
        self._kept = self.other._take(self._kept) or None
        if self._kept is None and not self._closing:
            self._loop.call_soon(self._tell_writable)

    def _tell_writable(self) -> None:
        if not self._over and self._kept is None:
            self._receiver.writable()

    def _end(self, error: Exception | None) -> None:
        if not self._over:
            self._over = True
            self._incoming.clear()
            self._loop.call_soon(self._receiver.disconnected, error)


class MemoryListener:
    """An open door of a `MemoryNetwork`."""

    def __init__(self, doors: dict[str, ReceiverFactory], address: str) -> None:
        self._doors = doors
        self.address = address

    async def close(self) -> None:
        self._doors.pop(self.address, None)


class MemoryNetwork:
    """A `Transport` whose doors are its own: those who share the object can dial each other."""

    scheme = "memory"

    def __init__(self) -> None:
        self._doors: dict[str, ReceiverFactory] = {}

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        _check(address)
        if address in self._doors:
            raise RefusedError(f"Somebody listens on {address} already.", "Choose another name.")
        self._doors[address] = accept
        return MemoryListener(self._doors, address)

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        _check(address)
        accept = self._doors.get(address)
        if accept is None:
            raise UnreachableError(f"Nobody answers at {address}.")
        far = accept()
        here = MemoryConnection(receiver, _SCHEME, address)
        there = MemoryConnection(far, address, _SCHEME)
        here.other, there.other = there, here
        far.connected(there)
        receiver.connected(here)
        return here


def _check(address: str) -> None:
    if not address.startswith(_SCHEME) or address == _SCHEME:
        raise UsageError(f"{address!r} is not a memory address.", "Write it as memory:name.")
