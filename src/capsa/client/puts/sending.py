"""From jobs to blocks at home: small files sealed and sent together, each of the others as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeAlias, TypeGuard, TypeVar

from capsa.client.link import HomeLink
from capsa.client.puts.jobs import Job, Progress, Stored
from capsa.client.puts.journal import Journal, Opening
from capsa.client.puts.sealer import Block, FileSealer, Manner, SealedFile, seal_small
from capsa.client.puts.sources import Source
from capsa.client.puts.upload import BUFFERS, Buffers, CameOutDifferentError, Signer, Upload, keep_small
from capsa.core.claims import ClaimItem
from capsa.core.names import last_part
from capsa.core.pages import Shape
from capsa.core.sealing import sealed_size
from capsa.errors import CapsaError, leading
from capsa.seams import Clock, Lane, Workers

SMALL_TOGETHER: Final = 64
"""Files that are opened, and if small sealed, in one go."""
SENT_AT_ONCE: Final = 3
"""Of such goes, how many are on their way at once."""

P = ParamSpec("P")
R = TypeVar("R")
_Found: TypeAlias = "SealedFile | _Opened | CapsaError"


@dataclass(frozen=True, slots=True)
class Draft:
    """A file whose blocks the home has. `item` is what no part claims yet; `durable` the copies of what `parts` do."""

    key: str
    file: SealedFile
    item: ClaimItem
    blocks: int
    new_bytes: int
    durable: int
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """How files are sent: for how many copies; sealed privately; waiting for the copies."""

    copies: int
    private: bool = False
    wait: bool = True


@dataclass(frozen=True, slots=True)
class _Opened:
    """A source that is to be streamed, and how it is to be sealed."""

    source: Source
    manner: Manner


class Sender:
    """Brings files' blocks to the home."""

    def __init__(
        self,
        link: HomeLink,
        signer: Signer,
        journal: Journal,
        *,
        workers: Workers,
        clock: Clock,
        shape: Shape,
    ) -> None:
        self._link = link
        self._signer = signer
        self._workers = workers
        self._clock = clock
        self._journal = journal
        self._shape = shape
        self._buffers = Buffers(BUFFERS, sealed_size(shape.chunk_size))

    async def send(self, jobs: Sequence[Job], terms: Terms, progress: Progress) -> list[Draft | Stored]:
        """Bring the files' blocks to the home and, as far as they can be reached, to their picks.

        What came of each, in order: a draft to be recorded, or why it failed. While some files are sent, the next
        ones are sealed.
        """
        openings = await self._journal.open(jobs, private=terms.private)
        outcomes: dict[str, Draft | Stored] = {}
        slots = asyncio.Semaphore(SENT_AT_ONCE)

        async def send(some: Sequence[Opening], found: Sequence[_Found]) -> None:
            try:
                async for outcome in self._send(some, found, terms, progress):
                    outcomes[outcome.key] = outcome
            finally:
                slots.release()

        try:
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(openings), SMALL_TOGETHER):
                    some = openings[start : start + SMALL_TOGETHER]
                    await slots.acquire()
                    group.create_task(send(some, await self._workers.run(Lane.SEAL, self._seal_small, some)))
        except BaseExceptionGroup as errors:
            raise leading(errors) from None
        return [outcomes[opening.job.key] for opening in openings]

    async def _send(
        self, openings: Sequence[Opening], found: Sequence[_Found], terms: Terms, progress: Progress
    ) -> AsyncIterator[Draft | Stored]:
        """The small ones together, each of the others as a stream."""
        small = [(opening, file) for opening, file in zip(openings, found, strict=True) if _is_sealed(file)]
        for draft in await self._send_small(small, terms):
            progress(draft.file.size)
            yield draft
        for opening, one in zip(openings, found, strict=True):
            if isinstance(one, CapsaError):
                yield Stored(opening.job.key, error=one)
            elif isinstance(one, _Opened):
                yield await self._stream(opening, one, terms, progress)

    def _manner(self, opening: Opening) -> Manner:
        now_ns = int(self._clock.now() * 1e9)
        return Manner(opening.secret, last_part(opening.job.key), now_ns, self._shape)

    def _seal_small(self, openings: Sequence[Opening]) -> list[_Found]:
        """On the lane: each file sealed if it lies inside its root page, else opened, else why not."""
        found: list[_Found] = []
        for opening in openings:
            try:
                opened = self._open(opening)
                source = opened.source
                if source.size is None or source.size > self._shape.inline_max:
                    found.append(opened)
                    continue
                try:
                    found.append(seal_small(source, source.size, opened.manner))
                finally:
                    source.close()
            except CapsaError as error:
                found.append(error)
        return found

    def _open(self, opening: Opening) -> _Opened:
        """On the lane."""
        manner = self._manner(opening)  # first, for its time
        return _Opened(opening.job.open(), manner)

    async def _send_small(self, small: Sequence[tuple[Opening, SealedFile]], terms: Terms) -> list[Draft]:
        if not small:
            return []
        roots = [Block(file.root.id, memoryview(file.root.block)) for _, file in small]
        new = await keep_small(self._link, small[0][0].claim, terms.copies, roots, spread=terms.wait)
        drafts = []
        for opening, file in small:
            size = len(file.root.block)
            item = ClaimItem(opening.claim, terms.copies, 0, (file.root.id,), (size,))
            new_bytes = size if file.root.id in new else 0
            drafts.append(Draft(opening.job.key, file, item, 1, new_bytes, terms.copies + 1))
        return drafts

    async def _stream(self, opening: Opening, opened: _Opened, terms: Terms, progress: Progress) -> Draft | Stored:
        """A file of any size. One that came out different from an earlier, unfinished put starts anew, once."""
        try:
            try:
                return await self._stream_once(opening, opened, terms, progress)
            except CameOutDifferentError:
                fresh = await self._journal.begin_anew(opening)
                opened = await self._sealing(self._open, fresh)
                return await self._stream_once(fresh, opened, terms, lambda size: None)
        except _FileFailedError as failed:
            return Stored(opening.job.key, error=failed.reason)

    async def _stream_once(self, opening: Opening, opened: _Opened, terms: Terms, progress: Progress) -> Draft:
        sealer = FileSealer(opened.source, opened.manner)
        try:
            async with Upload(
                *(self._link, self._signer, opening.claim),
                copies=terms.copies,
                expected=opening.expected,
                wait=terms.wait,
            ) as upload:
                while True:
                    buffer = await self._buffers.take()
                    sealed = await self._sealing(sealer.next_chunk, memoryview(buffer))
                    if sealed is None:
                        self._buffers.give(buffer)
                        break
                    chunk, length, pages = sealed
                    upload.add(chunk, lent=(self._buffers, buffer))
                    upload.add_pages(pages)
                    progress(length)
                file = await self._sealing(sealer.finish)
                upload.add_pages(file.pages)
                item = upload.last_item()
        finally:
            opened.source.close()
        return Draft(opening.job.key, file, item, upload.blocks, upload.new_bytes, upload.durable, upload.parts)

    async def _sealing(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Work on one file, whose failure is that file's alone."""
        try:
            return await self._workers.run(Lane.SEAL, fn, *args, **kwargs)
        except CapsaError as error:
            raise _FileFailedError(error) from None


class _FileFailedError(CapsaError):
    """One file could not be read or sealed."""

    def __init__(self, reason: CapsaError) -> None:
        super().__init__(reason.message, reason.hint)
        self.reason = reason


def _is_sealed(found: _Found) -> TypeGuard[SealedFile]:
    return isinstance(found, SealedFile)
