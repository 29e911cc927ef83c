"""The virtual loop: time jumps, nothing hangs unnoticed, and asyncio's sets are walked in the same order each time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from capsa.testing.world.loop import CallbackError, DeadlockError, LeakError, LivelockError, WorldError, run


def now() -> float:
    return asyncio.get_running_loop().time()


def test_days_pass_at_once_and_in_order() -> None:
    async def main() -> list[tuple[str, float]]:
        woken: list[tuple[str, float]] = []

        async def sleeper(name: str, hours: int) -> None:
            await asyncio.sleep(hours * 3600)
            woken.append((name, now()))

        async with asyncio.TaskGroup() as group:
            for name, hours in (("week", 168), ("hour", 1), ("day", 24)):
                group.create_task(sleeper(name, hours))
        return woken

    assert run(main()) == [("hour", 3600.0), ("day", 86400.0), ("week", 604800.0)]


def test_a_timeout_comes_at_its_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return now()

    assert run(main()) == 3600.0


def test_short_timers_still_come_after_a_century() -> None:
    async def main() -> float:
        await asyncio.sleep(100 * 365 * 86400)
        before = now()
        for _ in range(1000):
            await asyncio.sleep(1e-4)
        return now() - before

    assert run(main()) == pytest.approx(0.1, rel=0.01)


async def _cancel_in_a_task_group() -> list[int]:
    ended: list[int] = []

    async def member(number: int) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(number)

    async def first() -> None:
        await asyncio.sleep(1)
        raise ValueError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            for number in range(50):
                group.create_task(member(number))
    return ended


async def _wait_for_futures() -> list[int]:
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(50)]
    for future in futures:
        future.set_result(None)
    done, _ = await asyncio.wait(futures)
    return [futures.index(future) for future in done]


@pytest.mark.parametrize("main", [_cancel_in_a_task_group, _wait_for_futures])
def test_sets_of_tasks_and_futures_are_walked_in_order(main: Callable[[], Awaitable[list[int]]]) -> None:
    async def whole() -> list[int]:
        return await main()

    ballast = [object() for _ in range(1000)]  # so that addresses, by which asyncio's own tasks hash, differ
    assert run(whole()) == run(whole()) == list(range(50))
    assert ballast


async def _deadlock() -> None:
    await asyncio.Event().wait()


async def _livelock() -> None:
    loop = asyncio.get_running_loop()

    def again() -> None:
        loop.call_soon(again)

    again()
    await asyncio.Event().wait()


async def _leak() -> None:
    orphan = asyncio.create_task(asyncio.sleep(10), name="orphan")
    assert not orphan.done()


async def _raising_callback() -> None:
    asyncio.get_running_loop().call_soon(dict[int, int]().__getitem__, 1)
    await asyncio.sleep(1)


async def _unseen_exception() -> None:
    async def fail() -> None:
        raise ValueError

    orphan = asyncio.create_task(fail())
    await asyncio.sleep(1)
    del orphan
    gc.collect()
    await asyncio.sleep(1)


async def _thread() -> None:
    await asyncio.to_thread(print)


@pytest.mark.parametrize(
    ("main", "error", "says"),
    [
        (_deadlock, DeadlockError, "Waiting: task 0 at Event.wait"),
        (_livelock, LivelockError, "task 0 at Event.wait"),
        (_leak, LeakError, "orphan at sleep"),
        (_raising_callback, CallbackError, "KeyError"),
        (_unseen_exception, CallbackError, "never retrieved"),
        (_thread, WorldError, "no threads"),
    ],
)
def test_what_no_correct_program_does_ends_the_world(
    main: Callable[[], Awaitable[None]], error: type[WorldError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capsa.testing.world.loop.TURNS_WITHOUT_TIME_MAX", 1000)

    async def whole() -> None:
        await main()

    with pytest.raises(error, match=says):
        run(whole())


def test_the_garbage_collector_is_as_it_was() -> None:
    async def main() -> bool:
        return gc.isenabled()

    assert gc.isenabled()
    assert not run(main())
    assert gc.isenabled()
