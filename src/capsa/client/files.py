"""put: the first file to read.

A put is chunk → seal → address → claim → place → send → record. `FileSealer` does the first three, the home's node
places and sends what `Upload` hands it, `Signer` claims, `Catalog` records. Reading is in `capsa.client.reading`.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeAlias, TypeGuard, TypeVar

from blake3 import blake3

from capsa.client.catalog import Catalog, NewVersion, Owner, exists_already
from capsa.client.link import HomeLink
from capsa.client.sealer import Block, FileSealer, Manner, SealedFile, seal_small
from capsa.client.sources import Source
from capsa.client.upload import BUFFERS, Buffers, CameOutDifferentError, Signer, Upload, keep_small
from capsa.core.caps import Cap
from capsa.core.catalog.entries import VersionEntry
from capsa.core.claims import ClaimItem
from capsa.core.commands import Copies, CopiesTold, Done, ForgetPuts, OpenPuts, PutsOpened
from capsa.core.ids import CLAIM_ID_SIZE, ClaimId
from capsa.core.keys import Label, derive
from capsa.core.names import check_key, folder_clashes, last_part
from capsa.core.pages import DEFAULT_SHAPE, Shape, check_name
from capsa.core.sealing import sealed_size
from capsa.errors import CapsaError, FormatError, RefusedError, UsageError, leading
from capsa.seams import Clock, Entropy, Lane, Workers

BATCH_FILES = 1000
"""Files that are recorded together: one head, one set of catalog pages."""
BATCH_BYTES = 256 * 1024 * 1024
"""Plaintext after which what is there is recorded."""
SMALL_TOGETHER = 64
"""Files that are opened, and if small sealed, in one go."""
SENT_AT_ONCE = 3
"""Of such goes, how many are on their way at once."""

_READ_SIZE = 1024 * 1024

P = ParamSpec("P")
R = TypeVar("R")
_Found: TypeAlias = SealedFile | Source | CapsaError
Progress: TypeAlias = Callable[[int], None]
"""Called with a number of further plaintext bytes that are done."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to put: its key, how to open it when its turn comes, and its size if that is known by then.

    Only what is `repeatable`, opened again gives the same bytes, can be taken up where an earlier put stopped.
    """

    key: str
    open: Callable[[], Source]
    size: int | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one file; `durable` and `wanted` copies count the home, `error` is set where it failed."""

    key: str
    cap: Cap | None = None
    size: int = 0
    blocks: int = 0
    new_bytes: int = 0
    unchanged: bool = False
    durable: int = 0
    wanted: int = 0
    error: CapsaError | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file whose blocks the home has. `item` is what no part claims yet; `durable` the copies of what `parts` do."""

    key: str
    file: SealedFile
    item: ClaimItem
    blocks: int
    new_bytes: int
    durable: int
    parts: int = 0


@dataclass(frozen=True, slots=True)
class _Opening:
    """An open put: the claim id to use, and what an earlier run committed under it."""

    job: Job
    name: bytes
    claim: ClaimId
    expected: tuple[bytes, ...]


class Files:
    """An owner's files, by way of the home's node."""

    def __init__(
        self,
        link: HomeLink,
        owner: Owner,
        *,
        workers: Workers,
        clock: Clock,
        entropy: Entropy,
        shape: Shape = DEFAULT_SHAPE,
    ) -> None:
        self._link = link
        self._owner = owner
        self._workers = workers
        self._clock = clock
        self._entropy = entropy
        self._shape = shape
        self._signer = Signer(link, owner.keys.signing, owner.network, owner.device)
        self.catalog = Catalog(link, owner, self._signer, clock=clock, entropy=entropy)
        self._name_key = derive(owner.keys.catalog, Label.OPEN_PUT)
        self._buffers = Buffers(BUFFERS, sealed_size(shape.chunk_size))

    async def put(
        self, jobs: Iterable[Job], *, copies: int | None = None, progress: Progress = lambda size: None
    ) -> AsyncIterator[Stored]:
        """Store files, yielding what became of each once it is durable and recorded.

        `copies` are wanted on other nodes (default: the network's). A file that fails yields its error and does
        not stop the rest; an error of the node or of the catalog ends all. A repeat takes up where it stopped.
        """
        wanted = self._owner.copies if copies is None else copies
        await self.catalog.release_stale()
        for batch in _batches(jobs):
            new: list[Job] = []
            known = await self._look_up([job.key for job in batch])
            for job in batch:
                outcome = await self._judge(job, known[job.key], wanted, progress)
                if outcome is None:
                    new.append(job)
                else:
                    yield outcome
            sent = await self._upload(await self._open_puts(new), wanted, progress) if new else []
            for failed in sent:
                if isinstance(failed, Stored):
                    yield failed
            for stored in await self._record([draft for draft in sent if isinstance(draft, _Draft)], wanted):
                yield stored

    # --- what is there already

    async def _look_up(self, keys: Sequence[str]) -> dict[str, VersionEntry | CapsaError | None]:
        """What each key holds: a version, nothing, or a reason why it cannot hold one."""
        found: dict[str, VersionEntry | CapsaError | None] = {}
        good: list[str] = []
        for key in keys:
            try:
                check_put_key(key)
            except UsageError as error:
                found[key] = error
            else:
                good.append(key)
        snapshot = await self.catalog.snapshot()
        for key, view in (await snapshot.look_up_all(good)).items():
            found[key] = view.current
            if view.current is None and snapshot.entries and (clash := await snapshot.find_clash(key)):
                found[key] = RefusedError(
                    f"{key} cannot be stored: {clash} is stored, and one would be a folder of the other.",
                    "Store it under another key with --as.",
                )
        for folder, key in folder_clashes(sorted(good)):
            found[key] = RefusedError(
                f"{key} cannot be stored: {folder}, which is put too, is a file.", "Store one under another key."
            )
        return found

    async def _judge(
        self, job: Job, found: VersionEntry | CapsaError | None, wanted: int, progress: Progress
    ) -> Stored | None:
        """What can be said before anything is sealed; None if the file is to be sent."""
        if isinstance(found, CapsaError):
            return Stored(job.key, error=found)
        if found is None or not job.repeatable:
            return None
        try:
            if not await self._workers.run(Lane.SEAL, _has_digest, job, found.size, found.digest):
                return Stored(job.key, error=exists_already(job.key))
        except CapsaError as error:
            return Stored(job.key, error=error)
        if wanted > found.copies:
            return None
        progress(found.size)
        return await self.describe(found)

    async def describe(self, version: VersionEntry) -> Stored:
        """A stored version, with its copies as last known to the home's node."""
        told = await self._link.ask(Copies((version.claim,)), CopiesTold)
        complete = version.copies + 1
        durable = told.durable[0] if told.wanted[0] else complete
        return Stored(version.key, version.cap, version.size, version.blocks, 0, True, durable=durable, wanted=complete)

    # --- sealing and sending

    async def _upload(self, openings: Sequence[_Opening], copies: int, progress: Progress) -> list[_Draft | Stored]:
        """Bring the files' blocks to the home and, as far as they can be reached, to their picks.

        What came of each, in order. While some files are sent, the next ones are sealed.
        """
        outcomes: dict[str, _Draft | Stored] = {}
        slots = asyncio.Semaphore(SENT_AT_ONCE)

        async def send(some: Sequence[_Opening], found: Sequence[_Found]) -> None:
            try:
                async for outcome in self._send(some, found, copies, progress):
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
        self, openings: Sequence[_Opening], found: Sequence[_Found], copies: int, progress: Progress
    ) -> AsyncIterator[_Draft | Stored]:
        """The small ones together, each of the others as a stream."""
        small = [(opening, file) for opening, file in zip(openings, found, strict=True) if _is_sealed(file)]
        for draft in await self._send_small(small, copies):
            progress(draft.file.size)
            yield draft
        for opening, source in zip(openings, found, strict=True):
            if isinstance(source, CapsaError):
                yield Stored(opening.job.key, error=source)
            elif not isinstance(source, SealedFile):
                yield await self._stream(opening, source, copies, progress)

    async def _open_puts(self, jobs: Sequence[Job]) -> list[_Opening]:
        """Note the puts before their first block leaves, so that a repeat finds their claim ids."""
        names = tuple(self._name(job.key) for job in jobs)
        once = tuple(name for name, job in zip(names, jobs, strict=True) if not job.repeatable)
        if once:
            await self._link.ask(ForgetPuts(once), Done)
        proposed = tuple(self._entropy.take(CLAIM_ID_SIZE) for _ in jobs)
        opened = await self._link.ask(OpenPuts(names, proposed), PutsOpened)
        return [
            _Opening(job, name, ClaimId(claim), tuple(expected))
            for job, name, claim, expected in zip(jobs, names, opened.claims, opened.items, strict=True)
        ]

    def _name(self, key: str) -> bytes:
        """By which the home's journal knows an open put, without knowing the key."""
        return blake3(key.encode(), key=self._name_key).digest()

    def _manner(self, opening: _Opening) -> Manner:
        now_ns = int(self._clock.now() * 1e9)
        return Manner(self._owner.keys.convergence, last_part(opening.job.key), now_ns, self._shape)

    def _seal_small(self, openings: Sequence[_Opening]) -> list[_Found]:
        """On the lane: each file sealed if it lies inside its root page, else opened, else why not."""
        found: list[_Found] = []
        for opening in openings:
            try:
                source = opening.job.open()
                if source.size is None or source.size > self._shape.inline_max:
                    found.append(source)
                    continue
                try:
                    found.append(seal_small(source, source.size, self._manner(opening)))
                finally:
                    source.close()
            except CapsaError as error:
                found.append(error)
        return found

    async def _send_small(self, small: Sequence[tuple[_Opening, SealedFile]], copies: int) -> list[_Draft]:
        if not small:
            return []
        roots = [Block(file.root.id, memoryview(file.root.block)) for _, file in small]
        new = await keep_small(self._link, small[0][0].claim, copies, roots)
        drafts = []
        for opening, file in small:
            size = len(file.root.block)
            item = ClaimItem(opening.claim, copies, 0, (file.root.id,), (size,))
            new_bytes = size if file.root.id in new else 0
            drafts.append(_Draft(opening.job.key, file, item, 1, new_bytes, copies + 1))
        return drafts

    async def _stream(self, opening: _Opening, source: Source, copies: int, progress: Progress) -> _Draft | Stored:
        """A file of any size. One that came out different from an earlier, unfinished put starts anew, once."""
        try:
            try:
                return await self._stream_once(opening, source, copies, progress)
            except CameOutDifferentError:
                await self._link.ask(ForgetPuts((opening.name,)), Done)
                [opening] = await self._open_puts([opening.job])
                source = await self._sealing(opening.job.open)
                return await self._stream_once(opening, source, copies, lambda size: None)
        except _FileFailedError as failed:
            return Stored(opening.job.key, error=failed.reason)

    async def _stream_once(self, opening: _Opening, source: Source, copies: int, progress: Progress) -> _Draft:
        sealer = FileSealer(source, self._manner(opening))
        try:
            async with Upload(
                self._link, self._signer, opening.claim, copies=copies, expected=opening.expected
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
            source.close()
        return _Draft(opening.job.key, file, item, upload.blocks, upload.new_bytes, upload.durable, upload.parts)

    async def _sealing(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Work on one file, whose failure is that file's alone."""
        try:
            return await self._workers.run(Lane.SEAL, fn, *args, **kwargs)
        except CapsaError as error:
            raise _FileFailedError(error) from None

    # --- recording

    async def _record(self, drafts: Sequence[_Draft], copies: int) -> list[Stored]:
        """Claim what no part claims yet, enter all in the catalog, publish the head."""
        if not drafts:
            return []
        after = max(draft.parts for draft in drafts)
        durable = await self._signer.commit_all([draft.item for draft in drafts], number=after)
        versions = [
            NewVersion(
                key=draft.key,
                size=draft.file.size,
                media_type=draft.file.media_type,
                mtime_ns=draft.file.mtime_ns,
                root=draft.file.root.id,
                root_key=draft.file.root.key,
                claim=draft.item.claim,
                digest=draft.file.digest,
                blocks=draft.blocks,
                copies=copies,
            )
            for draft in drafts
        ]
        added = await self.catalog.add(versions)
        told = copies + 1 if added.told is None else added.told
        return [
            await self._outcome(draft, added.entries[draft.key], min(draft.durable, count, told), copies + 1)
            for draft, count in zip(drafts, durable, strict=True)
        ]

    async def _outcome(self, draft: _Draft, entered: VersionEntry | CapsaError, durable: int, wanted: int) -> Stored:
        if isinstance(entered, CapsaError):
            return Stored(draft.key, error=entered)
        if entered.claim != draft.item.claim:  # the same bytes were there first
            return await self.describe(entered)
        return Stored(
            draft.key, entered.cap, entered.size, draft.blocks, draft.new_bytes, False, durable=durable, wanted=wanted
        )


class _FileFailedError(CapsaError):
    """One file could not be read or sealed."""

    def __init__(self, reason: CapsaError) -> None:
        super().__init__(reason.message, reason.hint)
        self.reason = reason


def _is_sealed(found: _Found) -> TypeGuard[SealedFile]:
    return isinstance(found, SealedFile)


def check_put_key(key: str) -> None:
    """Raise `UsageError` unless a file can be stored under this key: its last part becomes the file's name."""
    check_key(key)
    try:
        check_name(last_part(key))
    except FormatError as error:
        raise UsageError(f"{key} cannot be stored: {error.message}", "Store it under another key with --as.") from None


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs that are recorded together; a key that comes twice meets what came first."""
    batch: dict[str, Job] = {}
    size = 0
    for job in jobs:
        key = unicodedata.normalize("NFC", job.key)
        if len(batch) == BATCH_FILES or size >= BATCH_BYTES or key in batch:
            yield list(batch.values())
            batch, size = {}, 0
        batch[key] = replace(job, key=key)
        size += job.size or 0
    if batch:
        yield list(batch.values())


def _has_digest(job: Job, size: int, digest: bytes) -> bool:
    """Whether the job's bytes are those of a stored version. On the lane."""
    source = job.open()
    try:
        if source.size is not None and source.size != size:
            return False
        hasher = blake3()
        buffer = memoryview(bytearray(_READ_SIZE))
        while count := source.read_into(buffer):
            hasher.update(buffer[:count])
            if count < len(buffer):
                break
        return hasher.digest() == digest
    finally:
        source.close()
