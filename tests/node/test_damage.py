"""Disks that rot and stores that are lost: what is read is right, and what was lost comes back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from capsa.client.puts.jobs import Stored
from capsa.core.claims import ClaimItem, make_part
from capsa.core.ids import ClaimId, block_id
from capsa.core.messages import Claim, Claimed
from capsa.stores.disk import Disk
from tests.node.liar import lying
from tests.node.network import Client, content_of, live, noise, until, write
from tests.node.wires import Cramped


def rot(home: Path) -> None:
    """Flip a byte of every 3,000 in a home's segments."""
    for segment in (home / "store" / "segments").iterdir():
        data = bytearray(content_of(segment))
        for offset in range(2000, len(data), 3000):
            data[offset] ^= 0xFF
        write(segment, bytes(data))


async def blocks_of(client: Client) -> int:
    return (await client.status()).blocks


@pytest.mark.parametrize("rotten", ["ann", "bob"], ids=["the home", "a holder"])
async def test_a_rotten_copy_is_never_read(tmp_path: Path, rotten: str) -> None:
    source = write(tmp_path / "film.bin", noise(60_000))
    async with live(tmp_path, "ann bob cid") as network:
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
        await network.down(rotten)
        rot(tmp_path / rotten)
        await network.up(rotten)
        await network.acquainted("ann", "bob", "cid")
        if rotten != "ann":
            await network.down("ann")  # so that holders are asked, the rotten one too
        async with network.client(rotten) as reader:
            assert await reader.get(stored, tmp_path / "at-rotten") == noise(60_000)
        async with network.client("cid") as cid:
            assert await cid.get(stored, tmp_path / "at-cid") == noise(60_000)


async def test_a_rotten_copy_is_read_right_even_where_the_disk_is_full(tmp_path: Path) -> None:
    """What came from a holder cannot be kept then, but the reader gets it."""
    disks: list[Cramped] = []

    def cramped(disk: Disk) -> Disk:
        disks.append(Cramped(disk))
        disks[-1].used_percent = 99
        return disks[-1]

    source = write(tmp_path / "film.bin", noise(60_000))
    async with live(tmp_path, "ann bob", copies=1) as network:
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
        await network.down("ann")
        rot(tmp_path / "ann")
        await network.up("ann", disk=cramped)
        await network.acquainted("ann", "bob")
        async with network.client("ann") as ann:
            assert await ann.get(stored, tmp_path / "out") == noise(60_000)


async def put_one(client: Client, source: Path) -> Stored:
    return await client.put(source, source.name)


async def test_a_home_that_lost_its_store_opens_empty_and_refills(tmp_path: Path) -> None:
    source, other = write(tmp_path / "film.bin", noise(60_000)), write(tmp_path / "other.bin", noise(30_000, "other"))
    async with live(tmp_path, "ann bob cid") as network, lying(network, "eye", capacity=0) as eye:
        async with network.client("ann") as ann, network.client("bob") as bob:
            stored = await put_one(ann, source)
            await put_one(bob, other)
            before = await blocks_of(ann)
        blocks = {block for part in await eye.parts("ann") for block, _, _ in part.blocks}
        await network.down("ann")
        shutil.rmtree(tmp_path / "ann" / "store")
        await network.up("ann")
        async with network.client("ann") as ann:

            async def refilled() -> bool:
                return await blocks_of(ann) == before

            await until(refilled)

            async def claimed_again() -> bool:
                return await eye.proven("ann", sorted(blocks)) == len(blocks)

            await until(claimed_again)
            await network.down("bob")
            await network.down("cid")
            assert await ann.get(stored, tmp_path / "out") == noise(60_000)
            snapshot = await ann.files.catalog.snapshot()
            assert [view.key async for view in snapshot.scan()] == ["film.bin"]


async def test_what_is_lost_for_good_does_not_keep_the_rest_from_coming_back(tmp_path: Path) -> None:
    """Blocks that nobody has, and of which an absent member may have the last copy, are in claims of the home's."""
    async with live(tmp_path, "ann bob cid", copies=1) as network, lying(network, "eye", capacity=0) as eye:
        await network.down("cid")
        await network.up("cid", capacity=0)
        await network.acquainted("ann", "bob", "cid")
        async with network.client("ann") as ann:
            stored = await put_one(ann, write(tmp_path / "film.bin", noise(60_000)))
            before = await blocks_of(ann)
        for number in range(8):  # so that some come before the others in any order
            lost = block_id(b"lost %d" % number)
            item = ClaimItem(ClaimId(bytes([number] * 16)), 1, 0, (lost,), (6,))
            key, home = network.owner("ann").signing, network.node("ann")
            part = make_part(key, eye.config.network, home, 0, [item])
            assert (await eye.ask("bob", Claim(part.signed, (0,), bytes(16)), Claimed)).missing == (0,)
        await network.down("cid")
        await network.down("ann")
        shutil.rmtree(tmp_path / "ann" / "store")
        await network.up("ann")
        async with network.client("ann") as ann:

            async def all_that_there_is_came_back() -> bool:
                return await blocks_of(ann) == before

            await until(all_that_there_is_came_back)
            assert await ann.get(stored, tmp_path / "out") == noise(60_000)


async def test_a_home_that_lost_its_index_rebuilds_it(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(60_000))
    async with live(tmp_path, "ann", copies=0) as network:
        async with network.client("ann") as ann:
            stored = await put_one(ann, source)
            before = await blocks_of(ann)
        await network.down("ann")
        for path in (tmp_path / "ann" / "store").iterdir():
            if path.is_file():
                path.unlink()
        await network.up("ann")
        async with network.client("ann") as ann:
            assert await blocks_of(ann) == before
            assert await ann.get(stored, tmp_path / "out") == noise(60_000)
