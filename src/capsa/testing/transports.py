"""What every transport must do: one check a function, each given the transport and a free address to listen on.

Run all of `TRANSPORT_CHECKS` on a new transport, each with an address of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.net.base import Connection, Listener, Receiver, Transport

TransportCheck = Callable[[Transport, str], Awaitable[None]]

_PATTERN: Final = bytes(range(251))
_CLOG_SIZE: Final = 32 * 1024 * 1024  # more than any system keeps for a reader that does not read


def pattern(size: int) -> bytes:
    """`size` bytes in which any shift shows."""
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]


class Recorder:
    """A `Receiver` that keeps what comes, and checks the order in which it is called."""

    def __init__(self, buffer_size: int = 64 * 1024, changed: asyncio.Event | None = None) -> None:
        self.data = bytearray()
        self.error: Exception | None = None
        self._buffer = bytearray(buffer_size)
        self._connection: Connection | None = None
        self._changed = changed or asyncio.Event()
        self.writable_calls = 0
        self.over = False

    @property
    def connection(self) -> Connection:
        assert self._connection is not None, "connected() has not been called"
        return self._connection

    def connected(self, connection: Connection) -> None:
        assert self._connection is None, "connected() was called twice"
        self._connection = connection
        self._changed.set()

    def get_buffer(self) -> memoryview:
        assert self._connection is not None and not self.over
        return memoryview(self._buffer)

    def buffer_updated(self, size: int) -> None:
        assert 0 < size <= len(self._buffer)
        self.data += self._buffer[:size]
        self._changed.set()

    def writable(self) -> None:
        self.writable_calls += 1
        self._changed.set()

    def disconnected(self, error: Exception | None) -> None:
        assert self._connection is not None and not self.over, "disconnected() came early or twice"
        self.over = True
        self.error = error
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, looking again after each call."""
        await _until(self._changed, condition)

    async def reach(self, size: int) -> None:
        """Wait until `size` bytes have come."""
        await self.until(lambda: len(self.data) >= size)

    async def end(self) -> None:
        """Wait until the connection is over."""
        await self.until(lambda: self.over)

    async def write(self, data: bytes) -> None:
        """Write everything, waiting whenever the connection is clogged."""
        before = self.writable_calls
        if not self.connection.write(memoryview(data)):
            await self.until(lambda: self.writable_calls > before or self.over)


