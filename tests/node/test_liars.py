"""Members that lie: wrong bytes, false receipts, garbage. They are dropped, and another is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from capsa.core.claims import ClaimPart, make_receipt
from capsa.core.ids import BlockId
from capsa.core.keys import DeviceKey
from capsa.core.messages import PAYLOAD_SIZE_MAX, Claim, Claimed, Find, Found, Get, Got, Message, Pong, Put, PutDone
from capsa.errors import CapsaError, NotFoundError
from capsa.net import pool as pools
from capsa.net.base import Transport
from capsa.net.rpc import Answer
from capsa.net.session import Session
from tests.net.cast import Meddler
from tests.node.liar import Liar, Lie, lying
from tests.node.network import FAST, PATIENCE_SECONDS, Network, live, noise, secret_of

EVE = DeviceKey(secret_of("device eve"))


def receipt_of(message: Claim, network: Network, **changes: object) -> bytes:
    """A right receipt for a claim, or one that `changes` make false."""
    part = ClaimPart.parse(message.part, network.home("eve").network)
    facts: dict[str, object] = {
        "key": EVE,
        "network": network.home("eve").network,
        "part_digest": part.digest,
        "ids": [part.blocks[index][0] for index in message.indexes],
        "nonce": message.nonce,
    }
    return make_receipt(**(facts | changes))  # type: ignore[arg-type]


class KeepsNothing:
    """Acknowledges everything, by receipts that hold, and answers `get` as told."""

    def __init__(self, network: Network, get: Callable[[Get], Answer]) -> None:
        self._network = network
        self._get = get

    def __call__(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Put):
            return PutDone(), ()
        if isinstance(message, Claim):
            return Claimed(receipt_of(message, self._network), ()), ()
        if isinstance(message, Find):
            return Found(tuple(range(len(message.ids)))), ()
        if isinstance(message, Get):
            return self._get(message)
        raise NotFoundError("It is not here.")


def gone(message: Get) -> Answer:
    raise NotFoundError("I never had it.")


GETS: dict[str, Callable[[Get], Answer]] = {
    "says it is gone": gone,
    "gives other bytes": lambda message: (Got(), (noise(4113, "other"),)),
    "gives nothing": lambda message: (Got(), ()),
    "gives as much as fits": lambda message: (Got(), (bytes(PAYLOAD_SIZE_MAX),)),
    "gives another kind of message": lambda message: (Pong(), ()),
    "fails by a bug": lambda message: (Got(), (bytes(-1),)),
}


@pytest.mark.parametrize("get", GETS.values(), ids=GETS)
async def test_one_holder_that_keeps_its_word_suffices(tmp_path: Path, get: Callable[[Get], Answer]) -> None:
    """Eve acknowledges all and keeps nothing; with the home gone, bob's copy is read, whatever she answers."""
    source = tmp_path / "film.bin"
    source.write_bytes(noise(40_000))
    async with live(tmp_path, "ann bob") as network:
        await network.up("cid", capacity=0)
        async with lying(network, "eve", KeepsNothing(network, get)) as eve:
            await network.acquainted("ann", "bob", "cid", "eve")
            async with network.client("ann") as ann:
                stored = await ann.put(source, "film.bin")
                assert (stored.durable, stored.wanted) == (3, 3)
            await network.down("ann")
            async with network.client("cid") as cid:
                assert await cid.get(stored, tmp_path / "out") == noise(40_000)
            assert any(isinstance(message, Get) for message in eve.asked)


async def test_who_gave_wrong_bytes_is_dropped_and_asked_last(tmp_path: Path) -> None:
    source = tmp_path / "film.bin"
    source.write_bytes(noise(40_000))
    async with live(tmp_path, "ann bob") as network:
        await network.up("cid", capacity=0)
        async with lying(network, "eve", KeepsNothing(network, GETS["gives other bytes"])) as eve:
            await network.acquainted("ann", "bob", "cid", "eve")
            async with network.client("ann") as ann:
                stored = await ann.put(source, "film.bin")
            session = await eve.session("cid")
            async with network.client("cid") as cid:
                await cid.get(stored, tmp_path / "first")
                assert session.closed
                asked = len(eve.asked)
                async with network.client("bob") as bob:
                    other = await bob.put(source, "other.bin", copies=1)
                await cid.get(other, tmp_path / "second")
                assert not [message for message in eve.asked[asked:] if isinstance(message, Get)]


class Silent(Liar):
    """It never answers who wants a block."""

    async def _handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Get):
            self.asked.append(message)
            await asyncio.get_running_loop().create_future()
        return await super()._handle(session, message, payload)


async def test_a_silent_holder_is_given_up(tmp_path: Path) -> None:
    source = tmp_path / "film.bin"
    source.write_bytes(noise(40_000))
    async with live(tmp_path, "ann") as network:
        await network.up("bob", timing=replace(FAST, transfer=0.3))
        await network.up("cid", capacity=0, timing=replace(FAST, transfer=0.3, hedge=60.0))
        async with lying(network, "eve", KeepsNothing(network, gone), kind=Silent) as eve:
            await network.acquainted("ann", "bob", "cid", "eve")
            async with network.client("ann") as ann:
                stored = await ann.put(source, "film.bin")
            await network.down("ann")
            async with network.client("cid") as cid:
                assert await cid.get(stored, tmp_path / "out") == noise(40_000)
            assert [message for message in eve.asked if isinstance(message, Get)]


