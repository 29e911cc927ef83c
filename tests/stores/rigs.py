"""The stores that the tests run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from capsa.core.ids import OwnerId
from capsa.seams import Lane, Workers
from capsa.stores.base import BlockStore
from capsa.stores.disk import Disk
from capsa.stores.memory import MemoryStore
from capsa.stores.quota import QuotaStore, SpaceGuard
from capsa.stores.segments import SegmentStore
from capsa.stores.verify import VerifyingStore
from capsa.testing.stores import TestClock
from capsa.testing.world.disk import SimDisk
from capsa.testing.world.sources import SeededEntropy

P = ParamSpec("P")
R = TypeVar("R")

SEGMENT_SIZE = 16 * 1024
"""Small, so that tests cross the borders of segments."""


class InlineWorkers:
    """`Workers` that run every job at once, on the loop's thread."""

    async def run(self, lane: Lane, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return fn(*args, **kwargs)


class MemoryRig:
    """A memory store."""

    persistent = False

    def __init__(self) -> None:
        self.clock = TestClock()

    def make(self) -> BlockStore:
        return MemoryStore(clock=self.clock)


class SegmentRig:
    """A segment store on a disk."""

    persistent = True

    def __init__(self, disk: Disk, workers: Workers) -> None:
        self.clock = TestClock()
        self.disk = disk
        self.workers = workers
        self.entropy = SeededEntropy(0, "store")

    def make(self) -> SegmentStore:
        return SegmentStore(
            self.disk, workers=self.workers, clock=self.clock, entropy=self.entropy, segment_size=SEGMENT_SIZE
        )


class WrappedRig:
    """A segment store behind every wrapper."""

    persistent = True

    def __init__(self, disk: Disk, workers: Workers) -> None:
        self._inner = SegmentRig(disk, workers)
        self.clock = self._inner.clock
        self.disk = disk
        self.workers = workers

    def make(self) -> BlockStore:
        guarded = SpaceGuard(self._inner.make(), own=OwnerId(bytes(32)), disk=self.disk, workers=self.workers)
        return QuotaStore(VerifyingStore(guarded), own=OwnerId(bytes(32)), capacity=2**30)


def sim_disk(seed: int = 0) -> SimDisk:
    """A simulated disk whose chances come from `seed`."""
    return SimDisk(SeededEntropy(seed, "disk"))
