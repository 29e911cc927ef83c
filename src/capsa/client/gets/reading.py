"""get: walk a file's tree, fetch what it names a window of blocks at a time, open, check, write in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

from blake3 import blake3

from capsa.client.gets.parts import PartFile
from capsa.client.gets.patience import Blocks
from capsa.core.caps import Cap
from capsa.core.chunks import is_chunk, open_chunk
from capsa.core.keys import Label
from capsa.core.pages import DEFAULT_SHAPE, Entry, Kind, Root, Shape, parse_root
from capsa.core.sealing import padme, unseal
from capsa.core.tree import TreeWalk, WantedPage
from capsa.errors import IntegrityError, RefusedError, leading
from capsa.seams import Lane, Workers, outlast

WINDOW = 16
"""Blocks that are asked for at once."""
SETTLE_SIZE = 32 * 1024 * 1024
"""Plaintext bytes after which a growing part file is brought to the disk."""

Progress: TypeAlias = Callable[[int], None]
"""Called with a number of further plaintext bytes that are done."""


class Writable(Protocol):
    """Where plaintext goes, in order; called on a lane."""

    def write(self, data: memoryview, /) -> object: ...


class Reader:
    """Reads files by cap, from wherever blocks come. What it hands out is bit for bit what was put, or an error."""

    def __init__(self, blocks: Blocks, *, workers: Workers, shape: Shape = DEFAULT_SHAPE) -> None:
        self._blocks = blocks
        self._workers = workers
        self._shape = shape

    async def open(self, cap: Cap) -> Root:
        """The root page of a file, link or folder.

        Raises `NotFoundError`, `UnreachableError`, or `IntegrityError` if the cap's key is wrong.
        """
        block = await self._blocks.fetch(cap.root)
        return parse_root(unseal(cap.key, Label.SEAL_PAGE, block), self._shape)

    async def read(
        self,
        root: Root,
        out: Writable,
        *,
        start: int = 0,
        stop: int | None = None,
        progress: Progress = lambda size: None,
    ) -> None:
        """Write the bytes from `start` up to `stop` (default: the end) of a file to `out`, in order.

        A read of the whole is also checked against the file's digest: at its end, when the bytes are out.
        """
        stop = root.size if stop is None else min(stop, root.size)
        whole = start == 0 and stop == root.size
        await self._copy(root, _Sink(out, root, blake3() if whole else None), start, stop, progress)

    async def fetch_to(
        self, cap: Cap, root: Root, target: Path, *, overwrite: bool = False, progress: Progress = lambda size: None
    ) -> None:
        """Fetch a file to `target`, with its time and permission bits: there is the whole file, or none.

        An earlier, interrupted fetch is continued from what of its part file proves right.
        """
        _check_is_file(root)
        make = partial(PartFile, target, cap.root, overwrite=overwrite)
        part = await open_part(self._workers, Lane.SEAL, make)
        try:
            await self.fill(part, root, progress=progress)
            await self._workers.run(Lane.SEAL, part.finish, mtime_ns=root.mtime_ns, mode=root.mode)
        finally:
            await outlast(asyncio.ensure_future(self._workers.run(Lane.SEAL, part.close)))

    async def fetch_range_to(
        self,
        cap: Cap,
        root: Root,
        target: Path,
        start: int,
        stop: int,
        *,
        overwrite: bool = False,
        progress: Progress = lambda size: None,
    ) -> None:
        """Fetch the bytes from `start` up to `stop` of a file to `target`, all of them or none.

        An interrupted fetch of a range begins anew; its part file is not that of the whole.
        """
        _check_is_file(root)
        tag = f".{start}-{stop}"
        make = partial(PartFile, target, cap.root, overwrite=overwrite, tag=tag)
        part = await open_part(self._workers, Lane.SEAL, make)
        try:
            await self._workers.run(Lane.SEAL, part.truncate, 0)
            await self._workers.run(Lane.SEAL, part.expect, stop - start)
            await self.read(root, part, start=start, stop=stop, progress=progress)
            await self._workers.run(Lane.SEAL, part.finish, mtime_ns=root.mtime_ns, mode=root.mode)
        finally:
            await outlast(asyncio.ensure_future(self._workers.run(Lane.SEAL, part.close)))

    async def fill(self, part: PartFile, root: Root, *, progress: Progress = lambda size: None) -> None:
        """Bring a part file up to the whole of a file, going on from what of it proves right."""
        try:
            digest = blake3()
            kept = await self._check_part(root, part, digest)
            await self._workers.run(Lane.SEAL, part.expect, root.size)
            progress(kept)
            async with asyncio.TaskGroup() as group:
                behind = _Behind(part, self._workers, group)
                await self._copy(root, _Sink(part, root, digest), kept, root.size, behind.following(progress))
        except BaseExceptionGroup as errors:
            raise leading(errors) from None

    async def _check_part(self, root: Root, part: PartFile, digest: blake3) -> int:
        """How many bytes of an earlier fetch are right; the rest is cut off."""
        kept = 0
        if part.size and root.entries:
            buffer = memoryview(bytearray(root.chunk_size))
            async with aclosing(self._chunks(root, 0, root.size)) as chunks:
                async for entry, offset in chunks:
                    if not await self._workers.run(Lane.SEAL, _is_kept, part, entry, offset, buffer, digest):
                        break
                    kept = offset + entry.length
        await self._workers.run(Lane.SEAL, part.truncate, kept)
        return kept

    async def _copy(self, root: Root, sink: _Sink, start: int, stop: int, progress: Progress) -> None:
        if root.inline or not root.entries:
            await self._workers.run(Lane.SEAL, sink.take_inline, start, stop)
            progress(max(0, stop - start))
        else:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._copy_chunks(root, sink, start, stop, progress, group)
            except BaseExceptionGroup as errors:
                raise leading(errors) from None
        await self._workers.run(Lane.SEAL, sink.finish)

    async def _copy_chunks(
        self, root: Root, sink: _Sink, start: int, stop: int, progress: Progress, group: asyncio.TaskGroup
    ) -> None:
        window: deque[tuple[Entry, int, asyncio.Task[memoryview]]] = deque()

        async def take_first() -> None:
            entry, offset, task = window.popleft()
            low, high = max(start - offset, 0), min(stop - offset, entry.length)
            await self._workers.run(Lane.SEAL, sink.take, entry, await task, low, high)
            progress(high - low)

        async with aclosing(self._chunks(root, start, stop)) as chunks:
            async for entry, offset in chunks:
                window.append((entry, offset, group.create_task(self._blocks.fetch(entry.id))))
                if len(window) == WINDOW:
                    await take_first()
        while window:
            await take_first()

    async def _chunks(self, root: Root, start: int, stop: int) -> AsyncGenerator[tuple[Entry, int], None]:
        """The chunks that overlap a range, in order, and where each begins."""
        walk = TreeWalk(root, start=start, stop=stop, shape=self._shape)
        while (wanted := walk.next()) is not None:
            if isinstance(wanted, WantedPage):
                block = await self._blocks.fetch(wanted.entry.id)
                walk.feed(unseal(wanted.entry.key, Label.SEAL_PAGE, block))
            else:
                yield wanted.entry, wanted.offset


async def open_part(workers: Workers, lane: Lane, make: Callable[[], PartFile]) -> PartFile:
    """A part file that `make` opens on a lane; if we are cancelled meanwhile, it is closed again, and its lock free."""
    opening = asyncio.ensure_future(workers.run(lane, make))
    try:
        await outlast(opening)
    except asyncio.CancelledError:
        if opening.exception() is None:
            opening.result().close()
        raise
    return opening.result()


class _Behind:
    """Settles a part file while it grows, so that its end is not one long wait for the disk."""

    def __init__(self, part: PartFile, workers: Workers, tasks: asyncio.TaskGroup) -> None:
        self._part = part
        self._workers = workers
        self._tasks = tasks
        self._settled = part.size
        self._settling: asyncio.Task[None] | None = None

    def following(self, progress: Progress) -> Progress:
        """The same progress, which also starts to settle what has come since the last time."""

        def follow(size: int) -> None:
            progress(size)
            grown = self._part.size
            if grown - self._settled >= SETTLE_SIZE and (self._settling is None or self._settling.done()):
                self._settled = grown
                settle = self._workers.run(Lane.DISK, self._part.settle, grown)
                self._settling = self._tasks.create_task(settle)

        return follow


class _Sink:
    """Opens chunks and writes them out. Its methods run on the lane, one after the other."""

    def __init__(self, out: Writable, root: Root, digest: blake3 | None) -> None:
        self._out = out
        self._root = root
        self._digest = digest
        self._buffer = memoryview(bytearray(padme(min(root.chunk_size, root.size)) if root.entries else 0))

    def take(self, entry: Entry, block: memoryview, low: int, high: int) -> None:
        plain = open_chunk(entry, block, self._buffer)[low:high]
        self._write(plain)

    def take_inline(self, start: int, stop: int) -> None:
        self._write(memoryview(self._root.inline)[start:stop])

    def _write(self, plain: memoryview) -> None:
        if self._digest is not None:
            self._digest.update(plain)
        self._out.write(plain)

    def finish(self) -> None:
        if self._digest is not None and self._digest.digest() != self._root.digest:
            raise IntegrityError("The file does not match its digest.", "Ask whoever gave you the cap.")


def _check_is_file(root: Root) -> None:
    if root.kind is not Kind.FILE:
        raise RefusedError(
            f"{root.name} is a {root.kind.name.lower()}, not a file.", "'capsa get -r' brings it back, by its key."
        )


def _is_kept(part: PartFile, entry: Entry, offset: int, buffer: memoryview, digest: blake3) -> bool:
    plain = buffer[: entry.length]
    if part.read_into(plain, offset) != entry.length or not is_chunk(entry, plain):
        return False
    digest.update(plain)
    return True
