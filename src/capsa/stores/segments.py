"""The segment store: a `BlockStore` over segment files and an index, with group commit.

Writes queue up; `run` hands everything that waits to the disk lane as one batch, which appends, syncs and commits
the index before anybody is told. Reads run on their own lane, over their own connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, TypeVar

import apsw

from capsa.core.claims import ClaimPart, ReleaseNote
from capsa.core.ids import BlockId, Buffer, ClaimId, OwnerId
from capsa.errors import CapsaError, DiskError
from capsa.seams import Clock, Entropy, Lane, Workers, outlast
from capsa.stores.base import StoreStats
from capsa.stores.commit import Committer, DiscardBlocks, KeepSigned, PutBlocks, Request
from capsa.stores.disk import Disk
from capsa.stores.index import Index
from capsa.stores.log import SEGMENT_SIZE, SegmentLog
from capsa.stores.reader import Reader
from capsa.stores.recovery import open_index, recover

P = ParamSpec("P")
R = TypeVar("R")

_BATCH_SIZE: Final = 32 * 1024 * 1024


class _Waiting:
    """A request and the caller who waits for it."""

    def __init__(self, request: Request, done: asyncio.Future[None]) -> None:
        self.request = request
        self.done = done

    def settle(self, outcome: CapsaError | None) -> None:
        if self.done.done():
            return
        if outcome is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(outcome)
            self.done.exception()  # looked at, even if whoever waited for it was cancelled


class SegmentStore:
    """Blocks in append-only files under `folder` of a disk: `segments/` and the index, `index.db`."""

    def __init__(
        self,
        disk: Disk,
        *,
        workers: Workers,
        clock: Clock,
        entropy: Entropy,
        folder: str = "store",
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        self._disk = disk
        self._workers = workers
        self._clock = clock
        self._folder = folder
        self._segments = f"{folder}/segments"
        self._segment_size = segment_size
        self._log = SegmentLog(disk, self._segments, entropy, segment_size)
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._index: Index | None = None
        self._committer: Committer | None = None
        self._reader: Reader | None = None

    async def open(self) -> None:
        await self._workers.run(Lane.DISK, self._open)

    def _open(self) -> None:
        index_name = f"{self._folder}/index.db"
        try:
            self._disk.make_folder(self._segments)
            self._disk.sync_folder(self._folder)
            self._index = open_index(self._disk, index_name)
            recover(self._disk, self._segments, self._index, self._log, self._segment_size)
            self._committer = Committer(self._log, self._index, self._clock)
            self._reader = Reader(self._disk, self._segments, self._disk.database(index_name, durable=False))
        except (OSError, apsw.Error) as error:
            raise DiskError(f"The store cannot be opened ({error}).", "Check the disk that it lies on.") from error

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                await self._commit_batch()

    async def close(self) -> None:
        while self._queue and self._committer is not None:
            await self._commit_batch()
        await self._workers.run(Lane.READ, self._close_reader)
        await self._workers.run(Lane.DISK, self._close_writer)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _close_writer(self) -> None:
        self._log.close()
        if self._index is not None:
            self._index.close()
            self._index = self._committer = None

    async def _commit_batch(self) -> None:
        """Commit what waits, up to a batch's size. A cancellation waits until the callers can be told."""
        if self._committer is None:
            raise DiskError("The store is closed.")
        batch = [self._queue.popleft()]
        size = batch[0].request.size
        while self._queue and _joins(batch, self._queue[0]) and size + self._queue[0].request.size <= _BATCH_SIZE:
            batch.append(self._queue.popleft())
            size += batch[-1].request.size
        requests = [waiting.request for waiting in batch]
        job = asyncio.ensure_future(self._workers.run(Lane.DISK, self._committer.commit, requests))
        try:
            await outlast(job)
        finally:
            error = None if job.cancelled() else job.exception()
            if job.cancelled() or error is not None:
                failure = DiskError(f"The store failed while it wrote ({error!r}).")
                outcomes: list[CapsaError | None] = [failure] * len(batch)
            else:
                outcomes = job.result()
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.settle(outcome)
        if error is not None:
            raise error

    async def _submit(self, request: Request) -> None:
        """Wait until a request is carried out. If cancelled while it is being written, wait for that: buffers are
        the caller's again, and may change, only when nobody reads them any more."""
        waiting = _Waiting(request, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._arrived.set()
        try:
            await asyncio.shield(waiting.done)
        except asyncio.CancelledError:
            if waiting in self._queue:
                self._queue.remove(waiting)
            else:
                await outlast(waiting.done)
            raise

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        await self._submit(PutBlocks(claim, blocks))

    async def claim(self, part: ClaimPart) -> None:
        await self._submit(KeepSigned(part))

    async def release(self, note: ReleaseNote) -> None:
        await self._submit(KeepSigned(note))

    async def discard(self, blocks: Sequence[BlockId], now: float) -> None:
        await self._submit(DiscardBlocks(blocks, now))

    async def quarantine(self, blocks: Sequence[BlockId]) -> None:
        try:
            await self._workers.run(Lane.DISK, self._writing_index.quarantine, blocks)
        except apsw.Error as error:
            raise DiskError(f"The store's index cannot be written ({error}).") from error

    async def get(self, block: BlockId) -> Buffer:
        return await self._read(self._reading.block, block)

    async def sample(self, block: BlockId, offset: int, size: int) -> tuple[bytes, int]:
        return await self._read(self._reading.sample, block, offset, size)

    async def missing(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        return await self._read(self._reading.index.missing, blocks)

    async def claimed(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        return await self._read(self._reading.index.claimed, blocks)

    async def parts(self, owner: OwnerId | None = None) -> list[bytes]:
        return await self._read(self._reading.index.parts, owner)

    async def part(self, digest: bytes) -> bytes:
        return await self._read(self._reading.part, digest)

    async def collectable(self, now: float) -> list[BlockId]:
        return await self._read(self._reading.index.collectable, now)

    async def stats(self, without: OwnerId | None = None) -> StoreStats:
        return await self._read(self._reading.index.stats, without)

    async def damaged(self) -> list[BlockId]:
        """Blocks that were here, whose bytes turned out wrong or lost, and that nobody has put again."""
        return await self._read(self._reading.index.damaged)

    async def _read(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await self._workers.run(Lane.READ, fn, *args, **kwargs)
        except apsw.Error as error:
            raise DiskError(
                f"The store's index cannot be read ({error}).", "Check the disk that it lies on."
            ) from error

    @property
    def _reading(self) -> Reader:
        if self._reader is None:
            raise DiskError("The store is closed.")
        return self._reader

    @property
    def _writing_index(self) -> Index:
        if self._index is None:
            raise DiskError("The store is closed.")
        return self._index


def _joins(batch: Sequence[_Waiting], candidate: _Waiting) -> bool:
    """A discard is judged by what is committed, so it never shares a batch."""
    return not isinstance(batch[0].request, DiscardBlocks) and not isinstance(candidate.request, DiscardBlocks)
