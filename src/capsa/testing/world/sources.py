"""What the simulated world injects in place of the machine: entropy, clock and workers, all from one seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from blake3 import blake3

from capsa.seams import Lane
from capsa.testing.world.trace import Trace

P = ParamSpec("P")
R = TypeVar("R")

START: Final = 1_767_225_600.0
"""Unix time at which a world begins: 2026-01-01T00:00:00Z."""

_JOB_SECONDS_MIN: Final = 20e-6
_JOB_SECONDS_MAX: Final = 2e-3


class SeededEntropy:
    """A deterministic `Entropy`: the BLAKE3 output stream of a seed and a stream's name."""

    def __init__(self, seed: int, stream: str) -> None:
        self._stream = blake3(f"{seed} {stream}".encode(), derive_key_context="capsa simulated world entropy")
        self._position = 0

    def take(self, size: int) -> bytes:
        taken = self._stream.digest(length=size, seek=self._position)
        self._position += size
        return taken


def dice(seed: int, stream: str) -> random.Random:
    """The source of a world's chance: latencies, faults, orders."""
    return random.Random(SeededEntropy(seed, stream).take(32))


class VirtualClock:
    """A `Clock` over the loop's time, wrong by `offset` seconds and fast by `drift` (seconds a second)."""

    def __init__(self, *, start: float = START, offset: float = 0.0, drift: float = 0.0) -> None:
        self.start = start
        self.offset = offset
        self.drift = drift

    def now(self) -> float:
        return self.start + self.offset + asyncio.get_running_loop().time() * (1 + self.drift)


class InlineWorkers:
    """`Workers` on the loop's own thread: each job runs whole, at a seeded moment, and each lane is serial.

    After `halt` no job begins, and every caller, waiting or new, is cancelled: the machine is off. `after_job` is
    called before a job's caller hears of it, and may halt.
    """

    def __init__(
        self, host: str, chance: random.Random, trace: Trace, *, after_job: Callable[[], None] | None = None
    ) -> None:
        self._host = host
        self._chance = chance
        self._trace = trace
        self._after_job = after_job
        self._free_at: dict[Lane, float] = {}
        self._waiting: dict[asyncio.Future[Any], asyncio.TimerHandle] = {}
        self._halted = False

    async def run(self, lane: Lane, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._halted:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        begin = max(loop.time(), self._free_at.get(lane, 0.0))
        end = begin + self._chance.uniform(_JOB_SECONDS_MIN, _JOB_SECONDS_MAX)
        self._free_at[lane] = end
        self._waiting[done] = loop.call_at(end, self._perform, lane, partial(fn, *args, **kwargs), done)
        return await done

    def halt(self) -> None:
        """Switch off. A repeat does nothing."""
        self._halted = True
        for done, timer in self._waiting.items():
            timer.cancel()
            done.cancel()
        self._waiting.clear()

    def _perform(self, lane: Lane, work: partial[R], done: asyncio.Future[R]) -> None:
        self._waiting.pop(done)
        self._trace.note("job", self._host, lane, getattr(work.func, "__qualname__", type(work.func).__name__))
        result, error = _outcome(work)
        if self._after_job is not None:
            self._after_job()
        if self._halted:
            done.cancel()
        elif done.cancelled():
            return
        elif error is None:
            done.set_result(result)
        else:
            done.set_exception(error)


def _outcome(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 (it belongs to the caller)
        return None, error