async def _until(changed: asyncio.Event, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            changed.clear()
            await changed.wait()


class Door:
    """A listener, and the receivers of what it accepted."""

    def __init__(self, buffer_size: int) -> None:
        self.accepted: list[Recorder] = []
        self.listener: Listener
        self._buffer_size = buffer_size
        self._changed = asyncio.Event()

    def accept(self) -> Receiver:
        recorder = Recorder(self._buffer_size, self._changed)
        self.accepted.append(recorder)
        return recorder

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, looking again after each call of an accepted receiver."""
        await _until(self._changed, condition)


@asynccontextmanager
async def opened(transport: Transport, address: str, buffer_size: int = 64 * 1024) -> AsyncIterator[Door]:
    """A door that is closed again, with all it accepted."""
    door = Door(buffer_size)
    door.listener = await transport.listen(address, door.accept)
    try:
        yield door
    finally:
        await door.listener.close()
        for recorder in door.accepted:
            recorder.connection.abort()
            await recorder.end()


@asynccontextmanager
async def paired(
    transport: Transport, address: str, buffer_size: int = 64 * 1024
) -> AsyncIterator[tuple[Recorder, Recorder]]:
    """Two connected ends: who dialled, and who accepted."""
    async with opened(transport, address, buffer_size) as door:
        here = Recorder(buffer_size)
        connection = await transport.dial(door.listener.address, here)
        assert here.connection is connection, "connected() was not called before dial() returned"
        await here.write(b"!")
        await door.until(lambda: bool(door.accepted and door.accepted[0].data))
        there = door.accepted[0]
        there.data.clear()
        yield here, there
        connection.abort()
        await here.end()


async def check_bytes_arrive_in_order(transport: Transport, address: str) -> None:
    async with paired(transport, address) as ends:
        sizes = (1, 2, 1000, 65536, 1, 1_000_000)
        sent = b"".join(map(pattern, sizes))
        for source, target in (ends, ends[::-1]):
            for size in sizes:
                await source.write(pattern(size))
            await target.reach(len(sent))
            assert target.data == sent


async def check_both_directions_at_once(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        data = pattern(3_000_000)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(here.write(data))
            tasks.create_task(there.write(data[::-1]))
        await there.reach(len(data))
        await here.reach(len(data))
        assert there.data == data and here.data == data[::-1]


async def check_a_receiver_may_give_one_byte_at_a_time(transport: Transport, address: str) -> None:
    async with paired(transport, address, buffer_size=1) as (here, there):
        await here.write(pattern(2000))
        await there.reach(2000)
        assert there.data == pattern(2000)


async def check_a_written_buffer_may_be_reused(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        buffer = bytearray(b"first")
        assert here.connection.write(memoryview(buffer)), "five bytes clogged the connection"
        buffer[:] = b"other"
        await there.reach(5)
        assert there.data == b"first"


async def check_a_clogged_connection_says_so(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        there.connection.pause_reading()
        there.connection.pause_reading()
        chunk = pattern(256 * 1024)
        sent = 0
        while here.connection.write(memoryview(chunk)):
            sent += len(chunk)
            assert sent < _CLOG_SIZE, "a connection whose other side does not read never clogs"
            await asyncio.sleep(0)
        sent += len(chunk)
        assert here.writable_calls == 0, "writable() was called on a clogged connection"
        there.connection.resume_reading()
        there.connection.resume_reading()
        await here.until(lambda: here.writable_calls == 1)
        await there.reach(sent)
        assert there.data == chunk * (sent // len(chunk))
        assert here.connection.write(memoryview(b"."))


async def check_close_sends_what_was_written(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        data = pattern(2_000_000)
        here.connection.write(memoryview(data))
        here.connection.close()
        here.connection.close()
        await there.end()
        await here.end()
        assert there.data == data
        assert here.error is None and there.error is None


async def check_abort_ends_both_sides(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        there.connection.abort()
        there.connection.abort()
        await here.end()
        await there.end()
        assert there.error is None


async def check_a_clogged_connection_can_be_aborted(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        there.connection.pause_reading()
        chunk = memoryview(pattern(_CLOG_SIZE))
        assert not here.connection.write(chunk)
        here.connection.abort()
        await here.end()
        there.connection.resume_reading()
        await there.end()
        assert here.writable_calls == 0


async def check_writes_after_the_end_are_dropped(transport: Transport, address: str) -> None:
    async with paired(transport, address) as (here, there):
        here.connection.close()
        await here.end()
        for _ in range(10):
            assert here.connection.write(memoryview(b"late"))
        here.connection.pause_reading()
        here.connection.resume_reading()
        here.connection.abort()
        await there.end()
        assert there.data == b""


async def check_accepted_connections_outlive_the_door(transport: Transport, address: str) -> None:
    door = Door(1024)
    door.listener = await transport.listen(address, door.accept)
    here = Recorder()
    await transport.dial(door.listener.address, here)
    await here.write(b"?")
    await door.until(lambda: bool(door.accepted and door.accepted[0].data))
    await door.listener.close()
    await door.listener.close()
    there = door.accepted[0]
    await there.until(lambda: there.data == b"?")
    await there.write(b"still here")
    await here.until(lambda: here.data == b"still here")
    await _refused(transport, door.listener.address)
    here.connection.close()
    await here.end()
    await there.end()


async def check_a_door_opens_again(transport: Transport, address: str) -> None:
    for _ in range(2):
        async with paired(transport, address) as (here, there):
            await here.write(b"again")
            await there.reach(5)
            assert there.data == b"again"


async def check_an_address_is_taken_once(transport: Transport, address: str) -> None:
    async with opened(transport, address) as door:
        try:
            second = await transport.listen(door.listener.address, Recorder)
        except RefusedError:
            return
        await second.close()
        raise AssertionError("two listeners share one address")


async def check_malformed_addresses(transport: Transport, address: str) -> None:
    for malformed in ("", "nothing", f"other-{address}"):
        for attempt in (transport.listen(malformed, Recorder), transport.dial(malformed, Recorder())):
            try:
                await attempt
            except UsageError:
                continue
            raise AssertionError(f"{malformed!r} was taken for an address")


async def check_many_connections(transport: Transport, address: str) -> None:
    async with opened(transport, address, 1024) as door:
        ends = [Recorder() for _ in range(50)]
        async with asyncio.TaskGroup() as tasks:
            for end in ends:
                tasks.create_task(transport.dial(door.listener.address, end))
        for number, end in enumerate(ends):
            await end.write(bytes((number,)))
        await door.until(lambda: sum(len(recorder.data) for recorder in door.accepted) == len(ends))
        assert sorted(recorder.data[0] for recorder in door.accepted) == list(range(50))
        for end in ends:
            end.connection.abort()
            await end.end()


async def check_a_cancelled_dial_leaves_nothing(transport: Transport, address: str) -> None:
    async with opened(transport, address) as door:
        for turns in range(4):
            here = Recorder()
            async with asyncio.TaskGroup() as tasks:
                dial = tasks.create_task(transport.dial(door.listener.address, here))
                for _ in range(turns):
                    await asyncio.sleep(0)
                dial.cancel()
            if not dial.cancelled():
                here.connection.abort()
            if here._connection is not None:
                await here.end()


async def _refused(transport: Transport, address: str) -> None:
    try:
        connection = await transport.dial(address, Recorder())
    except UnreachableError:
        return
    connection.abort()
    raise AssertionError("somebody answers where nobody listens")


TRANSPORT_CHECKS: tuple[TransportCheck, ...] = (
    check_bytes_arrive_in_order,
    check_both_directions_at_once,
    check_a_receiver_may_give_one_byte_at_a_time,
    check_a_written_buffer_may_be_reused,
    check_a_clogged_connection_says_so,
    check_close_sends_what_was_written,
    check_abort_ends_both_sides,
    check_a_clogged_connection_can_be_aborted,
    check_writes_after_the_end_are_dropped,
    check_accepted_connections_outlive_the_door,
    check_a_door_opens_again,
    check_an_address_is_taken_once,
    check_malformed_addresses,
    check_many_connections,
    check_a_cancelled_dial_leaves_nothing,
)
