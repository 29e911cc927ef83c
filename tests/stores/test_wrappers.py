"""The wrappers: wrong blocks are named and kept out, and bounds hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from capsa.core.ids import BlockId, Buffer, ClaimId, OwnerId, format_block_id
from capsa.errors import IntegrityError, NoSpaceError
from capsa.stores.memory import MemoryStore
from capsa.stores.quota import QuotaStore, SpaceGuard
from capsa.stores.verify import VerifyingStore
from capsa.testing.stores import ALICE, BOB, START, TestClock, claim_id, claim_part, ids_of, make_blocks, release_of
from tests.stores.rigs import InlineWorkers, sim_disk

ME = OwnerId(ALICE.public)


class TamperingStore(MemoryStore):
    """A store that returns wrong bytes for some blocks."""

    def __init__(self, tampered: Sequence[BlockId]) -> None:
        super().__init__(clock=TestClock())
        self.tampered = tampered

    async def get(self, block: BlockId) -> bytes:
        data = bytes(await super().get(block))
        return data[:-1] + b"?" if block in self.tampered else data


@pytest.mark.parametrize("size", [10, 200_000])
async def test_a_wrong_block_is_named_and_nothing_of_its_put_is_kept(size: int) -> None:
    inner = MemoryStore(clock=TestClock())
    good, other, (guilty, _) = make_blocks(size, size, size)
    with pytest.raises(IntegrityError, match=format_block_id(guilty)):
        await VerifyingStore(inner).put(claim_id(1), [good, (guilty, other[1])])
    assert await inner.missing(ids_of([good, other])) == ids_of([good, other])


@pytest.mark.parametrize("size", [10, 200_000])
async def test_a_block_that_went_bad_is_missing_from_then_on(size: int) -> None:
    blocks = make_blocks(size, size)
    inner = TamperingStore(ids_of(blocks[:1]))
    store = VerifyingStore(inner)
    await store.put(claim_id(1), blocks)
    with pytest.raises(IntegrityError, match=format_block_id(blocks[0][0])):
        await store.get(blocks[0][0])
    assert await store.missing(ids_of(blocks)) == ids_of(blocks[:1])
    assert await store.get(blocks[1][0]) == blocks[1][1]
    inner.tampered = []
    await store.put(claim_id(1), blocks)
    assert await store.get(blocks[0][0]) == blocks[0][1]


async def test_capacity_bounds_what_is_kept_for_others() -> None:
    inner = MemoryStore(clock=TestClock())
    first, second, third = make_blocks(60, 40, 1)
    part = claim_part(claim_id(1), [first, second], key=BOB)
    store = QuotaStore(inner, own=ME, capacity=100 + len(part.signed))
    await store.open()
    await store.put(claim_id(1), [first, second, first])
    await store.claim(part)
    await store.put(claim_id(1), [first, second])  # a repeat takes no room
    await store.claim(part)
    assert store.used == 100 + len(part.signed)
    with pytest.raises(NoSpaceError):
        await store.put(claim_id(1), [third])
    with pytest.raises(NoSpaceError):
        await store.claim(claim_part(claim_id(2), [first], key=BOB))
    assert await store.parts() == [part.digest]
    await store.claim(claim_part(claim_id(3), [third]))  # our own takes none of it
    await store.release(release_of(claim_id(1), key=BOB))
    await store.discard(ids_of([first]), START)
    await store.put(claim_id(1), [third])
    await store.put(claim_id(1), make_blocks(59, seed=1))


class SlowStore(MemoryStore):
    """A store that knows of a block only when the gate opens, as one does whose disk is busy."""

    def __init__(self) -> None:
        super().__init__(clock=TestClock())
        self.gate = asyncio.Event()

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        await self.gate.wait()
        await super().put(claim, blocks)


async def test_puts_at_once_share_the_capacity() -> None:
    """What is on its way counts, though the store, when it is asked again, does not know of it yet."""
    slow = SlowStore()
    store = QuotaStore(slow, own=ME, capacity=2_500)
    await store.open()
    puts = [asyncio.ensure_future(store.put(claim_id(n), [block])) for n, block in enumerate(make_blocks(*[1_000] * 6))]
    await asyncio.sleep(0)
    slow.gate.set()
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [NoSpaceError] * 4


async def test_own_blocks_do_not_count() -> None:
    inner = MemoryStore(clock=TestClock())
    mine, theirs, more = make_blocks(90, 50, 51)
    await inner.put(claim_id(1), [mine])
    store = QuotaStore(inner, own=ME, capacity=100)
    await store.open()
    with pytest.raises(NoSpaceError):
        await store.put(claim_id(2), [theirs])
    await store.claim(claim_part(claim_id(1), [mine]))
    await store.put(claim_id(2), [theirs])
    with pytest.raises(NoSpaceError):
        await store.put(claim_id(2), [more])


async def test_no_capacity_keeps_nothing() -> None:
    store = QuotaStore(MemoryStore(clock=TestClock()), own=ME, capacity=0)
    await store.open()
    with pytest.raises(NoSpaceError):
        await store.put(claim_id(1), make_blocks(1))


async def test_the_disk_is_never_filled() -> None:
    disk = sim_disk()
    disk.capacity = 100_000
    filler = disk.open("filler", create=True)
    store = SpaceGuard(MemoryStore(clock=TestClock()), own=ME, disk=disk, workers=InlineWorkers())
    await store.open()
    fits, does_not = make_blocks(50_000, 45_000)
    await store.put(claim_id(1), [fits])
    filler.write(0, [bytes(50_000)])
    with pytest.raises(NoSpaceError, match="95 %"):
        await store.put(claim_id(1), [does_not])
    await store.claim(claim_part(claim_id(1), [fits, does_not]))
    assert await store.get(fits[0]) == fits[1]


async def test_the_last_of_the_disk_is_for_what_its_own_home_says() -> None:
    disk = sim_disk()
    disk.capacity = 100_000
    disk.open("filler", create=True).write(0, [bytes(99_000)])
    store = SpaceGuard(MemoryStore(clock=TestClock()), own=ME, disk=disk, workers=InlineWorkers())
    await store.open()
    for said in (
        store.claim(claim_part(claim_id(1), make_blocks(1), key=BOB)),
        store.release(release_of(claim_id(1), key=BOB)),
    ):
        with pytest.raises(NoSpaceError, match="99 %"):
            await said
    await store.claim(claim_part(claim_id(1), make_blocks(1)))
    await store.release(release_of(claim_id(1)))
    assert (await store.stats()).claims == 0 and len(await store.parts()) == 1


@pytest.mark.parametrize(
    ("used_percents", "full"), [((94,), False), ((95,), True), ((95, 91), True), ((95, 89), False), ((91,), False)]
)
async def test_full_is_set_at_95_and_cleared_at_90_percent(used_percents: tuple[int, ...], full: bool) -> None:
    disk = sim_disk()
    disk.capacity = 10_000
    filler = disk.open("filler", create=True)
    store = SpaceGuard(MemoryStore(clock=TestClock()), own=ME, disk=disk, workers=InlineWorkers())
    for percent in used_percents:
        filler.truncate(0)
        filler.write(0, [bytes(percent * 100)])
        await store.look()
        assert store.free == 10_000 - percent * 100
    assert store.full is full