async def test_a_silent_holder_is_joined_by_the_next(tmp_path: Path) -> None:
    """Long before its time is up the other one is asked too, and the blocks that follow do not wait for it at all."""
    source = tmp_path / "film.bin"
    source.write_bytes(noise(200_000))
    patient = replace(FAST, transfer=60.0, hedge=0.2)
    async with live(tmp_path, "ann bob") as network:
        await network.up("cid", capacity=0, timing=patient)
        async with lying(network, "eve", KeepsNothing(network, gone), kind=Silent) as eve:
            await network.acquainted("ann", "bob", "cid", "eve")
            async with network.client("ann") as ann:
                stored = await ann.put(source, "film.bin")
            await network.down("ann")
            async with network.client("cid") as cid, asyncio.timeout(PATIENCE_SECONDS):
                assert await cid.get(stored, tmp_path / "out") == noise(200_000)
            assert 0 < len([message for message in eve.asked if isinstance(message, Get)]) < stored.blocks // 2


FALSE: dict[str, Callable[[Network], dict[str, object]]] = {
    "by another device": lambda network: {"key": network.device("bob")},
    "for another network": lambda network: {"network": bytes(32)},
    "for another part": lambda network: {"part_digest": bytes(32)},
    "for other blocks": lambda network: {"ids": [BlockId(bytes(32))]},
    "for fewer blocks": lambda network: {"ids": []},
    "from an earlier request": lambda network: {"nonce": bytes(16)},
}


def false_receipt(network: Network, name: str) -> Lie:
    changes = FALSE[name](network)

    def lie(session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Claim):
            return Claimed(receipt_of(message, network, **changes), ()), ()
        return PutDone(), ()

    return lie


def never_satisfied(network: Network) -> Lie:
    """Takes every block and still says that all are missing."""

    def lie(session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Claim):
            return Claimed(receipt_of(message, network, ids=[]), message.indexes), ()
        return PutDone(), ()

    return lie


def garbled(network: Network) -> Lie:
    def lie(session: Session, message: Message, payload: memoryview) -> Answer:
        return (Claimed(b"\x93garbage", ()), ()) if isinstance(message, Claim) else (Pong(), ())

    return lie


RECEIPTS: dict[str, Callable[[Network], Lie]] = {
    **{name: lambda network, name=name: false_receipt(network, name) for name in FALSE},  # type: ignore[misc]
    "never satisfied": never_satisfied,
    "garbled": garbled,
}


@pytest.mark.parametrize("lie", RECEIPTS.values(), ids=RECEIPTS)
async def test_a_false_receipt_counts_for_nothing_and_the_next_in_order_takes_over(
    tmp_path: Path, lie: Callable[[Network], Lie]
) -> None:
    source = tmp_path / "note.bin"
    source.write_bytes(noise(20_000))
    async with live(tmp_path, "ann bob") as network, lying(network, "eve", lie(network)) as eve:
        await network.acquainted("ann", "bob", "eve")
        async with network.client("ann") as ann:
            stored = await ann.put(source, "note.bin")
            assert (stored.durable, stored.wanted) == (2, 3)
            assert (await ann.status()).underreplicated > 0
            await network.up("cid")
            await network.acquainted("ann", "bob", "cid")
            assert (await ann.put(source, "again.bin")).durable == 3
            parts = await eve.parts("cid")
            assert parts


async def test_a_member_that_turns_to_garbage_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a right handshake, its records do not open any more: the session ends, and bob is asked."""
    monkeypatch.setattr(pools, "DIAL_TIMEOUT_SECONDS", 0.3)
    source = tmp_path / "film.bin"
    source.write_bytes(noise(40_000))
    spoilt = False

    def spoil(data: memoryview) -> bytes:
        return bytes(data[:2]) + bytes(byte ^ 0x55 for byte in data[2:]) if spoilt else bytes(data)

    def meddled(tcp: Transport) -> Transport:
        return Meddler(tcp, spoil)

    async with live(tmp_path, "ann bob") as network:
        await network.up("cid", capacity=0)
        async with lying(network, "eve", KeepsNothing(network, gone), tcp=meddled):
            await network.acquainted("ann", "bob", "cid", "eve")
            async with network.client("ann") as ann:
                stored = await ann.put(source, "film.bin")
            await network.down("ann")
            spoilt = True
            async with network.client("cid") as cid:
                assert await cid.get(stored, tmp_path / "out") == noise(40_000)


REQUESTS: dict[str, tuple[Message, Sequence[bytes]]] = {
    "a put whose payload is too short": (Put(bytes(16), (bytes(32),), (10,)), [b"short"]),
    "a put of nothing": (Put(bytes(16), (), ()), []),
    "a put of a block that is not what its id says": (Put(bytes(16), (bytes(32),), (5,)), [b"wrong"]),
    "a claim that is none": (Claim(b"\x00" * 50, (), bytes(16)), []),
    "a claim in garbage": (Claim(b"", (0,), bytes(16)), []),
    "an answer as a question": (Got(), []),
}


@pytest.mark.parametrize(("message", "payload"), REQUESTS.values(), ids=REQUESTS)
async def test_a_request_that_cannot_be_right_is_refused(
    tmp_path: Path, message: Message, payload: Sequence[bytes]
) -> None:
    async with live(tmp_path, "ann") as network, lying(network, "eve") as eve:
        session = await eve.session("ann")
        with pytest.raises(CapsaError):
            await session.call(message, payload, timeout=10)
        async with network.client("ann") as ann:
            assert (await ann.status()).blocks == 0
