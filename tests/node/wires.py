"""What can be done to a node's wires and disk in tests: counting, and running out of space."""

from __future__ import annotations

import errno
import os

from capsa.net.base import Connection, Listener, Receiver, ReceiverFactory, Transport
from capsa.stores.disk import Disk


class Meter:
    """A transport that counts the bytes which its node writes, and on request keeps them."""

    def __init__(self, transport: Transport, *, keep: bool = False) -> None:
        self._transport = transport
        self._keep = keep
        self.written = 0
        self.kept = bytearray()

    def note(self, data: memoryview) -> None:
        self.written += len(data)
        if self._keep:
            self.kept += data

    @property
    def scheme(self) -> str:
        return self._transport.scheme

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        return await self._transport.listen(address, lambda: _Metered(accept(), self))

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        return await self._transport.dial(address, _Metered(receiver, self))


class _Metered:
    def __init__(self, receiver: Receiver, meter: Meter) -> None:
        self._receiver = receiver
        self._meter = meter
        self.get_buffer = receiver.get_buffer
        self.buffer_updated = receiver.buffer_updated
        self.writable = receiver.writable
        self.disconnected = receiver.disconnected

    def connected(self, connection: Connection) -> None:
        self._receiver.connected(_MeteredConnection(connection, self._meter))


class _MeteredConnection:
    def __init__(self, connection: Connection, meter: Meter) -> None:
        self._connection = connection
        self._meter = meter
        self.pause_reading = connection.pause_reading
        self.resume_reading = connection.resume_reading
        self.close = connection.close
        self.abort = connection.abort
        self.remote = connection.remote
        self.local = connection.local

    def write(self, data: memoryview) -> bool:
        self._meter.note(data)
        return self._connection.write(data)


class Cramped:
    """A disk that says how much of it is used, or, while `mute`, fails to."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.used_percent = 10
        self.mute = False
        self.asked = 0
        self.open = disk.open
        self.names = disk.names
        self.make_folder = disk.make_folder
        self.rename = disk.rename
        self.remove = disk.remove
        self.sync_folder = disk.sync_folder
        self.database = disk.database

    def space(self) -> tuple[int, int]:
        self.asked += 1
        if self.mute:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        total = 10**12
        return total * (100 - self.used_percent) // 100, total
