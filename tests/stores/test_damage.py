"""Failing syncs, full disks, rot, lost files and newer formats."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from blake3 import blake3

from capsa.core.segments import SEGMENT_HEADER_SIZE, SegmentHeader, encode_segment_header
from capsa.errors import CapsaError, DiskError, HomeError, IntegrityError, NoSpaceError, NotFoundError
from capsa.stores.base import BlockStore
from capsa.stores.disk import SystemDisk
from capsa.stores.verify import VerifyingStore
from capsa.testing.stores import START, claim_id, claim_part, ids_of, make_blocks, release_of, running
from capsa.testing.world.disk import SimDisk
from tests.stores.contents import INDEX, remove_index
from tests.stores.rigs import InlineWorkers, SegmentRig, sim_disk

SEGMENTS = "store/segments"


def rig_on(disk: SimDisk) -> SegmentRig:
    return SegmentRig(disk, InlineWorkers())


def verified(disk: SimDisk) -> BlockStore:
    return VerifyingStore(rig_on(disk).make())


def segment(number: int) -> str:
    return f"{SEGMENTS}/{number:010}.segment"


async def test_a_failed_sync_seals_the_segment_and_the_batch_goes_elsewhere() -> None:
    for seed in range(20):
        disk = sim_disk(seed)
        before, during, after = make_blocks(100, 200, 300)
        async with running(rig_on(disk).make()) as store:
            await store.put(claim_id(1), [before])
            disk.fail_syncs()
            await store.put(claim_id(1), [during])
            old = disk.content(segment(1))
            await store.put(claim_id(1), [after])
            assert disk.content(segment(1)) == old, "nothing is written to a file whose sync failed"
        async with running(rig_on(disk.crash()).make()) as store:
            assert [await store.get(block) for block, _ in (before, during, after)] == [
                data for _, data in (before, during, after)
            ]


async def test_syncs_that_keep_failing_turn_the_store_read_only() -> None:
    disk = sim_disk()
    before, during = make_blocks(100, 200)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), [before])
        disk.fail_syncs(2)
        for _ in range(2):
            with pytest.raises(DiskError, match="read-only"):
                await store.put(claim_id(1), [during])
        with pytest.raises(DiskError, match="read-only"):
            await store.release(release_of(claim_id(1)))
        assert await store.get(before[0]) == before[1]
        assert await store.missing(ids_of([before, during])) == ids_of([during])
    async with running(rig_on(disk.crash()).make()) as store:
        await store.put(claim_id(1), [during])
        assert await store.get(before[0]) == before[1]


async def test_a_restart_trusts_nothing_of_which_a_sync_failed() -> None:
    """The kernel shows the next process bytes that it will never write; then the power fails."""
    for seed in range(20):
        for failing in (1, 2, 3):
            disk = sim_disk(seed)
            before, during, after = make_blocks(100, 200, 300)
            async with running(rig_on(disk).make()) as store:
                if seed % 2:
                    await store.put(claim_id(1), [before])
                disk.fail_syncs(failing)
                with suppress(DiskError):
                    await store.put(claim_id(1), [during])
            disk.fail_syncs(0)
            async with running(rig_on(disk).make()) as store:
                held = [block for block in (before, during) if not await store.missing([block[0]])]
                await store.put(claim_id(1), [after])
            async with running(rig_on(disk.crash()).make()) as store:
                for block, data in [*held, after]:
                    assert await store.get(block) == data


async def test_a_full_disk_refuses_puts_and_leaves_the_store_as_it_was() -> None:
    disk = sim_disk()
    small, *large = make_blocks(100, *[15_000] * 10)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), [small])
        files = {name: disk.content(f"{SEGMENTS}/{name}") for name in disk.names(SEGMENTS)}
        disk.capacity = disk.capacity - disk.space()[0] + 100_000
        for _ in range(3):
            with pytest.raises(NoSpaceError):
                await store.put(claim_id(2), large)
            assert {name: disk.content(f"{SEGMENTS}/{name}") for name in disk.names(SEGMENTS)} == files
        assert await store.missing(ids_of(large)) == ids_of(large)
        # In one batch with a put that finds no room, a claim and a release still go through.
        outcomes = await asyncio.gather(
            store.put(claim_id(2), large),
            store.claim(claim_part(claim_id(1), [small])),
            store.claim(claim_part(claim_id(3), [small])),
            store.release(release_of(claim_id(3))),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [NoSpaceError, type(None), type(None), type(None)]
        assert await store.claimed(ids_of([small])) == ids_of([small])
        assert (await store.stats()).claims == 1
        assert await store.get(small[0]) == small[1]
        disk.capacity = 2**40
        await store.put(claim_id(2), large)
    async with running(rig_on(disk.crash()).make()) as store:
        assert await store.missing(ids_of([small, *large])) == []


async def test_a_disk_full_for_the_index_refuses_and_recovers() -> None:
    disk = sim_disk()
    async with running(rig_on(disk).make()) as store:
        used = disk.capacity - disk.space()[0]
        refused = 0
        for room in range(0, 60_000, 500):
            disk.capacity = used + room
            try:
                await store.put(claim_id(1), make_blocks(*[20] * 100, seed=room))
            except NoSpaceError:
                refused += 1
        assert refused > 0
        disk.capacity = 2**40
        await store.put(claim_id(1), make_blocks(10, seed=-1))
    async with running(rig_on(disk).make()) as store:
        for room in range(0, 60_000, 500):
            missing = await store.missing(ids_of(make_blocks(*[20] * 100, seed=room)))
            assert len(missing) in {0, 100}


async def test_rot_is_never_served_and_can_be_healed() -> None:
    blocks = make_blocks(50, 60, 70)
    part = claim_part(claim_id(1), blocks)
    pristine = sim_disk()
    async with running(verified(pristine)) as store:
        await store.put(claim_id(1), blocks)
        await store.claim(part)
    size = len(pristine.content(segment(1)))
    for index_lost in (False, True):
        for offset in range(0, size, 3):
            disk = pristine.crash()
            disk.rot(segment(1), offset, 0x40)
            if index_lost:
                remove_index(disk)
            async with running(verified(disk)) as store:
                for block, data in blocks:
                    try:
                        assert await store.get(block) == data
                    except (IntegrityError, NotFoundError):
                        assert await store.missing([block]) == [block]
                with suppress(IntegrityError, NotFoundError):
                    assert await store.part(part.digest) == part.signed
                await store.put(claim_id(1), blocks)
                assert [await store.get(block) for block, _ in blocks] == [data for _, data in blocks]
            async with running(verified(disk.crash())) as store:
                assert [await store.get(block) for block, _ in blocks] == [data for _, data in blocks]


async def test_rot_in_an_older_segment_is_reported_when_the_index_is_rebuilt() -> None:
    disk = sim_disk()
    rotten, _ = blocks = make_blocks(10_000, 10_000)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), blocks)
    disk.rot(segment(1), SEGMENT_HEADER_SIZE + 5000)
    remove_index(disk)
    healed = rig_on(disk).make()
    async with running(healed):
        assert await healed.damaged() == ids_of([rotten])
        assert await healed.missing(ids_of(blocks)) == ids_of([rotten])
        await healed.put(claim_id(1), [rotten])
        assert await healed.damaged() == []


async def test_lost_segments_are_forgotten_and_refilled() -> None:
    disk = sim_disk()
    blocks = make_blocks(10_000, 10_000, 10_000)
    part = claim_part(claim_id(1), blocks)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), blocks)
        await store.claim(part)
    for name in disk.names(SEGMENTS):
        disk.remove(f"{SEGMENTS}/{name}")
    async with running(rig_on(disk).make()) as store:
        assert await store.missing(ids_of(blocks)) == ids_of(blocks)
        assert await store.parts() == []
        await store.put(claim_id(1), blocks)
        await store.claim(part)
        assert await store.claimed(ids_of(blocks)) == ids_of(blocks)


async def test_a_segment_cut_short_loses_only_what_was_cut() -> None:
    disk = sim_disk()
    first, second = make_blocks(1000, 1000)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), [first, second])
    disk.open(segment(1)).truncate(1500)
    async with running(rig_on(disk).make()) as store:
        assert await store.missing(ids_of([first, second])) == ids_of([second])
        await store.put(claim_id(1), [second])
    async with running(rig_on(disk.crash()).make()) as store:
        assert [await store.get(block) for block, _ in (first, second)] == [first[1], second[1]]


async def test_a_block_cannot_pose_as_a_record() -> None:
    """A block that holds a copy of a genuine segment is not taken apart when the scan looks for headers."""
    disk = sim_disk()
    (inner,) = make_blocks(500)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), [inner])
        await store.discard(ids_of([inner]), START * 2)
    copy = disk.content(segment(1))
    outer = make_blocks(1)[0][0], copy
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(2), [outer, *make_blocks(40, seed=5)])
    at = disk.content(segment(1)).index(copy, 1)
    disk.rot(segment(1), at - 1)  # the header in front of the copy, so that the scan must search
    remove_index(disk)
    async with running(rig_on(disk).make()) as store:
        assert await store.missing(ids_of([inner])) == ids_of([inner])
        assert await store.missing(ids_of(make_blocks(40, seed=5))) == []


@pytest.mark.parametrize("index_kept", [True, False])
async def test_an_unreadable_segment_header(index_kept: bool) -> None:
    disk = sim_disk()
    blocks = make_blocks(100)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), blocks)
    disk.rot(segment(1), 30)
    if not index_kept:
        remove_index(disk)
    async with running(rig_on(disk).make()) as store:
        assert await store.missing(ids_of(blocks)) == ([] if index_kept else ids_of(blocks))
        await store.put(claim_id(1), blocks)
        assert await store.get(blocks[0][0]) == blocks[0][1]
        assert any(name.endswith(".damaged") for name in disk.names(SEGMENTS)) is not index_kept


async def test_a_damaged_index_is_rebuilt() -> None:
    disk = sim_disk()
    blocks = make_blocks(100, 200)
    async with running(rig_on(disk).make()) as store:
        await store.put(claim_id(1), blocks)
    disk.rot(INDEX, 3)
    async with running(rig_on(disk).make()) as store:
        assert [await store.get(block) for block, _ in blocks] == [data for _, data in blocks]


async def test_newer_formats_are_left_alone() -> None:
    disk = sim_disk()
    connection = disk.database("store/index.db", durable=False)
    connection.pragma("user_version", 2)
    connection.close()
    with pytest.raises(HomeError, match="newer"):
        await rig_on(disk).make().open()

    disk = sim_disk()
    fields = bytearray(encode_segment_header(SegmentHeader(1, bytes(32)))[:-8])
    fields[8] = 2
    newer = bytes(fields) + blake3(fields).digest(length=8) + bytes(1000)
    disk.open(segment(1), create=True).write(0, [newer])
    with pytest.raises(HomeError, match="newer"):
        await rig_on(disk).make().open()
    assert disk.content(segment(1)) == newer


async def test_an_unusable_folder_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, where a folder should be")
    with pytest.raises(DiskError, match="cannot be opened"):
        await SegmentRig(SystemDisk(tmp_path), InlineWorkers()).make().open()


async def test_a_closed_store_says_so() -> None:
    store = rig_on(sim_disk()).make()
    async with running(store):
        pass
    for call in (store.get(make_blocks(1)[0][0]), store.quarantine([]), store.stats()):
        with pytest.raises(CapsaError, match="closed"):
            await call
