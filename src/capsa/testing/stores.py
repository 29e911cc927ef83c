"""The conformance suite of `BlockStore`: what every store does alike.

Each function takes a `StoreRig`, which makes stores the way the backend at hand does, and raises `AssertionError` if
the contract is broken. Run them all:

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    async def test_contract(check: StoreCheck) -> None:
        await check(rig)
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol, TypeAlias

from capsa.core.claims import ClaimItem, ClaimPart, ReleaseNote, make_part, make_release
from capsa.core.ids import BlockId, ClaimId, NetworkId, NodeId, OwnerId, block_id
from capsa.core.keys import Ed25519Key
from capsa.errors import NotFoundError, RefusedError
from capsa.stores.base import PENDING_SECONDS, BlockStore, StoreStats

NETWORK: Final = NetworkId(bytes(range(32)))
HOME: Final = NodeId(b"\x01" * 32)
ALICE: Final = Ed25519Key(b"\xaa" * 32)
BOB: Final = Ed25519Key(b"\xbb" * 32)
START: Final = 1_767_225_600.0


class TestClock:
    """A clock that stands until it is moved."""

    __test__ = False  # not a test case, whatever pytest thinks of its name

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time


class StoreRig(Protocol):
    """How to make the store under test, around `clock`."""

    clock: TestClock
    persistent: bool
    """Whether a store that is made again, after the first was closed, holds what the first held."""

    def make(self) -> BlockStore:
        """A store, not yet opened, over what the last one left."""
        ...


StoreCheck: TypeAlias = Callable[[StoreRig], Awaitable[None]]
Block: TypeAlias = tuple[BlockId, bytes]


@asynccontextmanager
async def running(store: BlockStore) -> AsyncIterator[BlockStore]:
    """Open a store, serve it while the block runs, and close it."""
    await store.open()
    task = asyncio.ensure_future(store.run())
    try:
        yield store
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await store.close()


def make_blocks(*sizes: int, seed: int = 0) -> list[Block]:
    """Blocks of random bytes, the same for the same seed."""
    chance = random.Random(seed)
    return [(block_id(data), data) for data in map(chance.randbytes, sizes)]


def claim_id(number: int) -> ClaimId:
    """A claim id for tests."""
    return ClaimId(number.to_bytes(16, "big"))


def claim_part(
    claim: ClaimId, blocks: Sequence[Block], *, key: Ed25519Key = ALICE, retain_until: int = 0, number: int = 0
) -> ClaimPart:
    """A signed part over blocks."""
    ids = tuple(block for block, _ in blocks)
    item = ClaimItem(claim, 3, retain_until, ids, tuple(len(data) for _, data in blocks))
    return make_part(key, NETWORK, HOME, number, [item])


def release_of(*claims: ClaimId, key: Ed25519Key = ALICE) -> ReleaseNote:
    """A signed release."""
    return make_release(key, NETWORK, claims)


def ids_of(blocks: Sequence[Block]) -> list[BlockId]:
    """Their ids."""
    return [block for block, _ in blocks]


async def _raises(error: type[Exception], awaitable: Awaitable[object]) -> None:
    try:
        await awaitable
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


async def _cancel_after(turns: int, call: Coroutine[Any, Any, None]) -> None:
    """Start a call, let the loop turn so often, and cancel it."""
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def check_returns_what_was_put(rig: StoreRig) -> None:
    blocks = make_blocks(1, 7, 8, 100, 4096, 1_048_593)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        for block, data in blocks:
            assert await store.get(block) == data
        (absent, _), *_ = make_blocks(5, seed=1)
        await _raises(NotFoundError, store.get(absent))
        await _raises(NotFoundError, store.sample(absent, 0, 1))
        assert await store.missing([absent, blocks[0][0]]) == [absent]
        assert await store.stats() == StoreStats(6, sum(len(data) for _, data in blocks), 0, 0)


async def check_a_repeated_put_changes_nothing(rig: StoreRig) -> None:
    blocks = make_blocks(100, 200)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), [*blocks, *blocks])
        await store.put(claim_id(1), blocks)
        await store.put(claim_id(2), blocks)
        assert await store.stats() == StoreStats(2, 300, 0, 0)


async def check_buffers_may_be_reused(rig: StoreRig) -> None:
    ((block, data),) = make_blocks(5000)
    buffer = bytearray(data)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), [(block, memoryview(buffer))])
        buffer[:] = bytes(len(buffer))
        assert await store.get(block) == data


async def check_samples(rig: StoreRig) -> None:
    ((block, data),) = make_blocks(1000)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), [(block, data)])
        assert await store.sample(block, 10, 20) == (data[10:30], 1000)
        assert await store.sample(block, 990, 20) == (data[990:], 1000)
        assert await store.sample(block, 2010, 20) == (data[10:30], 1000)


async def check_claims_cover_blocks_before_and_after(rig: StoreRig) -> None:
    early, late, absent = make_blocks(10, 20, 30)
    part = claim_part(claim_id(1), [early, late, absent])
    async with running(rig.make()) as store:
        await store.put(claim_id(1), [early])
        assert await store.claimed(ids_of([early])) == []
        await store.claim(part)
        await store.claim(part)
        await store.put(claim_id(1), [late])
        assert await store.claimed(ids_of([absent, late, early])) == ids_of([late, early])
        assert await store.parts() == [part.digest]
        assert await store.parts(OwnerId(ALICE.public)) == [part.digest]
        assert await store.parts(OwnerId(BOB.public)) == []
        assert await store.part(part.digest) == part.signed
        await _raises(NotFoundError, store.part(bytes(32)))
        assert (await store.stats()).claims == 1


async def check_stats_without_an_owner(rig: StoreRig) -> None:
    hers, his, both = make_blocks(1, 10, 100)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), [hers, his, both])
        her_part, his_part = claim_part(claim_id(1), [hers, both]), claim_part(claim_id(2), [his, both], key=BOB)
        await store.claim(her_part)
        await store.claim(his_part)
        assert await store.stats(OwnerId(ALICE.public)) == StoreStats(1, 10, 1, len(his_part.signed))
        assert await store.stats(OwnerId(BOB.public)) == StoreStats(1, 1, 1, len(her_part.signed))


async def check_pending_blocks_are_kept_for_seven_days(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        assert await store.collectable(START + PENDING_SECONDS - 1) == []
        assert await store.collectable(START + PENDING_SECONDS) == ids_of(blocks)


async def check_another_claim_keeps_a_block_pending_anew(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        rig.clock.time += 1000
        await store.put(claim_id(2), blocks)
        assert await store.collectable(START + PENDING_SECONDS) == []
        assert await store.collectable(START + 1000 + PENDING_SECONDS) == ids_of(blocks)


async def check_a_release_ends_a_claim(rig: StoreRig) -> None:
    blocks = make_blocks(10, 20)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        await store.claim(claim_part(claim_id(1), blocks))
        assert await store.collectable(START + 100 * PENDING_SECONDS) == []
        await store.release(release_of(claim_id(1)))
        await store.release(release_of(claim_id(1)))
        assert await store.claimed(ids_of(blocks)) == []
        assert await store.collectable(START) == sorted(ids_of(blocks))
        assert (await store.stats()).claims == 0


async def check_a_release_may_come_before_its_claim(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    async with running(rig.make()) as store:
        await store.release(release_of(claim_id(1)))
        await store.claim(claim_part(claim_id(1), blocks))
        await store.put(claim_id(1), blocks)
        assert await store.claimed(ids_of(blocks)) == []
        assert await store.collectable(START) == ids_of(blocks)


async def check_a_release_ends_no_other_owners_claim(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    async with running(rig.make()) as store:
        await store.release(release_of(claim_id(1), key=BOB))
        await store.put(claim_id(1), blocks)
        await store.claim(claim_part(claim_id(1), blocks))
        await store.release(release_of(claim_id(1), claim_id(2), key=BOB))
        assert await store.claimed(ids_of(blocks)) == ids_of(blocks)
        assert await store.collectable(START + PENDING_SECONDS) == []


async def check_any_claim_keeps_a_block(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        await store.claim(claim_part(claim_id(1), blocks))
        await store.claim(claim_part(claim_id(2), blocks, key=BOB))
        await store.release(release_of(claim_id(1)))
        assert await store.claimed(ids_of(blocks)) == ids_of(blocks)
        assert await store.collectable(START + PENDING_SECONDS) == []
        await store.release(release_of(claim_id(2), key=BOB))
        assert await store.collectable(START) == ids_of(blocks)


async def check_retention_outlives_a_release(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    until = int(START) + 1000
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        await store.claim(claim_part(claim_id(1), blocks, retain_until=until))
        await store.release(release_of(claim_id(1)))
        assert await store.collectable(until - 1) == []
        await _raises(RefusedError, store.discard(ids_of(blocks), until - 1))
        assert await store.collectable(until) == ids_of(blocks)


async def check_discard(rig: StoreRig) -> None:
    free, kept = make_blocks(10, 20)
    later = START + PENDING_SECONDS
    async with running(rig.make()) as store:
        await store.put(claim_id(1), [free, kept])
        await store.claim(claim_part(claim_id(2), [kept]))
        await _raises(RefusedError, store.discard(ids_of([free, kept]), later))
        assert await store.missing(ids_of([free, kept])) == []
        await store.discard(ids_of([free]), later)
        await store.discard(ids_of([free]), later)
        assert await store.missing(ids_of([free, kept])) == ids_of([free])
        await _raises(NotFoundError, store.get(free[0]))
        rig.clock.time = later
        await store.put(claim_id(3), [free])
        assert await store.get(free[0]) == free[1]
        assert await store.collectable(later) == []


async def check_a_discard_beside_a_put_forgets_nothing_that_was_acknowledged(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    later = START + PENDING_SECONDS
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        rig.clock.time = later
        put, discard = await asyncio.gather(
            store.put(claim_id(2), blocks), store.discard(ids_of(blocks), later), return_exceptions=True
        )
        assert put is None
        assert discard is None or isinstance(discard, RefusedError)
        assert await store.get(blocks[0][0]) == blocks[0][1]
        assert await store.collectable(later) == []


async def check_quarantined_blocks_can_be_put_again(rig: StoreRig) -> None:
    blocks = make_blocks(10)
    async with running(rig.make()) as store:
        await store.put(claim_id(1), blocks)
        await store.claim(claim_part(claim_id(1), blocks))
        await store.quarantine(ids_of(blocks))
        assert await store.missing(ids_of(blocks)) == ids_of(blocks)
        assert await store.claimed(ids_of(blocks)) == []
        await store.put(claim_id(1), blocks)
        assert await store.claimed(ids_of(blocks)) == ids_of(blocks)
        assert await store.get(blocks[0][0]) == blocks[0][1]


async def check_concurrent_calls(rig: StoreRig) -> None:
    blocks = make_blocks(*range(1, 200))
    part = claim_part(claim_id(1), blocks)
    async with running(rig.make()) as store, asyncio.TaskGroup() as tasks:
        for start in range(0, 190, 3):
            tasks.create_task(store.put(claim_id(1), blocks[start : start + 12]))
        tasks.create_task(store.claim(part))
        tasks.create_task(store.claim(part))
    async with running(rig.make()) as store:
        if rig.persistent:
            assert await store.claimed(ids_of(blocks)) == ids_of(blocks)
            assert await store.stats() == StoreStats(199, sum(range(200)), 1, len(part.signed))


async def check_cancelled_puts_leave_nothing_wrong(rig: StoreRig) -> None:
    async with running(rig.make()) as store:
        for turns in range(12):
            blocks = make_blocks(3000, 4000, seed=turns)
            buffers = [bytearray(data) for _, data in blocks]
            lent = list(zip(ids_of(blocks), buffers, strict=True))
            await _cancel_after(turns, store.put(claim_id(1), lent))
            for buffer in buffers:
                buffer[:] = bytes(len(buffer))
            for block, data in blocks:
                if not await store.missing([block]):
                    assert await store.get(block) == data
            await store.put(claim_id(1), blocks)
            assert [await store.get(block) for block, _ in blocks] == [data for _, data in blocks]


async def check_reopening_keeps_everything(rig: StoreRig) -> None:
    if not rig.persistent:
        return
    kept, released, pending, discarded = make_blocks(10, 20, 30, 40)
    part = claim_part(claim_id(1), [kept])
    async with running(rig.make()) as store:
        await store.put(claim_id(9), [discarded])
        await store.discard(ids_of([discarded]), START + PENDING_SECONDS)
        await store.put(claim_id(1), [kept, released, pending])
        await store.claim(part)
        await store.claim(claim_part(claim_id(2), [released]))
        await store.release(release_of(claim_id(2)))
    for _ in range(2):
        async with running(rig.make()) as store:
            assert await store.missing(ids_of([kept, released, pending, discarded])) == ids_of([discarded])
            assert await store.get(kept[0]) == kept[1]
            assert await store.claimed(ids_of([kept, released, pending])) == ids_of([kept])
            assert await store.part(part.digest) == part.signed
            assert await store.collectable(START + PENDING_SECONDS) == sorted(ids_of([released, pending]))


async def check_closing_twice(rig: StoreRig) -> None:
    async with running(rig.make()) as store:
        await store.put(claim_id(1), make_blocks(10))
    await store.close()


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    check_returns_what_was_put,
    check_a_repeated_put_changes_nothing,
    check_buffers_may_be_reused,
    check_samples,
    check_claims_cover_blocks_before_and_after,
    check_stats_without_an_owner,
    check_pending_blocks_are_kept_for_seven_days,
    check_another_claim_keeps_a_block_pending_anew,
    check_a_release_ends_a_claim,
    check_a_release_may_come_before_its_claim,
    check_a_release_ends_no_other_owners_claim,
    check_any_claim_keeps_a_block,
    check_retention_outlives_a_release,
    check_discard,
    check_a_discard_beside_a_put_forgets_nothing_that_was_acknowledged,
    check_quarantined_blocks_can_be_put_again,
    check_concurrent_calls,
    check_cancelled_puts_leave_nothing_wrong,
    check_reopening_keeps_everything,
    check_closing_twice,
)
