"""What one member says of what it holds, true or not, never keeps a node from what the others have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from capsa.core import inquiries as q
from capsa.core.messages import LIST_MAX, Claim, Claimed, GetPart, Have, Held, Inventory, Message, Parts
from capsa.errors import NotFoundError, RefusedError
from capsa.net.rpc import Answer
from capsa.net.session import Session
from tests.node.liar import Liar, lying
from tests.node.network import live, noise, until, write


async def test_lost_bytes_hide_no_proofs_of_others(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(100_000))
    async with live(tmp_path, "ann bob", copies=1) as network, lying(network, "eye", capacity=0) as eye:
        async with network.client("ann") as ann:
            await ann.put(source, "film.bin")
        blocks = [block for part in await eye.parts("bob") for block, _, _ in part.blocks]
        assert await eye.proven("bob", blocks) == len(blocks)
        [segment] = (tmp_path / "bob" / "store" / "segments").iterdir()
        with segment.open("r+b") as file:
            file.truncate(segment.stat().st_size // 2)
        assert 0 < await eye.proven("bob", blocks) < len(blocks)


async def test_a_node_without_room_for_others_keeps_no_claims_of_theirs(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(10_000))
    async with live(tmp_path, "ann bob", copies=1) as network, lying(network, "eye", capacity=0) as eye:
        async with network.client("ann") as ann:
            await ann.put(source, "film.bin")
        await network.up("cid", capacity=0)
        for part in await eye.parts("bob"):
            with pytest.raises(RefusedError):
                await eye.ask("cid", Claim(part.signed, (), bytes(16)), Claimed)
        assert await eye.parts("cid") == []


async def test_a_list_of_claims_without_end_stops_no_refill(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(10_000))

    def endless(session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Inventory):
            return Parts((bytes(32),) * LIST_MAX), ()
        raise NotFoundError("It is not here.")

    async with live(tmp_path, "ann", copies=0) as network:
        async with network.client("ann") as ann:
            await ann.put(source, "film.bin", copies=1)
        async with lying(network, "eye", endless, capacity=0) as eye:
            await network.up("cid")

            async def refilled() -> bool:
                return bool(await eye.parts("cid")) and any(isinstance(message, Inventory) for message in eye.asked)

            await until(refilled)
            assert not [message for message in eye.asked if isinstance(message, GetPart)]


class Together(Liar):
    """Answers who asks what it holds only once the others like it were asked too."""

    all_asked: asyncio.Barrier

    async def _handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Have):
            async with self.all_asked:
                pass
        return await super()._handle(session, message, payload)


def all_held(session: Session, message: Message, payload: memoryview) -> Answer:
    assert isinstance(message, Have)
    return Held((bytes(32),) * len(message.ids)), ()


async def test_holders_are_asked_at_once(tmp_path: Path) -> None:
    """One that is silent holds up nobody else's answer."""
    Together.all_asked = asyncio.Barrier(2)
    async with (
        live(tmp_path, "ann", copies=0) as network,
        lying(network, "bob", all_held, kind=Together) as bob,
        lying(network, "cid", all_held, kind=Together) as cid,
    ):
        await network.acquainted("ann", "bob", "cid")
        async with network.client("ann") as ann:
            told = await ann.link.ask(q.Holders((bytes(32),)), q.HoldersTold)
        assert {line.node for line in told.nodes} == {bob.node, cid.node}
