"""Power failures at every step: what was acknowledged is there, and right, when the power is back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from capsa.core.claims import ClaimPart
from capsa.errors import DiskError
from capsa.stores.base import BlockStore
from capsa.testing.stores import Block, claim_id, claim_part, ids_of, make_blocks, release_of, running
from capsa.testing.world.disk import SimDisk
from tests.stores.contents import contents, remove_index
from tests.stores.rigs import InlineWorkers, SegmentRig, sim_disk


@dataclass
class Acknowledged:
    """What the store has promised so far."""

    blocks: list[Block] = field(default_factory=list)
    parts: list[ClaimPart] = field(default_factory=list)
    covered: list[Block] = field(default_factory=list)
    uncovered: list[Block] = field(default_factory=list)


async def busy_life(store: BlockStore, promised: Acknowledged) -> None:
    """Puts, claims and releases, in batches of one and of several, over the borders of segments."""
    for turn in range(4):
        blocks = make_blocks(3000, 100, 5000, 1, seed=turn)
        first, second = blocks[:2], blocks[2:]
        await asyncio.gather(store.put(claim_id(turn), first), store.put(claim_id(turn), second))
        promised.blocks += blocks
        part = claim_part(claim_id(turn), blocks)
        await store.claim(part)
        promised.parts.append(part)
        if turn % 2:
            promised.uncovered += blocks  # from here on either is right, until the release is acknowledged
            await store.release(release_of(claim_id(turn)))
        else:
            promised.covered += blocks


async def live_until_the_power_fails(disk: SimDisk, promised: Acknowledged) -> None:
    with suppress(DiskError, ExceptionGroup):
        async with running(SegmentRig(disk, InlineWorkers()).make()) as store:
            await busy_life(store, promised)


async def check_promises(disk: SimDisk, promised: Acknowledged) -> None:
    store = SegmentRig(disk, InlineWorkers()).make()
    async with running(store):
        for block, data in promised.blocks:
            assert await store.get(block) == data
        for part in promised.parts:
            assert await store.part(part.digest) == part.signed
        covered = ids_of(promised.covered)
        assert await store.claimed(covered) == covered
        assert await store.damaged() == []
        await store.put(claim_id(99), make_blocks(2000, seed=99))


async def steps_of_a_whole_life() -> int:
    disk = sim_disk()
    await live_until_the_power_fails(disk, Acknowledged())
    return disk.steps


@pytest.mark.parametrize("share", range(4))
async def test_power_failure_at_every_step(share: int) -> None:
    for step in range(1 + share, await steps_of_a_whole_life() + 1, 4):
        disk, promised = sim_disk(step), Acknowledged()
        disk.power_fails_at = step
        await live_until_the_power_fails(disk, promised)
        after = disk.crash()
        await check_promises(after, promised)
        # What was put after the crash survives the next one, and the index is what the segments say.
        again = after.crash()
        promised.blocks += make_blocks(2000, seed=99)
        await check_promises(again, promised)
        await check_the_index_is_a_rebuilt_one(again)


@pytest.mark.parametrize("seed", range(5))
async def test_power_failure_while_recovering(seed: int) -> None:
    disk, promised = sim_disk(seed), Acknowledged()
    disk.power_fails_at = 150 + seed
    await live_until_the_power_fails(disk, promised)
    disk = disk.crash()
    for step in range(1, 30):
        disk.power_fails_at = disk.steps + step
        with suppress(DiskError):
            async with running(SegmentRig(disk, InlineWorkers()).make()):
                pass
        disk = disk.crash()
    await check_promises(disk, promised)


async def check_the_index_is_a_rebuilt_one(disk: SimDisk) -> None:
    before = contents(disk)
    remove_index(disk)
    async with running(SegmentRig(disk, InlineWorkers()).make()):
        pass
    assert contents(disk) == before


async def test_a_rebuilt_index_is_the_same() -> None:
    disk = sim_disk()
    async with running(SegmentRig(disk, InlineWorkers()).make()) as store:
        await busy_life(store, Acknowledged())
        blocks = make_blocks(10, 20, 30, seed=50)
        await store.put(claim_id(50), blocks)
        await store.put(claim_id(51), blocks)
        await store.discard(ids_of(blocks[:1]), 2e9 * 2)
        await store.put(claim_id(52), blocks[:2])
        await store.quarantine(ids_of(blocks[2:]))
        await store.put(claim_id(50), blocks[2:])
    await check_the_index_is_a_rebuilt_one(disk)


async def test_what_a_killed_process_left_unsynced_is_synced_before_it_counts() -> None:
    blocks = make_blocks(3000, 4000)
    written = sim_disk()
    async with running(SegmentRig(written, InlineWorkers()).make()) as store:
        await store.put(claim_id(1), blocks)
    name = "store/segments/0000000001.segment"
    for seed in range(20):
        disk = sim_disk(seed)
        disk.open(name, create=True).write(0, [written.content(name)])
        disk.sync_folder("store/segments")
        async with running(SegmentRig(disk, InlineWorkers()).make()) as store:
            await store.put(claim_id(1), blocks)
        async with running(SegmentRig(disk.crash(), InlineWorkers()).make()) as store:
            assert [await store.get(block) for block, _ in blocks] == [data for _, data in blocks]


async def test_a_torn_tail_is_cut_and_what_follows_damage_is_kept() -> None:
    blocks = make_blocks(3000, 4000, 5000)
    name = "store/segments/0000000001.segment"
    disk = sim_disk()
    async with running(SegmentRig(disk, InlineWorkers()).make()) as store:
        await store.put(claim_id(1), blocks)
    whole = disk.content(name)
    disk.rot(name, 64 + 88 + 10)
    disk.open(name).truncate(len(whole) - 1000)
    remove_index(disk)
    async with running(SegmentRig(disk, InlineWorkers()).make()) as store:
        assert await store.missing(ids_of(blocks)) == [blocks[0][0], blocks[2][0]]
        assert disk.content(name)[3200:] == whole[3200 : len(disk.content(name))]
        assert len(disk.content(name)) == len(whole) - (88 + 5000)
        await store.put(claim_id(1), blocks)
    async with running(SegmentRig(disk.crash(), InlineWorkers()).make()) as store:
        assert [await store.get(block) for block, _ in blocks] == [data for _, data in blocks]
