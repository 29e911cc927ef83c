"""What strangers, meddlers and lying members can do to a session, a pool and their memory."""

from __future__ import annotations

import asyncio
import random

import pytest

from capsa.core.envelope import Codec, Type
from capsa.core.frames import FrameWriter, Outgoing
from capsa.core.messages import PAYLOAD_SIZE_MAX, Failure, Get, Got, Message, Ping, Pong, Put, PutDone
from capsa.errors import LostConnectionError, NotMemberError, UnreachableError
from capsa.net import pool as pools
from capsa.net.doorkeeper import HANDSHAKES_A_HOST_MAX, HANDSHAKES_MAX, Doorkeeper
from capsa.net.local import Control
from capsa.net.pool import Pool
from capsa.net.rpc import HANDLERS_MAX, REPLY_BYTES_MAX, REQUEST_BYTES_MAX, REQUESTS_MAX, Answer
from capsa.net.session import Session
from capsa.net.transports.memory import MemoryNetwork
from capsa.net.transports.tcp import TcpTransport
from capsa.testing.sessions import MESSAGES
from capsa.testing.transports import Recorder, pattern
from tests.net.cast import Meddler, make_pool, running

CODEC = Codec(MESSAGES)


class Ask(Message, frozen=True, array_like=True):
    """A kind of message that nobody knows."""

    code = 999


def framed(*parts: bytes | bytearray) -> bytes:
    """One message as it stands on an unprotected stream."""
    writer = FrameWriter()
    writer.send(Outgoing(parts))
    stream = b""
    while plaintext := writer.next(1 << 20):
        stream += plaintext
    return stream


def request(number: int, message: Message, payload: bytes = b"") -> bytes:
    return framed(CODEC.encode(Type.REQUEST, number, message, len(payload)), payload)


PUT = Put(bytes(16), (bytes(32),), (1,))
PING = bytes(CODEC.encode(Type.REQUEST, 1, Ping(), 0))


# --- strangers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: capsa\r\n\r\n",
        b"\x00\x00",
        b"\xff\xff" + bytes(100),
        (48).to_bytes(2, "big") + bytes(48),
        (47).to_bytes(2, "big") + bytes(47),
        random.Random(1).randbytes(100_000),
    ],
    ids=["http", "empty message", "oversize", "zeros", "short", "random"],
)
async def test_garbage_is_dropped_at_once(garbage: bytes) -> None:
    network = MemoryNetwork()
    pool = make_pool("far", network)
    async with running(pool):
        await pool.listen("memory:far")
        stranger = Recorder()
        connection = await network.dial("memory:far", stranger)
        connection.write(memoryview(garbage))
        await stranger.end()
        assert stranger.data == b"" and not pool.sessions


@pytest.mark.parametrize("size", [0, 1, 2, 30, 49])
async def test_a_handshake_cut_short_leaves_nothing(size: int) -> None:
    network = MemoryNetwork()
    pool = make_pool("far", network)
    async with running(pool):
        await pool.listen("memory:far")
        stranger = Recorder()
        connection = await network.dial("memory:far", stranger)
        connection.write(memoryview((48).to_bytes(2, "big") + bytes(48))[:size])
        connection.close()
        await stranger.end()
        assert not pool.sessions


async def test_a_silent_stranger_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "HANDSHAKE_TIMEOUT_SECONDS", 0.01)
    network = MemoryNetwork()
    pool = make_pool("far", network)
    async with running(pool):
        await pool.listen("memory:far")
        stranger = Recorder()
        await network.dial("memory:far", stranger)
        await stranger.end()


async def test_who_does_not_know_the_secret_gets_no_session() -> None:
    network = MemoryNetwork()
    far, stranger = make_pool("far", network), make_pool("stranger", network, secret=bytes(32))
    async with running(far, stranger):
        await far.listen("memory:far")
        with pytest.raises(LostConnectionError):
            await stranger.dial("memory:far")
        await stranger.listen("memory:stranger")
        with pytest.raises(UnreachableError):
            await far.dial("memory:stranger")
        assert not far.sessions and not stranger.sessions


