"""The pool: one session a pair, whoever dials, reconnects, restarts or gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from capsa.core.envelope import Codec
from capsa.core.ids import NodeId
from capsa.core.messages import Message, Ping, Pong
from capsa.errors import (
    BusyError,
    LostConnectionError,
    NotMemberError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from capsa.net import pool as pools
from capsa.net.base import Connection, Receiver
from capsa.net.identity import Peer, Role, SharedSecret
from capsa.net.memory import BulkMemory
from capsa.net.pool import Pool
from capsa.net.rpc import Answer
from capsa.net.secure import SecureChannel
from capsa.net.session import Session
from capsa.net.transports.memory import MemoryNetwork
from capsa.testing.sessions import MESSAGES, echo
from tests.net.cast import NETWORK, SECRET, CountedEntropy, device, make_pool, running

A, B, C, D = (device(name).node for name in "abcd")


class CountingNetwork(MemoryNetwork):
    """Counts dials, and can hold them back."""

    def __init__(self) -> None:
        super().__init__()
        self.dials = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        self.dials += 1
        await self.gate.wait()
        return await super().dial(address, receiver)


async def ping(session: Session, number: int = 1) -> None:
    assert (await session.call(Ping(number), timeout=5)).body == Pong(number)


async def settle(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - looks at any state, which has no event to wait for
            await asyncio.sleep(0)


async def test_one_session_serves_both_directions() -> None:
    network = MemoryNetwork()
    a, b = make_pool("a", network), make_pool("b", network)
    async with running(a, b):
        await b.listen("memory:b")
        near = await a.session(B, ["memory:b"])
        assert await a.session(B, []) is near
        far = await b.session(A, [])
        await ping(near)
        await ping(far)
        assert near.peer == Peer(B, None, admitted=True)
        assert near.dialled and not far.dialled
        assert near.hello is not None and far.hello is not None and near.hello.boot != far.hello.boot
    assert not a.sessions and not b.sessions


async def test_addresses_are_tried_in_order() -> None:
    network = MemoryNetwork()
    a, b, c = (make_pool(name, network) for name in "abc")
    async with running(a, b, c):
        await b.listen("memory:b")
        await c.listen("memory:c")
        await ping(await a.session(B, ["memory:nobody", "memory:c", "other:b", "memory:b"]))
        with pytest.raises(UnreachableError):
            await a.session(D, ["memory:nobody", "memory:c"])
        with pytest.raises(UnreachableError):
            await a.session(D, [])


async def test_an_unexpected_node_and_an_unknown_scheme_are_refused() -> None:
    network = MemoryNetwork()
    a, b = make_pool("a", network), make_pool("b", network)
    async with running(a, b):
        await b.listen("memory:b")
        with pytest.raises(NotMemberError):
            await a.dial("memory:b", expect=C)
        with pytest.raises(UsageError):
            await a.dial("carrier-pigeon:b")
        assert not a.sessions
        await settle(lambda: not b.sessions)


async def test_a_node_does_not_talk_to_itself() -> None:
    a = make_pool("a", MemoryNetwork())
    async with running(a):
        await a.listen("memory:a")
        with pytest.raises(RefusedError):
            await a.dial("memory:a")
        assert not a.sessions


async def test_callers_share_one_dial_and_one_may_give_up() -> None:
    network = CountingNetwork()
    a, b = make_pool("a", network), make_pool("b", network)
    async with running(a, b), asyncio.TaskGroup() as tasks:
        await b.listen("memory:b")
        network.gate.clear()
        callers = [tasks.create_task(a.session(B, ["memory:b"])) for _ in range(5)]
        await asyncio.sleep(0)
        callers[0].cancel()
        await asyncio.sleep(0)
        network.gate.set()
        sessions = [await caller for caller in callers[1:]]
        assert callers[0].cancelled() and len(set(map(id, sessions))) == 1 and network.dials == 1


async def test_of_two_simultaneous_dials_the_lower_ids_stands() -> None:
    network = CountingNetwork()
    a, b = make_pool("a", network), make_pool("b", network)
    lower = min((a, A), (b, B), key=lambda one: one[1])[0]
    async with running(a, b), asyncio.TaskGroup() as tasks:
        await a.listen("memory:a")
        await b.listen("memory:b")
        network.gate.clear()
        dials = [tasks.create_task(a.dial("memory:b")), tasks.create_task(b.dial("memory:a"))]
        await settle(lambda: network.dials == 2)
        network.gate.set()
        for dial in dials:
            await ping(await dial)
        for pool, peer in ((a, B), (b, A)):
            assert pool.sessions[peer].dialled == (pool is lower)
            await ping(pool.sessions[peer])


async def test_a_dial_cancelled_at_any_moment_leaves_nothing() -> None:
    network = MemoryNetwork()
    a, b = make_pool("a", network), make_pool("b", network)
    async with running(a, b):
        await b.listen("memory:b")
        finished = False
        for turns in range(100):
            async with asyncio.TaskGroup() as tasks:
                dial = tasks.create_task(a.dial("memory:b"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                dial.cancel()
            if not dial.cancelled():
                finished = True
                break
            await settle(lambda: not a.sessions and not b.sessions)
        assert finished and turns > 5
        await ping(await a.session(B, ["memory:b"]))


async def test_a_new_boot_replaces_the_old_session() -> None:
    network = MemoryNetwork()
    b = make_pool("b", network)
    async with running(b):
        await b.listen("memory:b")
        first = make_pool("a", network)
        async with running(first):
            await first.dial("memory:b")
            old = b.sessions[A]
            second = make_pool("a", network, entropy=CountedEntropy("a again"))
            async with running(second):
                session = await second.dial("memory:b")
                await old.wait_closed()
                assert b.sessions[A] is not old
                await ping(session)
                await ping(b.sessions[A])


async def test_a_peer_that_redials_is_not_locked_out_by_its_dead_session() -> None:
    network = MemoryNetwork()
    a, b = make_pool("a", network), make_pool("b", network)
    async with running(a, b):
        await b.listen("memory:b")
        await a.dial("memory:b")
        old = b.sessions[A]
        new = await a.dial("memory:b")
        assert a.sessions[B] is new and b.sessions[A] is not old
        await ping(b.sessions[A])
        await ping(new)


async def test_a_peer_that_dials_long_after_us_has_found_our_session_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    network = MemoryNetwork()
    lower, higher = sorted("ab", key=lambda name: device(name).node)
    a, b = make_pool(lower, network), make_pool(higher, network)
    async with running(a, b):
        await a.listen("memory:lower")
        await b.listen("memory:higher")
        old = await a.dial("memory:higher")
        assert await b.dial("memory:lower") is b.sessions[device(lower).node]
        assert a.sessions[device(higher).node] is old, "dials at the same time: the lower one's stands"
        monkeypatch.setattr(pools, "SIMULTANEOUS_SECONDS", -1.0)
        new = await b.dial("memory:lower")
        assert new.dialled and b.sessions[device(lower).node] is new
        assert not a.sessions[device(higher).node].dialled
        await ping(new)


class Doorman(SharedSecret):
    """Takes everybody for a joiner."""

    def check(self, role: Role, static_public: bytes, payload: bytes) -> Peer:
        return Peer(super().check(role, static_public, payload).node, None, admitted=False)


async def test_a_joiner_is_served_but_not_listed() -> None:
    network = MemoryNetwork()
    opened: list[Session] = []
    a = make_pool("a", network)
    doorman = Doorman(device("b"), NETWORK, SECRET)
    b = Pool(
        {"memory": network},
        doorman,
        echo,
        entropy=CountedEntropy("b"),
        messages=MESSAGES,
        on_open=opened.append,
    )
    async with running(a, b):
        await b.listen("memory:b")
        await ping(await a.dial("memory:b"))
        assert not b.sessions and [session.peer.admitted for session in opened] == [False]


async def test_opening_and_closing_are_told_in_pairs() -> None:
    network = MemoryNetwork()
    told: list[tuple[str, NodeId]] = []
    a = make_pool("a", network)
    b = make_pool(
        "b",
        network,
        on_open=lambda session: told.append(("open", session.peer.node)),
        on_close=lambda session: told.append(("close", session.peer.node)),
    )
    async with running(a, b):
        await b.listen("memory:b")
        session = await a.dial("memory:b")
        session.close()
        await settle(lambda: len(told) == 2)
        assert not b.sessions
        await a.dial("memory:b")
    assert told == [("open", A), ("close", A), ("open", A), ("close", A)]


async def test_idle_sessions_beyond_the_cap_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "SESSIONS_MAX", 2)
    network = MemoryNetwork()
    hub = make_pool("hub", network, keep=lambda node: node == A)
    others = [make_pool(name, network) for name in "abcd"]
    async with running(hub, *others):
        for pool, name in zip(others, "abcd", strict=True):
            await pool.listen(f"memory:{name}")
        for node, name in zip((A, B, C, D), "abcd", strict=True):
            await hub.session(node, [f"memory:{name}"])
        assert list(hub.sessions) == [A, D]


async def test_nothing_is_answered_before_the_hello() -> None:
    network = MemoryNetwork()
    b = make_pool("b", network)
    rude = Session(
        lambda owner: SecureChannel(
            owner,
            Role.INITIATOR,
            SharedSecret(device("a"), NETWORK, SECRET),
            BulkMemory(),
            static_private=bytes([1] * 32),
            ephemeral_private=bytes([2] * 32),
        ),
        Codec(MESSAGES),
        echo,
    )
    async with running(b):
        await b.listen("memory:b")
        await network.dial("memory:b", rude.channel)
        await rude.opened()
        with pytest.raises(BusyError):
            await rude.call(Ping(), timeout=5)


async def test_the_end_of_the_pool_ends_everything() -> None:
    network = CountingNetwork()
    entered = asyncio.Event()

    async def never(session: Session, message: Message, payload: memoryview) -> Answer:
        entered.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")

    a, b = make_pool("a", network), make_pool("b", network, never)
    async with running(a):
        async with asyncio.TaskGroup() as tasks:
            async with running(b):
                await b.listen("memory:b")
                session = await a.dial("memory:b")
                call = tasks.create_task(_lost(session))
                await entered.wait()
                network.gate.clear()
                dial = tasks.create_task(_dial_lost(b))
                await settle(lambda: network.dials == 2)
            await call
            await dial
        network.gate.set()
        with pytest.raises(UnreachableError):
            await a.dial("memory:b")


async def _lost(session: Session) -> None:
    with pytest.raises(LostConnectionError):
        await session.call(Ping(), timeout=5)


async def _dial_lost(pool: Pool) -> None:
    with pytest.raises(LostConnectionError):
        await pool.session(C, ["memory:c"])
