"""The simulated network: bytes in order or a broken connection; partitions, crashes and clogging."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.net.base import Connection
from capsa.testing.transports import TRANSPORT_CHECKS, TransportCheck
from capsa.testing.world.loop import run
from capsa.testing.world.network import DIAL_SECONDS, SimNetwork
from capsa.testing.world.trace import Trace
from capsa.testing.world.wires import WINDOW_BYTES, Link

FAR = Link(latency_s=0.1, jitter=0)


class Reader:
    """A receiver that keeps what it gets, in buffers of a chosen size."""

    def __init__(self, room: int = 65536) -> None:
        self.got = bytearray()
        self.error: Exception | None = None
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()
        self.may_write = asyncio.Event()
        self.connection: Connection
        self._buffer = bytearray(room)

    def connected(self, connection: Connection) -> None:
        assert not self.opened.is_set()
        self.connection = connection
        self.opened.set()

    def get_buffer(self) -> memoryview:
        assert not self.ended.is_set()
        return memoryview(self._buffer)

    def buffer_updated(self, size: int) -> None:
        assert not self.ended.is_set()
        self.got += self._buffer[:size]

    def writable(self) -> None:
        assert not self.ended.is_set()
        self.may_write.set()

    def disconnected(self, error: Exception | None) -> None:
        assert not self.ended.is_set()
        self.error = error
        self.ended.set()


class Pair:
    """Two hosts, ann dialling ben, over a wire of 0.1 s."""

    def __init__(self, seed: int = 1) -> None:
        self.network = SimNetwork(seed, Trace())
        self.network.set_link("ann", "ben", FAR)
        self.ann, self.ben = Reader(), Reader()

    async def connect(self) -> Connection:
        listener = await self.network.transport("ben").listen("sim://ben:1", lambda: self.ben)
        try:
            return await self.network.transport("ann").dial("sim://ben:1", self.ann)
        finally:
            await listener.close()


def simulated(test: Callable[[Pair], Awaitable[None]]) -> Callable[[], None]:
    """Run a test of a pair on virtual time."""

    async def main() -> None:
        await test(Pair())

    def in_the_world() -> None:
        run(main())

    in_the_world.__name__ = test.__name__
    return in_the_world


def now() -> float:
    return asyncio.get_running_loop().time()


@simulated
async def test_a_dial_takes_a_round_trip_and_both_sides_know_each_other(pair: Pair) -> None:
    connection = await pair.connect()
    assert now() == pytest.approx(0.2)
    assert connection is pair.ann.connection
    assert (connection.local, connection.remote) == ("sim://ann:49152", "sim://ben:1")
    assert (pair.ben.connection.local, pair.ben.connection.remote) == ("sim://ben:1", "sim://ann:49152")


@simulated
async def test_bytes_arrive_in_order_and_the_end_comes_last(pair: Pair) -> None:
    connection = await pair.connect()
    data = bytes(range(256)) * 4096
    scratch = bytearray(1000)
    for start in range(0, len(data), len(scratch)):
        piece = data[start : start + len(scratch)]
        scratch[: len(piece)] = piece
        if not connection.write(memoryview(scratch)[: len(piece)]):
            await pair.ann.may_write.wait()
            pair.ann.may_write.clear()
        scratch[:] = bytes(len(scratch))  # a true write lets the buffer go
    connection.close()
    assert connection.write(memoryview(b"after the end")), "a write after the end is dropped"
    await pair.ben.ended.wait()
    assert pair.ben.got == data
    assert (pair.ann.error, pair.ben.error) == (None, None)


@simulated
async def test_small_buffers_get_everything(pair: Pair) -> None:
    pair.ben = Reader(room=1)
    connection = await pair.connect()
    connection.write(memoryview(b"a byte at a time"))
    connection.close()
    await pair.ben.ended.wait()
    assert pair.ben.got == b"a byte at a time"


@simulated
async def test_a_reader_that_pauses_clogs_the_writer(pair: Pair) -> None:
    connection = await pair.connect()
    pair.ben.connection.pause_reading()
    data = memoryview(bytes(WINDOW_BYTES))
    assert connection.write(data)
    assert not connection.write(data[:1])
    await asyncio.sleep(3600)
    assert not pair.ben.got
    assert not pair.ann.may_write.is_set()
    pair.ben.connection.resume_reading()
    await pair.ann.may_write.wait()
    connection.close()
    await pair.ben.ended.wait()
    assert len(pair.ben.got) == WINDOW_BYTES + 1


@simulated
async def test_what_a_clogged_connection_keeps_is_sent_before_the_end(pair: Pair) -> None:
    connection = await pair.connect()
    assert not connection.write(memoryview(bytes(3 * WINDOW_BYTES)))
    connection.close()
    connection.close()
    await pair.ben.ended.wait()
    assert len(pair.ben.got) == 3 * WINDOW_BYTES
    assert not pair.ann.may_write.is_set()


@simulated
async def test_writing_while_clogged_is_a_defect(pair: Pair) -> None:
    connection = await pair.connect()
    assert not connection.write(memoryview(bytes(2 * WINDOW_BYTES)))
    with pytest.raises(AssertionError, match="clogged"):
        connection.write(memoryview(b"more"))


@simulated
async def test_an_abort_breaks_the_other_end(pair: Pair) -> None:
    connection = await pair.connect()
    connection.write(memoryview(b"may be lost"))
    connection.abort()
    connection.abort()
    await pair.ben.ended.wait()
    assert pair.ann.error is None
    assert isinstance(pair.ben.error, ConnectionResetError)


@simulated
async def test_bandwidth_is_shared_by_all_connections_of_a_wire(pair: Pair) -> None:
    pair.network.set_link("ann", "ben", Link(latency_s=0.1, jitter=0, bandwidth_bytes_per_s=1_000_000))
    readers = [Reader(), Reader()]
    waiting = list(readers)
    await pair.network.transport("ben").listen("sim://ben:1", waiting.pop)
    for _ in range(2):
        connection = await pair.network.transport("ann").dial("sim://ben:1", Reader())
        assert connection.write(memoryview(bytes(100_000)))
        connection.close()
    for reader in readers:
        await reader.ended.wait()
        assert len(reader.got) == 100_000
    # A round trip, the first's bytes leave, behind them a round trip, the second's bytes leave, and travel.
    assert now() == pytest.approx(0.2 + 0.1 + 0.2 + 0.1 + 0.1)


@simulated
async def test_a_partition_holds_bytes_and_healing_lets_them_go(pair: Pair) -> None:
    connection = await pair.connect()
    pair.network.partition({"ann"}, {"ben", "cat"})
    connection.write(memoryview(b"held"))
    await asyncio.sleep(10)
    assert not pair.ben.got
    pair.network.heal()
    await asyncio.sleep(1)
    assert pair.ben.got == b"held"
    connection.write(memoryview(b", then free"))
    connection.close()
    await pair.ben.ended.wait()
    assert pair.ben.got == b"held, then free"


@simulated
async def test_a_partition_breaks_connections_that_wait_and_spares_idle_ones(pair: Pair) -> None:
    connection = await pair.connect()
    pair.network.partition({"ben"}, {"ann"})
    await asyncio.sleep(3600)
    assert not pair.ann.ended.is_set()
    connection.write(memoryview(b"anybody there?"))
    await pair.ann.ended.wait()
    await pair.ben.ended.wait()
    assert isinstance(pair.ann.error, ConnectionResetError)
    assert not pair.ben.got


@simulated
async def test_a_partition_swallows_dials_until_their_deadline(pair: Pair) -> None:
    pair.network.partition({"ann"}, {"ben"})
    with pytest.raises(UnreachableError):
        await pair.connect()
    assert now() == pytest.approx(DIAL_SECONDS)
    assert not pair.ann.opened.is_set()
    pair.network.heal()
    await pair.connect()


@simulated
async def test_a_dial_that_is_cancelled_leaves_nothing_open(pair: Pair) -> None:
    for after in (0.0, 0.05, 0.15, 0.25):
        pair.ann, pair.ben = Reader(), Reader()
        try:
            async with asyncio.timeout(after):
                await pair.connect()
                await asyncio.Event().wait()
        except TimeoutError:
            await asyncio.sleep(1)
        if pair.ann.opened.is_set():
            pair.ann.connection.abort()
            await pair.ann.ended.wait()
        if pair.ben.opened.is_set():
            await pair.ben.ended.wait()
        await asyncio.sleep(1)
        pair.network.crash("ben")


@simulated
async def test_a_crash_breaks_connections_for_others_when_they_hear_of_it(pair: Pair) -> None:
    await pair.connect()
    await pair.network.transport("ben").listen("sim://ben:1", Reader)
    before = now()
    pair.network.crash("ben")
    await pair.ann.ended.wait()
    assert now() - before == pytest.approx(0.1)
    assert isinstance(pair.ann.error, ConnectionResetError)
    with pytest.raises(UnreachableError):
        await pair.network.transport("ann").dial("sim://ben:1", Reader())


@simulated
async def test_lost_connections_end_at_both_sides(pair: Pair) -> None:
    await pair.connect()
    pair.network.lose("ben", "ann")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for reader in (pair.ann, pair.ben):
        assert isinstance(reader.error, ConnectionResetError)


@simulated
async def test_a_wire_may_break_connections_by_chance(pair: Pair) -> None:
    pair.network.set_link("ann", "ben", Link(latency_s=0.1, reset_chance=1.0))
    connection = await pair.connect()
    connection.write(memoryview(b"never gets there"))
    await pair.ben.ended.wait()
    assert not pair.ben.got
    assert isinstance(pair.ann.error, ConnectionResetError)


@pytest.mark.parametrize(
    "address", ["tcp://ben:1", "sim://ben", "sim://ben:", "sim://:1", "sim://ben:65536", "sim://ben:-1", "sim://ben:²"]
)
def test_malformed_addresses_are_refused(address: str) -> None:
    async def main() -> None:
        transport = SimNetwork(1, Trace()).transport("ben")
        with pytest.raises(UsageError):
            await transport.listen(address, Reader)
        with pytest.raises(UsageError):
            await transport.dial(address, Reader())

    run(main())


@simulated
async def test_doors_are_refused_where_they_are_taken_or_not_ours(pair: Pair) -> None:
    ben = pair.network.transport("ben")
    listener = await ben.listen("sim://ben:0", Reader)
    assert listener.address == "sim://ben:49152"
    assert (await ben.listen("sim://ben:0", Reader)).address == "sim://ben:49153"
    for address in (listener.address, "sim://ann:1"):
        with pytest.raises(RefusedError):
            await ben.listen(address, Reader)
    await listener.close()
    await listener.close()
    with pytest.raises(UnreachableError):
        await ben.dial(listener.address, Reader())
    assert (await ben.listen("sim://ben:49152", Reader)).address == listener.address


@simulated
async def test_a_halted_transport_does_nothing_any_more(pair: Pair) -> None:
    ben = pair.network.transport("ben")
    ben.halt()
    for call in (ben.listen("sim://ben:1", Reader), ben.dial("sim://ann:1", Reader())):
        with pytest.raises(asyncio.CancelledError):
            await call


@simulated
async def test_a_tap_sees_what_is_sent_and_by_whom(pair: Pair) -> None:
    seen: list[tuple[str, str, bytes]] = []
    pair.network.tap = lambda source, target, data: seen.append((source, target, data))
    connection = await pair.connect()
    connection.write(memoryview(b"on the wire"))
    assert b"".join(data for _, _, data in seen) == b"on the wire"
    assert {(source, target) for source, target, _ in seen} == {("ann", "ben")}


@pytest.mark.parametrize("check", TRANSPORT_CHECKS)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_a_transport(check: TransportCheck, seed: int) -> None:
    async def main() -> None:
        await check(SimNetwork(seed, Trace()).transport("ann"), "sim://ann:1")

    run(main())
