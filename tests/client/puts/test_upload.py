"""A put that was interrupted is taken up by repeating it, and sends nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from capsa.client.puts.jobs import Stored
from capsa.core.claims import ClaimPart, make_receipt
from capsa.core.ids import BlockId, ClaimId
from capsa.core.messages import Claim, Claimed, Message, Put, PutDone
from capsa.core.pages import Shape
from capsa.errors import NotFoundError
from capsa.net.base import Transport
from capsa.net.rpc import Answer
from capsa.net.session import Session
from tests.node.liar import lying
from tests.node.network import Client, Network, job_of, live, noise, write
from tests.node.wires import Meter

THIN = Shape(chunk_size=1024, fanout=1024, inline_max=256)
"""Chunks so small that a claim of a megabyte has several parts."""
SIZE = 1100 * 1024


async def interrupted(client: Client, path: Path, key: str, *, after: int) -> None:
    """A put that dies once `after` bytes are sealed."""
    sealed = 0

    def count(size: int) -> None:
        nonlocal sealed
        sealed += size
        if sealed >= after:
            putting.cancel()

    async def put() -> None:
        async for _ in client.files.put([job_of(path, key)], progress=count):
            pass

    putting = asyncio.create_task(put())
    await asyncio.wait([putting])
    assert putting.cancelled()


class Counting:
    """A holder that keeps its word in memory, and counts how often each block was sent to it."""

    def __init__(self, network: Network, name: str) -> None:
        self._device = network.device(name)
        self._network = network.home(name).network
        self.times: Counter[BlockId] = Counter()
        self.claims: Counter[ClaimId] = Counter()

    def __call__(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Put):
            self.times.update(BlockId(block) for block in message.ids)
            return PutDone(), ()
        if isinstance(message, Claim):
            part = ClaimPart.parse(message.part, self._network)
            asked = [part.blocks[index][0] for index in message.indexes]
            self.claims.update({item.claim: len(item.ids) for item in part.items})
            held = [block for block in asked if block in self.times]
            receipt = make_receipt(self._device, self._network, part.digest, held, message.nonce)
            return Claimed(receipt, tuple(i for i in message.indexes if part.blocks[i][0] not in self.times)), ()
        raise NotFoundError("It is not here.")


async def test_a_put_taken_up_sends_nothing_twice(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(SIZE))
    async with live(tmp_path, "ann") as network:
        bob, cid = Counting(network, "bob"), Counting(network, "cid")
        async with lying(network, "bob", bob), lying(network, "cid", cid):
            await network.acquainted("ann", "bob", "cid")
            for after in (SIZE // 4, SIZE - 30 * 1024):
                async with network.client("ann", shape=THIN) as ann:
                    await interrupted(ann, source, "film.bin", after=after)
            async with network.client("ann", shape=THIN) as ann:
                stored = await ann.put(source, "film.bin")
            assert (stored.durable, stored.wanted, stored.unchanged) == (3, 3, False)
            assert 0 < stored.new_bytes < SIZE / 4
            for holder in (bob, cid):
                assert set(holder.times.values()) == {1}
                assert sum(count for count in holder.claims.values() if count > 100) >= stored.blocks
                assert len([claim for claim, count in holder.claims.items() if count > 100]) == 1


async def test_a_file_that_changed_since_is_put_anew_under_another_claim(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(SIZE))
    async with live(tmp_path, "ann bob", copies=1) as network:
        async with network.client("ann", shape=THIN) as ann:
            await interrupted(ann, source, "film.bin", after=SIZE)
            write(source, noise(SIZE, "other"))
            stored = await ann.put(source, "film.bin")
            assert stored.durable == 2
        async with network.client("bob", shape=THIN) as bob:
            assert await bob.get(stored, tmp_path / "out") == noise(SIZE, "other")


async def test_a_repeat_of_what_is_stored_sends_no_blocks(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(200_000))
    async with live(tmp_path, "bob") as network:
        meters: list[Meter] = []

        def metered(tcp: Transport) -> Transport:
            meters.append(Meter(tcp))
            return meters[-1]

        await network.up("ann", tcp=metered)
        await network.acquainted("ann", "bob")
        outcomes: list[Stored] = []
        sent: list[int] = []
        for _ in range(2):
            async with network.client("ann") as ann:
                outcomes.append(await ann.put(source, "film.bin", copies=1))
                sent.append(meters[0].written)
        assert [outcome.unchanged for outcome in outcomes] == [False, True]
        assert outcomes[0].cap == outcomes[1].cap and outcomes[1].new_bytes == 0
        assert sent[0] > 200_000 and sent[1] - sent[0] < 20_000
