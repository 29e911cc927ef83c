"""What a node counts of the blocks that it exchanges with others, and tells the home's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.core import inquiries as q
from capsa.core.ids import NodeId
from capsa.node.transfers import NODES_MAX, Tally, Transfers
from tests.node.network import Client, Network, live, noise, until, write

SIZE = 100_000
NODE = NodeId(bytes([1]) * 32)


async def tallies(client: Client) -> dict[NodeId, q.NodeTransfers]:
    told = await client.link.ask(q.Transfers(), q.TransfersTold)
    return {NodeId(line.node): line for line in told.nodes}


async def test_a_put_counts_the_copies_that_arrived_and_the_receipts(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob cid", copies=2) as network, network.client("ann") as ann:
        stored = await ann.put(write(tmp_path / "film.bin", noise(SIZE)), "film.bin")
        assert stored.durable == 3
        told = await tallies(ann)
        home, *others = (told[network.node(name)] for name in ("ann", "bob", "cid"))
        assert home.copies >= stored.blocks
        for line in others:
            assert (line.copies, line.copies_size) == (home.copies, home.copies_size)
            assert (line.promised, line.promised_size) == (line.copies, line.copies_size)
            assert (line.served_size, line.taken_size, line.fetched_size, line.under_way) == (0, 0, 0, 0)
        async with network.client("bob") as bob:
            assert (await tallies(bob))[network.node("ann")].taken_size == home.copies_size


async def test_what_is_served_is_what_is_fetched(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob", copies=0) as network:
        async with network.client("ann") as ann:
            stored = await ann.put(write(tmp_path / "film.bin", noise(SIZE)), "film.bin", copies=0)
        async with network.client("bob") as bob, network.client("ann") as ann:
            assert await bob.get(stored, tmp_path / "back") == noise(SIZE)
            fetched = (await tallies(bob))[network.node("ann")].fetched_size
            assert fetched >= SIZE
            assert (await tallies(ann))[network.node("bob")].served_size == fetched


async def test_copies_that_a_node_has_already_are_promised_and_not_sent(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob", copies=1) as network, network.client("ann") as ann:
        await ann.put(write(tmp_path / "film.bin", noise(SIZE)), "one.bin")
        before = (await tallies(ann))[network.node("bob")]
        await ann.put(tmp_path / "film.bin", "two.bin")
        after = (await tallies(ann))[network.node("bob")]
        assert after.promised_size - before.promised_size >= SIZE
        assert after.copies_size - before.copies_size < SIZE / 2


async def test_what_is_unfinished_is_told_until_it_is_done(tmp_path: Path) -> None:
    async def short(client: Client) -> tuple[q.ShortLine, ...]:
        return (await client.link.ask(q.Unfinished(), q.UnfinishedTold)).short

    async def complete(network: Network, client: Client) -> None:
        await network.up("bob")

        async def nothing_short() -> bool:
            return not await short(client)

        await until(nothing_short)

    async with live(tmp_path, "ann", copies=1) as network, network.client("ann") as ann:
        assert await short(ann) == ()
        await ann.put(write(tmp_path / "film.bin", noise(SIZE)), "film.bin")
        [line] = await short(ann)
        assert (line.durable, line.wanted) == (1, 2)
        assert line.claims >= 1
        await complete(network, ann)


def test_what_fails_to_arrive_is_not_counted() -> None:
    transfers = Transfers()
    with pytest.raises(OSError, match="lost"), transfers.copying(NODE, [(1, b"abc")]):
        assert transfers.tallies()[NODE].under_way == 1
        raise OSError("lost")
    assert transfers.tallies()[NODE] == Tally()


def test_nodes_without_end_take_bounded_memory() -> None:
    transfers = Transfers()
    for number in range(NODES_MAX + 10):
        transfers.taken(NodeId(number.to_bytes(32)), 1)
    assert len(transfers.tallies()) == NODES_MAX
