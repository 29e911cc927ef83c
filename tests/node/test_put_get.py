"""Blocks reach their holders and come back, whoever is missing, lying, full or away."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.core.ids import block_id
from capsa.errors import NotFoundError, UnreachableError
from tests.node.network import live, noise, until


async def test_what_one_member_puts_any_other_gets_by_its_cap(tmp_path: Path) -> None:
    source = tmp_path / "film.bin"
    source.write_bytes(noise(100_000))
    async with live(tmp_path, "ann bob cid dan") as network:
        async with network.client("ann") as ann:
            stored = await ann.put(source, "x/film.bin")
            assert (stored.durable, stored.wanted, stored.size) == (3, 3, 100_000)
        for name in ("bob", "cid", "dan"):
            async with network.client(name) as client:
                assert await client.get(stored, tmp_path / f"{name}.out") == noise(100_000)


async def test_a_file_survives_the_putting_node_and_one_holder(tmp_path: Path) -> None:
    source = tmp_path / "film.bin"
    source.write_bytes(noise(60_000))
    async with live(tmp_path, "ann bob cid dan") as network:
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
        await network.down("ann")
        await network.down("bob")
        async with network.client("dan") as dan:
            assert await dan.get(stored, tmp_path / "out") == noise(60_000)


async def test_a_block_on_an_uncomputed_holder_only_is_found(tmp_path: Path) -> None:
    """Put while alone: nobody could compute that `ann`, who has no capacity for others, holds it."""
    source = tmp_path / "film.bin"
    source.write_bytes(noise(30_000))
    async with live(tmp_path, "ann") as network:
        await network.down("ann")
        await network.up("ann", capacity=0)
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin", copies=0)
        await network.up("bob")
        await network.up("cid")
        await network.acquainted("ann", "bob", "cid")
        async with network.client("cid") as cid:
            assert await cid.get(stored, tmp_path / "out") == noise(30_000)


async def test_what_nobody_has_is_not_found_and_what_the_absent_may_have_is_unreachable(tmp_path: Path) -> None:
    source = tmp_path / "film.bin"
    source.write_bytes(noise(30_000))
    async with live(tmp_path, "ann bob") as network, network.client("ann") as ann:
        with pytest.raises(NotFoundError):
            await ann.link.fetch(block_id(b"never stored"))
        await network.down("bob")

        async def bob_is_missed() -> bool:
            return "bob" not in await ann.alive()

        await until(bob_is_missed)
        with pytest.raises(UnreachableError, match="1 of the network's nodes"):
            await ann.link.fetch(block_id(b"never stored"))
