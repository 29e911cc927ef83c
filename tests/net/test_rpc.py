"""The turnstile: bounds, order, and what cancellation leaves."""

from __future__ import annotations

import asyncio

import pytest

from capsa.errors import LostConnectionError
from capsa.net.rpc import Turnstile


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("sizes", "inside"), [([1, 1, 1], 2), ([6, 5, 1], 1), ([10, 1], 1), ([4, 6, 1], 2)])
async def test_no_more_than_the_bounds_get_in(sizes: list[int], inside: int) -> None:
    turnstile = Turnstile(count_max=2, size_max=10)
    async with asyncio.TaskGroup() as tasks:
        callers = [tasks.create_task(turnstile.enter(size)) for size in sizes]
        await turn()
        assert [caller.done() for caller in callers] == [number < inside for number in range(len(sizes))]
        for size in sizes:
            turnstile.leave(size)


async def test_a_small_one_does_not_pass_a_large_one() -> None:
    turnstile = Turnstile(count_max=9, size_max=10)
    await turnstile.enter(6)
    async with asyncio.TaskGroup() as tasks:
        large, small = tasks.create_task(turnstile.enter(9)), tasks.create_task(turnstile.enter(1))
        await turn()
        assert not large.done() and not small.done()
        turnstile.leave(6)


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_one_leaves_nothing_taken(granted: bool) -> None:
    turnstile = Turnstile(count_max=1, size_max=10)
    await turnstile.enter(5)
    async with asyncio.TaskGroup() as tasks:
        caller = tasks.create_task(turnstile.enter(5))
        await turn()
        if granted:
            turnstile.leave(5)  # its turn comes in the very moment in which it is cancelled
        caller.cancel()
    if not granted:
        turnstile.leave(5)
    async with asyncio.timeout(1):
        await turnstile.enter(10)


async def test_a_cancelled_one_lets_the_next_pass() -> None:
    turnstile = Turnstile(count_max=9, size_max=10)
    await turnstile.enter(6)
    async with asyncio.TaskGroup() as tasks:
        large, small = tasks.create_task(turnstile.enter(9)), tasks.create_task(turnstile.enter(1))
        await turn()
        large.cancel()
        await small


async def test_the_end_fails_all_who_wait() -> None:
    turnstile = Turnstile(count_max=1, size_max=10)
    await turnstile.enter(1)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_lost(turnstile))
        await turn()
        turnstile.close(LostConnectionError("over"))
        await waiting


async def _lost(turnstile: Turnstile) -> None:
    with pytest.raises(LostConnectionError):
        await turnstile.enter(1)
