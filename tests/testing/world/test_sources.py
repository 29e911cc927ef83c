"""The sources of the simulated world: the same seed gives the same bytes, times and order of jobs."""

from __future__ import annotations

import asyncio

import pytest

from capsa.seams import Lane
from capsa.testing.world.loop import run
from capsa.testing.world.sources import START, InlineWorkers, SeededEntropy, VirtualClock, dice
from capsa.testing.world.trace import Trace


def test_entropy_is_one_stream_however_it_is_taken() -> None:
    at_once, in_parts = SeededEntropy(1, "a"), SeededEntropy(1, "a")
    assert at_once.take(100) == in_parts.take(1) + in_parts.take(64) + in_parts.take(35)
    assert len({SeededEntropy(1, "a").take(32), SeededEntropy(2, "a").take(32), SeededEntropy(1, "b").take(32)}) == 3


def test_entropy_and_chance_are_frozen_so_that_seeds_replay_in_later_versions() -> None:
    assert SeededEntropy(1, "a").take(8).hex() == "5b0fbeb10423bcae"
    assert dice(1, "a").random() == 0.6792234219369656


def test_a_clock_may_be_wrong_and_run_fast() -> None:
    async def main() -> tuple[float, float]:
        right, wrong = VirtualClock(), VirtualClock(offset=-3600, drift=0.01)
        await asyncio.sleep(1000)
        return right.now() - START, wrong.now() - START

    assert run(main()) == (1000, -3600 + 1010)


def workers(seed: int = 1) -> InlineWorkers:
    return InlineWorkers("ann", dice(seed, "workers"), Trace())


def test_a_lane_is_serial_and_lanes_overlap() -> None:
    async def main(seed: int) -> list[str]:
        pool, order = workers(seed), list[str]()
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                for lane in (Lane.DISK, Lane.READ):
                    group.create_task(pool.run(lane, order.append, f"{lane} {number}"))
        return order

    order = run(main(1))
    for lane in (Lane.DISK, Lane.READ):
        assert [job for job in order if job.startswith(lane)] == [f"{lane} {number}" for number in range(20)]
    assert order == run(main(1))
    assert order != run(main(2))


def test_what_a_job_returns_or_raises_reaches_its_caller() -> None:
    async def main() -> int:
        pool = workers()
        with pytest.raises(ZeroDivisionError):
            await pool.run(Lane.SEAL, lambda: 1 // 0)
        return await pool.run(Lane.SEAL, int, "12", base=3)

    assert run(main()) == 5


def test_cancelling_the_caller_does_not_stop_the_job() -> None:
    async def main() -> list[int]:
        pool, done = workers(), list[int]()
        caller = asyncio.create_task(pool.run(Lane.DISK, done.append, 1))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert not done
        await pool.run(Lane.DISK, done.append, 2)
        return done

    assert run(main()) == [1, 2]


def test_a_halted_pool_runs_nothing_and_cancels_its_callers() -> None:
    async def main() -> list[int]:
        pool, done = workers(), list[int]()
        caller = asyncio.create_task(pool.run(Lane.DISK, done.append, 1))
        await asyncio.sleep(0)
        pool.halt()
        pool.halt()
        for late in (caller, asyncio.create_task(pool.run(Lane.DISK, done.append, 2))):
            with pytest.raises(asyncio.CancelledError):
                await late
        await asyncio.sleep(10)
        return done

    assert run(main()) == []
