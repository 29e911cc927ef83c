"""Bounds on what a store takes: the disk's for everybody, and a capacity for what is kept for others.

A home stacks them: its own blocks go through a `SpaceGuard`, those of others through a `QuotaStore` around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from capsa.core.claims import ClaimPart, ReleaseNote
from capsa.core.ids import BlockId, Buffer, ClaimId, OwnerId
from capsa.errors import CapsaError, DiskError, NoSpaceError
from capsa.seams import Lane, Workers
from capsa.stores.base import BlockStore
from capsa.stores.disk import Disk
from capsa.stores.wrapper import StoreWrapper

FULL_PERCENT: Final = 95
ROOM_AGAIN_PERCENT: Final = 90
LAST_PERCENT: Final = 99
"""What is beyond is left to what this home says itself: its claims, releases and heads."""
_LOOK_AGAIN_SECONDS: Final = 5.0
_LOOK_AGAIN_SIZE: Final = 64 * 1024 * 1024


class SpaceGuard(StoreWrapper):
    """Refuses puts with `NoSpaceError` once the disk is 95 % used, and at 99 % claims and releases of owners other
    than `own`; everything else goes on in what is left.

    The disk is looked at every 5 s or 64 MiB, so the bound is overrun by at most that.
    """

    def __init__(self, inner: BlockStore, *, own: OwnerId, disk: Disk, workers: Workers) -> None:
        super().__init__(inner)
        self._own = own
        self._disk = disk
        self._workers = workers
        self._free = 0
        self._total = 0
        self._full = False
        self._looked: float | None = None
        self._taken = 0

    @property
    def full(self) -> bool:
        """Whether nodes should choose others for new blocks: set at 95 %, cleared at 90 %, as last looked."""
        return self._full

    @property
    def free(self) -> int:
        """Bytes free on the disk, as last looked."""
        return self._free

    async def open(self) -> None:
        await self._inner.open()
        await self.look()

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        await self._take(sum(len(data) for _, data in blocks), FULL_PERCENT)
        await self._inner.put(claim, blocks)

    async def claim(self, part: ClaimPart) -> None:
        if part.owner != self._own:
            await self._take(len(part.signed), LAST_PERCENT)
        await self._inner.claim(part)

    async def release(self, note: ReleaseNote) -> None:
        if note.owner != self._own:
            await self._take(len(note.signed), LAST_PERCENT)
        await self._inner.release(note)

    async def _take(self, size: int, percent: int) -> None:
        """Count what is about to be written; `NoSpaceError` if the disk would be that full with it."""
        now = asyncio.get_running_loop().time()
        if self._looked is None or now - self._looked > _LOOK_AGAIN_SECONDS or self._taken > _LOOK_AGAIN_SIZE:
            await self.look()
        if (self._total - self._free + self._taken + size) * 100 >= self._total * percent:
            raise NoSpaceError(f"The disk is {percent} % full.", "Free some space on it.")
        self._taken += size

    async def look(self) -> None:
        """Look at the disk now; `DiskError` if it does not say."""
        try:
            self._free, self._total = await self._workers.run(Lane.READ, self._disk.space)
        except OSError as error:
            raise DiskError(
                f"The disk of this home does not say how full it is: {error.strerror}.", "Check the disk."
            ) from error
        self._looked = asyncio.get_running_loop().time()
        self._taken = 0
        limit = ROOM_AGAIN_PERCENT if self._full else FULL_PERCENT
        self._full = (self._total - self._free) * 100 >= self._total * limit


class QuotaStore(StoreWrapper):
    """Refuses puts and claims with `NoSpaceError` beyond `capacity` bytes of what is kept for others than `own`.

    That is their blocks and their claim parts. A block that `own` has not claimed yet counts as others'. Usage is
    measured when opened and grows by what is put and claimed, as if it were new; before refusing, it is measured
    again if it can have come out too high.
    """

    def __init__(self, inner: BlockStore, *, own: OwnerId, capacity: int) -> None:
        super().__init__(inner)
        self._own = own
        self._capacity = capacity
        self._used = 0
        self._coming = 0
        self._begun = 0
        self._stale = True  # a measurement could come out lower

    @property
    def used(self) -> int:
        """Bytes kept for others, or a little more."""
        return self._used

    async def open(self) -> None:
        await self._inner.open()
        await self._measure()

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        size = sum(len(data) for _, data in blocks)
        if self._used + size > self._capacity:
            if self._stale:
                await self._measure()
            missing = set(await self._inner.missing([block for block, _ in blocks]))
            size = sum(len(data) for block, data in dict(blocks).items() if block in missing)
            if size and self._used + size > self._capacity:
                raise NoSpaceError("This node keeps no more for others.", "Another node takes it.")
        with self._counted(size):
            await self._inner.put(claim, blocks)

    async def claim(self, part: ClaimPart) -> None:
        if part.owner == self._own:
            self._stale = True  # what it covers counts no more
            await self._inner.claim(part)
            return
        size = len(part.signed)
        if self._used + size > self._capacity:
            if self._stale:
                await self._measure()
            if part.digest in await self._inner.parts(part.owner):
                size = 0
            if size and self._used + size > self._capacity:
                raise NoSpaceError("This node keeps no more for others.", "Another node takes it.")
        with self._counted(size):
            await self._inner.claim(part)

    @contextmanager
    def _counted(self, size: int) -> Iterator[None]:
        """Count what is written inside, while it is on its way and once it is there."""
        self._used += size
        self._coming += size
        self._begun += size
        self._stale = True  # some of it may have been here
        try:
            yield
        except CapsaError:
            self._used -= size
            raise
        finally:
            self._coming -= size

    async def discard(self, blocks: Sequence[BlockId], now: float) -> None:
        await self._inner.discard(blocks, now)
        self._stale = True

    async def quarantine(self, blocks: Sequence[BlockId]) -> None:
        await self._inner.quarantine(blocks)
        self._stale = True

    async def _measure(self) -> None:
        """Ask the store, and add what is on its way there, which the store may not know of yet."""
        coming, begun = self._coming, self._begun
        stats = await self._inner.stats(self._own)
        coming += self._begun - begun
        self._used = stats.size_bytes + stats.parts_size_bytes + coming
        self._stale = coming > 0
