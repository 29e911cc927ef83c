"""What the world injects: time, randomness and threads. Real ones live in `capsa.node.runtime`.

Intervals and deadlines come from the event loop (`loop.time()`, `asyncio.timeout`), which the simulated
world replaces; `Clock` is the wall clock alone. The disk has its own seam in `capsa.stores.disk`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Clock(Protocol):
    """The wall clock."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...


class Entropy(Protocol):
    """The random source; fit for keys."""

    def take(self, size: int) -> bytes:
        """`size` random bytes."""
        ...


class Lane(StrEnum):
    """Where blocking work runs. Each lane is serial: one job at a time, in the order given."""

    DISK = "disk"
    """Everything that writes: segments, the index, `state.db`."""
    READ = "read"
    """Reads of segments and of the index, which must not wait for an fsync."""
    SEAL = "seal"
    """Hashing, sealing and file reading of a command."""


class Workers(Protocol):
    """The only road to a thread."""

    async def run(self, lane: Lane, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a synchronous `fn` on a lane; it touches no loop object. Cancelling the caller does not stop `fn`."""
        ...


async def outlast(job: asyncio.Future[Any]) -> None:
    """Wait until `job` is done, however often we are cancelled; then raise the cancellation, if any.

    For whoever must know what became of a job on a lane, which no cancellation stops.
    """
    cancelled: asyncio.CancelledError | None = None
    while not job.done():
        try:
            await asyncio.wait([job])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
