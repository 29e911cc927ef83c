"""The event loop of the simulated world: virtual time, no files, no threads, and the same order in every run.

When nothing is ready, the loop does not wait: its time jumps to the next timer. What asyncio leaves to chance is
fixed: tasks and futures hash by a counter, so that the sets in which `TaskGroup` and `asyncio.wait` keep them
are walked in the same order each time, and garbage is collected at fixed turns, since finalisers may schedule.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from itertools import count
from types import CoroutineType
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TURNS_WITHOUT_TIME_MAX: Final = 1_000_000
"""So many turns of the loop at one moment are taken for a loop that never ends."""
_TURNS_BETWEEN_COLLECTIONS: Final = 50_000
_RESOLUTION_SECONDS: Final = 1e-6  # what doubles still tell apart after two centuries: else time would stand still


class WorldError(Exception):
    """The simulated program did what no correct one does; the world ends."""


class DeadlockError(WorldError):
    """Every task waits and no timer is left: nothing can ever happen again."""


class LivelockError(WorldError):
    """The loop turns and turns, and time does not pass."""


class LeakError(WorldError):
    """Tasks were left behind: they had no owner."""


class CallbackError(WorldError):
    """A callback of the loop raised, or a task's exception was never looked at."""


class _WorldTask(asyncio.Task[T]):
    def __init__(self, serial: int, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], **options: Any) -> None:
        self.serial = serial  # first: asyncio puts the task into a set while it is being made
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self.serial


class _WorldFuture(asyncio.Future[T]):
    def __init__(self, serial: int, loop: asyncio.AbstractEventLoop) -> None:
        self.serial = serial
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.serial


def _describe(task: asyncio.Task[Any]) -> str:
    """A task's name and the line it waits at, at the end of its chain of awaits."""
    where = ""
    awaited: Any = task.get_coro()
    while isinstance(awaited, CoroutineType):
        if awaited.cr_frame is not None:
            where = f" at {awaited.cr_code.co_qualname}:{awaited.cr_frame.f_lineno}"
        awaited = awaited.cr_await
    return f"{task.get_name()}{where}"


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio event loop on virtual time; `time()` begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._turns = 0
        self._turns_now = 0
        self._serials = count()
        self._failure: dict[str, Any] | None = None
        self._selector = self  # BaseEventLoop asks its selector what happened outside: nothing ever does
        self._clock_resolution = _RESOLUTION_SECONDS
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._note_failure)

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[NoReturn]:
        """Called once a turn, in place of waiting: move time on by `timeout` seconds. Raises `WorldError`s."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise CallbackError(f"{failure['message']}: {failure!r}") from failure.get("exception")
        if timeout is None:
            waiting = "; ".join(_describe(task) for task in self.tasks())
            raise DeadlockError(f"Nothing is ready and no timer is left at {self._now:.6f} s. Waiting: {waiting}.")
        self._turns += 1
        self._turns_now = 0 if timeout > 0 else self._turns_now + 1
        if self._turns_now > TURNS_WITHOUT_TIME_MAX:
            tasks = "; ".join(_describe(task) for task in self.tasks())
            raise LivelockError(f"{self._turns_now} turns passed at {self._now:.6f} s. Tasks: {tasks}.")
        if self._turns % _TURNS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        self._now += timeout
        return []

    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks that are not done, in the order of their making."""
        return sorted(asyncio.all_tasks(self), key=hash)

    def create_future(self) -> asyncio.Future[Any]:
        return _WorldFuture(next(self._serials), self)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        raise WorldError("The simulated world has no threads: use the injected workers.")

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        **options: Any,
    ) -> _WorldTask[T]:
        serial = next(self._serials)
        # A name of our own: asyncio counts the tasks of the process, not those of this loop.
        options["name"] = options.get("name") or f"task {serial}"
        return _WorldTask(serial, coro, loop=loop, **options)

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._failure is None:  # the first one is the cause, later ones follow from it
            self._failure = context

    # What BaseEventLoop calls and has no defaults for.

    def _process_events(self, events: list[NoReturn]) -> None:
        assert not events

    def _write_to_self(self) -> None:
        """Called to wake a loop that waits: this one never does."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a new `VirtualLoop` and return its result.

    Raises what `main` raises, and `WorldError`: deadlock, livelock, an exception nobody caught, or a task that is
    still there when `main` returns.
    """
    collects = gc.isenabled()
    gc.collect()  # what earlier runs left must not be finalised in the middle of this one
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(_owning_all(main))
    finally:
        if collects:
            gc.enable()


async def _owning_all(main: Coroutine[Any, Any, T]) -> T:
    result = await main
    await asyncio.sleep(0)  # what was done in the last turn may end in this one
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    left = [task for task in loop.tasks() if task is not asyncio.current_task()]
    if left:
        raise LeakError(f"Tasks were left behind: {'; '.join(_describe(task) for task in left)}.")
    return result
