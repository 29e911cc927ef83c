"""Copies that fell short are completed by the node alone; a full node and a full disk say so and read on."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.core import commands as c
from capsa.core import inquiries as q
from capsa.core.ids import BlockId, ClaimId, block_id
from capsa.core.messages import Put
from capsa.errors import NoSpaceError, RefusedError
from capsa.stores.disk import Disk
from tests.node.liar import Liar, lying
from tests.node.network import Client, live, noise, until, write
from tests.node.wires import Cramped


async def settled(client: Client) -> None:
    """Wait until nothing of a home is short of copies."""

    async def nothing_short() -> bool:
        return (await client.status()).underreplicated == 0

    await until(nothing_short)


async def blocks_claimed(eye: Liar, name: str) -> list[BlockId]:
    return [block for part in await eye.parts(name) for block, _, _ in part.blocks]


async def test_a_short_put_is_completed_after_the_command_is_gone(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(30_000))
    async with live(tmp_path, "ann bob") as network, lying(network, "eye", capacity=0) as eye:
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
            assert (stored.durable, stored.wanted) == (2, 3)
            again = await ann.put(source, "film.bin")
            assert again.unchanged and (again.durable, again.wanted) == (2, 3)
        await network.up("cid")
        await network.acquainted("ann", "bob", "cid")
        async with network.client("ann") as ann:
            await settled(ann)
            told = await ann.put(source, "film.bin")
            assert told.unchanged and (told.durable, told.wanted) == (3, 3)
        blocks = await blocks_claimed(eye, "ann")
        assert await eye.proven("cid", blocks) == len(blocks)


async def test_what_is_short_is_remembered_over_a_restart(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(30_000))
    async with live(tmp_path, "ann", copies=1) as network:
        async with network.client("ann") as ann:
            assert (await ann.put(source, "film.bin")).durable == 1
        await network.down("ann")
        await network.up("ann")
        await network.up("bob")
        async with network.client("ann") as ann:
            assert (await ann.status()).underreplicated == 2  # the file, and the catalog page
            await network.acquainted("ann", "bob")
            await settled(ann)


async def test_a_release_reaches_who_was_away(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(20_000))
    async with (
        live(tmp_path, "ann bob", copies=1) as network,
        lying(network, "eye", capacity=0) as eye,
        network.client("ann") as ann,
    ):
        await ann.put(source, "film.bin", copies=1)
        old = {item.claim: list(item.ids) for part in await eye.parts("ann") for item in part.items}
        pages = [ids for ids in old.values() if len(ids) == 1]
        await network.down("bob")
        await network.up("cid")
        await network.acquainted("ann", "cid")
        await ann.put(write(tmp_path / "more.bin", noise(10)), "more.bin", copies=1)
        await network.up("bob")

        async def replaced_page_let_go() -> bool:
            return not await eye.proven("bob", pages[0])

        await until(replaced_page_let_go)


async def test_a_node_that_does_not_listen_holds_and_serves_copies(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(50_000))
    async with live(tmp_path, "ann", copies=1) as network:
        await network.up("hid", listen=())
        await network.up("cid", capacity=0)
        await network.acquainted("ann", "hid", "cid")
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
            assert (stored.durable, stored.wanted) == (2, 2)
        async with network.client("cid") as cid:

            async def connected() -> bool:
                return "hid" in await cid.alive()

            await until(connected)
            await network.down("ann")
            assert await cid.get(stored, tmp_path / "out") == noise(50_000)


async def test_a_node_whose_capacity_is_used_up_refuses_and_another_takes_over(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(60_000))
    async with live(tmp_path, "ann", copies=1) as network, lying(network, "eye", capacity=0) as eye:
        await network.up("bob", capacity=20_000)
        await network.acquainted("ann", "bob")
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
            assert (stored.durable, stored.wanted) == (1, 2)
            await network.up("cid")
            await network.acquainted("ann", "bob", "cid")
            await settled(ann)
        with pytest.raises(NoSpaceError, match="keeps no more for others"):
            await eye.session("bob")
            data = noise(30_000, "more")
            session = await eye.session("bob")
            await session.call(Put(bytes(16), (block_id(data),), (len(data),)), [data], timeout=10)


async def test_a_node_without_capacity_stores_nothing_for_others(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network, lying(network, "eye") as eye:
        await network.up("bob", capacity=0)
        session = await eye.session("bob")
        with pytest.raises(RefusedError):
            await session.call(Put(bytes(16), (block_id(b"x"),), (1,)), [b"x"], timeout=10)


async def test_a_full_disk_refuses_puts_by_kind_and_reads_on(tmp_path: Path) -> None:
    disks: list[Cramped] = []

    def cramped(disk: Disk) -> Disk:
        disks.append(Cramped(disk))
        return disks[-1]

    source, more = write(tmp_path / "film.bin", noise(30_000)), write(tmp_path / "more.bin", noise(30_000, "more"))
    async with live(tmp_path, "bob", copies=1) as network:
        await network.up("ann", disk=cramped)
        await network.acquainted("ann", "bob")
        async with network.client("ann") as ann, network.client("bob") as bob:
            stored = await ann.put(source, "film.bin")
            disks[0].used_percent = 97
            await knows_it_is_full(ann)
            with pytest.raises(NoSpaceError) as caught:
                await ann.put(more, "more.bin")
            assert caught.value.kind == "no_space" and caught.value.hint
            assert await ann.get(stored, tmp_path / "own") == noise(30_000)
            short = await bob.put(more, "more.bin")
            assert (short.durable, short.wanted) == (1, 2)
            disks[0].used_percent = 50
            await settled(bob)
            assert (await ann.put(more, "more.bin")).durable == 2


async def test_a_copy_on_a_node_that_is_full_by_now_still_counts(tmp_path: Path) -> None:
    """It takes nothing new, but what it holds it holds."""
    disks: list[Cramped] = []

    def cramped(disk: Disk) -> Disk:
        disks.append(Cramped(disk))
        return disks[-1]

    source = write(tmp_path / "film.bin", noise(30_000))
    async with live(tmp_path, "ann", copies=2) as network:
        await network.up("bob", disk=cramped)
        await network.acquainted("ann", "bob")
        async with network.client("ann") as ann:
            assert (await ann.put(source, "film.bin")).durable == 2
            disks[0].used_percent = 97

            async def told_that_it_is_full() -> bool:
                told = await ann.link.ask(q.Peers(), q.PeersTold)
                return any(line.name == "bob" and 20 * line.free < line.capacity for line in told.nodes)

            await until(told_that_it_is_full)
            await network.up("cid")
            await settled(ann)


async def test_a_disk_that_does_not_say_how_full_it_is_ends_no_node(tmp_path: Path) -> None:
    disks: list[Cramped] = []

    def cramped(disk: Disk) -> Disk:
        disks.append(Cramped(disk))
        return disks[-1]

    source = write(tmp_path / "film.bin", noise(30_000))
    async with live(tmp_path, "bob", copies=1) as network:
        await network.up("ann", disk=cramped)
        await network.acquainted("ann", "bob")
        [disk] = disks
        disk.mute = True
        before = disk.asked

        async def looked_again() -> bool:
            return disk.asked >= before + 2

        await until(looked_again)
        disk.mute = False
        async with network.client("ann") as ann:
            assert (await ann.put(source, "film.bin")).durable == 2


async def knows_it_is_full(client: Client) -> None:
    """A disk is looked at now and then: wait for a probe of a put to be refused."""
    data = b"probe"

    async def refused() -> bool:
        keep = c.Keep(ClaimId(bytes(16)), 0, (block_id(data),), (len(data),))
        try:
            await client.link.ask(keep, c.Kept, [data])
        except NoSpaceError:
            return True
        return False

    await until(refused)
