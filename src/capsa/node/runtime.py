"""The real clock, random source and threads (see `capsa.seams`)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from capsa.seams import Lane

P = ParamSpec("P")
R = TypeVar("R")


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> float:
        return time.time()


class SystemEntropy:
    """The operating system's random source."""

    def take(self, size: int) -> bytes:
        return os.urandom(size)


class ThreadWorkers:
    """One thread a lane, started when first used."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, ThreadPoolExecutor] = {}

    async def run(self, lane: Lane, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if lane not in self._lanes:
            self._lanes[lane] = ThreadPoolExecutor(1, thread_name_prefix=f"capsa-{lane}")
        return await asyncio.get_running_loop().run_in_executor(self._lanes[lane], partial(fn, *args, **kwargs))

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        for lane in self._lanes.values():
            lane.shutdown()
        self._lanes.clear()