async def test_a_dialler_notices_a_listener_without_the_secret() -> None:
    """A listener that answers by made-up bytes is no member."""
    network = MemoryNetwork()
    pool = make_pool("near", network)
    answers = Recorder()
    async with running(pool):
        await network.listen("memory:fake", lambda: answers)
        async with asyncio.TaskGroup() as tasks:
            dial = tasks.create_task(_not_member(pool))
            await answers.reach(50)
            answers.connection.write(memoryview((144).to_bytes(2, "big") + pattern(144)))
            await dial


async def _not_member(pool: Pool) -> None:
    with pytest.raises(NotMemberError):
        await pool.dial("memory:fake")


async def test_hundreds_of_silent_and_babbling_sockets_lock_nobody_out() -> None:
    far, near = make_pool("far", TcpTransport()), make_pool("near", TcpTransport())
    async with running(far, near):
        listener = await far.listen("tcp://127.0.0.1:0")
        strangers = [Recorder() for _ in range(600)]
        noise = random.Random(2)
        for number, stranger in enumerate(strangers):
            connection = await TcpTransport().dial(listener.address, stranger)
            if number % 2:
                connection.write(memoryview(noise.randbytes(noise.randrange(1, 5000))))
        session = await near.dial(listener.address)
        assert (await session.call(Ping(5), timeout=5)).body == Pong(5)
        assert len(far._doorkeeper) <= HANDSHAKES_MAX
        assert list(far.sessions) == [near._authenticator.node]
        for stranger in strangers:
            stranger.connection.abort()
            await stranger.end()


async def test_one_host_gets_its_share_of_the_door_only() -> None:
    doorkeeper = Doorkeeper()

    class Remote:
        """Only what a doorkeeper looks at."""

        def __init__(self, remote: str) -> None:
            self.remote = remote
            self.dropped = False

        def abort(self) -> None:
            self.dropped = True

    honest = Remote("tcp://[2001:db8::1]:1")
    crowd = [Remote(f"tcp://192.0.2.7:{port}") for port in range(HANDSHAKES_A_HOST_MAX + 5)]
    for session in (honest, *crowd, Remote("tcp://192.0.2.8:1")):
        doorkeeper.enter(session)  # type: ignore[arg-type]
    assert [one.dropped for one in crowd] == [True] * 5 + [False] * HANDSHAKES_A_HOST_MAX
    assert not honest.dropped


# --- meddlers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flip", "replay", "drop", "cut"])
async def test_the_first_record_that_was_meddled_with_ends_the_session(how: str) -> None:
    records: list[bytes] = []
    honest = 10**6  # so many records pass untouched

    def meddle(data: memoryview) -> bytes:
        record = bytes(data)
        records.append(record)
        number = len(records) - 1
        if number < honest:
            return record
        match how:
            case "flip":
                return record[:5] + bytes((record[5] ^ 1,)) + record[6:]
            case "replay":
                return records[honest - 1]
            case "drop":
                return b"" if number == honest else record
            case _:
                return record[:-1]

    transport = Meddler(MemoryNetwork(), meddle)
    near, far = make_pool("near", transport), make_pool("far", transport)
    async with running(near, far):
        await far.listen("memory:far")
        session = await near.dial("memory:far")
        for number in range(3):
            assert (await session.call(Ping(number), timeout=5)).body == Pong(number)
        honest = len(records)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):  # of a record left out, the next one tells
                tasks.create_task(_lost(session))
                for _ in range(20):
                    await asyncio.sleep(0)
        await session.wait_closed()


async def _lost(session: Session) -> None:
    with pytest.raises(LostConnectionError):
        await session.call(Ping(77), timeout=5)


# --- lying members: over an unprotected channel, which shares all that comes after the records ---


@pytest.mark.parametrize(
    "stream",
    [
        bytes.fromhex("09000001ff"),
        bytes.fromhex("02000001ffffffff00"),
        framed(PING[:10]),
        framed(b"\x07" + PING[1:]),
        framed(PING + b"\0"),
        framed(PING[:8] + (2**31).to_bytes(4, "big") + PING[12:]),
        framed(CODEC.encode(Type.REPLY, 5, Pong(), 0)),
        framed(PING[:-1] + b"\xc1"),
        request(1, Get(bytes(32))) + request(1, Get(bytes(32))),
        b"".join(request(number, Get(bytes(32))) for number in range(REQUESTS_MAX + 1)),
    ],
    ids=[
        "unknown frame",
        "message of 4 GiB",
        "less than an envelope",
        "unknown type",
        "a byte too many",
        "body of 2 GiB",
        "unasked reply",
        "malformed body",
        "request id used twice",
        "too many requests",
    ],
)
async def test_breaking_the_protocol_ends_the_session(stream: bytes) -> None:
    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")

    network = MemoryNetwork()
    control = Control(handler, MESSAGES)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(control.run())
        await control.listen(network, "memory:control")
        liar = Recorder()
        connection = await network.dial("memory:control", liar)
        connection.write(memoryview(stream))
        await liar.end()
        assert not control.sessions or control.sessions[0].closed
        serving.cancel()


async def test_more_payload_than_allowed_is_left_on_the_wire() -> None:
    release, full = asyncio.Event(), asyncio.Event()
    held = most = 0

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        nonlocal held, most
        held += len(payload)
        most = max(most, held)
        if held > REQUEST_BYTES_MAX:
            full.set()
        await release.wait()
        held -= len(payload)
        return PutDone(), ()

    network = MemoryNetwork()
    control = Control(handler, MESSAGES)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(control.run())
        await control.listen(network, "memory:control")
        liar = Recorder()
        await network.dial("memory:control", liar)
        block = bytes(PAYLOAD_SIZE_MAX)
        writing = tasks.create_task(liar.write(b"".join(request(number, PUT, block) for number in range(12))))
        await full.wait()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert most <= REQUEST_BYTES_MAX + PAYLOAD_SIZE_MAX and not writing.done()
        release.set()
        await writing
        answers = 12 * len(framed(CODEC.encode(Type.REPLY, 0, PutDone(), 0)))
        await liar.reach(answers)
        assert held == 0
        liar.connection.abort()
        await liar.end()
        serving.cancel()


async def test_a_peer_that_never_reads_is_not_served_for_ever() -> None:
    asked, size = 0, 256 * 1024

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        nonlocal asked
        asked += 1
        return Got(), (bytes(size),)

    network = MemoryNetwork()
    control = Control(handler, MESSAGES)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(control.run())
        await control.listen(network, "memory:control")
        liar = Recorder()
        connection = await network.dial("memory:control", liar)
        connection.pause_reading()
        await liar.write(b"".join(request(number, Get(bytes(32))) for number in range(200)))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert 0 < asked <= HANDLERS_MAX + REPLY_BYTES_MAX // size
        connection.resume_reading()
        await liar.reach(200 * size)
        assert asked == 200
        connection.abort()
        await liar.end()
        serving.cancel()


@pytest.mark.parametrize(
    "message",
    [CODEC.encode(Type.REQUEST, 0, Ping(), 0), Codec((Ask,)).encode(Type.REQUEST, 0, Ask(), 0)],
    ids=["answered at once", "of an unknown kind"],
)
async def test_answers_that_nobody_reads_do_not_pile_up(message: bytearray) -> None:
    """They have no payload, but bodies: what is not read counts until it has left."""
    asked, size = 0, 500_000

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        nonlocal asked
        asked += 1
        return Failure("refused", "x" * size), ()

    network = MemoryNetwork()
    control = Control(handler, MESSAGES)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(control.run())
        await control.listen(network, "memory:control")
        liar = Recorder()
        connection = await network.dial("memory:control", liar)
        connection.pause_reading()
        for number in range(20_000):
            message[4:8] = number.to_bytes(4, "big")
            connection.write(memoryview(framed(message)))
            await asyncio.sleep(0)
            if not control.sessions and number:
                break
        assert not control.sessions
        assert asked <= HANDLERS_MAX + REPLY_BYTES_MAX // size + 1
        connection.resume_reading()
        await liar.end()
        serving.cancel()
