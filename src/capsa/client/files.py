"""put: the first file to read.

A put is chunk → seal → address → claim → place → send → record. `Sender` does the first three and hands blocks to the
home's node, which places and sends them; `Signer` claims, `Catalog` records. Reading is in `capsa.client.gets.reading`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from capsa.client.catalog import Catalog, ClaimUsedError, NewVersion, exists_already
from capsa.client.copies import ask_copies
from capsa.client.link import HomeLink
from capsa.client.puts.jobs import Batches, Job, Preview, Progress, Stored, Wish
from capsa.client.puts.journal import Journal, Seen
from capsa.client.puts.judging import Judge, Verdict, What
from capsa.client.puts.sending import Draft, Sender, Terms
from capsa.client.puts.upload import Signer
from capsa.client.snapshot import Owner
from capsa.core.catalog.entries import VersionEntry
from capsa.core.pages import DEFAULT_SHAPE, Shape
from capsa.errors import CapsaError, ChangedError, leading
from capsa.seams import Clock, Entropy, Workers

_PLAIN = Wish()
_TRIES = 3


def _uncounted(size: int) -> None:
    """What was counted already, or nobody asked for."""


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
        self._signer = Signer(link, owner.keys.signing, owner.network, owner.device)
        self.catalog = Catalog(link, owner, self._signer, clock=clock, entropy=entropy, shape=shape)
        self._journal = Journal(link, owner.keys, entropy)
        self._judge = Judge(self.catalog, self._journal, workers=workers, clock=clock)
        self._sender = Sender(link, self._signer, self._journal, workers=workers, clock=clock, shape=shape)

    async def put(
        self,
        jobs: Iterable[Job],
        wish: Wish = _PLAIN,
        *,
        progress: Progress = _uncounted,
    ) -> AsyncIterator[Stored]:
        """Store files, yielding what became of each once it is durable and recorded.

        A file that fails yields its error and does not stop the rest; an error of the node or of the catalog ends
        all. A repeat takes up where it stopped. `jobs` are taken two batches ahead at the most.
        """
        terms = Terms(self._owner.copies if wish.copies is None else wish.copies, wish.private, wish.wait)
        await self.catalog.release_stale()
        coming = Batches(jobs)
        verdicts, batch = await self._judged(await coming.next(), wish), await coming.next()
        while verdicts:
            unchanged = [verdict.version for verdict in verdicts if _is_same(verdict, terms.copies) and verdict.version]
            to_send = [verdict.job for verdict in verdicts if _is_to_be_sent(verdict, wish, terms.copies)]
            if to_send:
                told, ahead = await self._describe(unchanged), None
            else:  # the catalog stays as it is, so that the next can be judged already
                told, ahead, batch = await self._describe_and_judge(unchanged, batch, coming, wish)
            for stored in told:
                progress(stored.size)
                yield stored
            for verdict in verdicts:
                if (error := _refusal(verdict, wish)) is not None:
                    yield Stored(verdict.job.key, error=error)
            for outcome in await self._store(to_send, terms, wish.new_version, progress):
                yield outcome
            if ahead is None:
                ahead, batch = await self._judged(batch, wish), await coming.next()
            verdicts = ahead

    async def preview(self, jobs: Iterable[Job], wish: Wish = _PLAIN) -> AsyncIterator[Preview]:
        """What a put would do with each file. Reads a file only if nothing else can tell; sends and writes nothing.

        Whether a file under a new key can be read does not come out.
        """
        coming = Batches(jobs)
        while batch := await coming.next():
            for verdict in await self._judge.judge(batch, reread=wish.reread, once=True):
                error = _refusal(verdict, wish)
                size = verdict.version.size if verdict.version and _is_same(verdict) else verdict.job.size
                yield Preview(verdict.job.key, size or 0, verdict.what.value if verdict.what else None, error)

    # --- what is there already

    async def _judged(self, batch: Sequence[Job], wish: Wish) -> list[Verdict]:
        """What each file is to its key; how those look that were read and are the same is remembered."""
        if not batch:
            return []
        verdicts = await self._judge.judge(batch, reread=wish.reread)
        await self._journal.remember([verdict.seen for verdict in verdicts if verdict.seen and _is_same(verdict)])
        return verdicts

    async def _describe_and_judge(
        self, unchanged: Sequence[VersionEntry], batch: Sequence[Job], coming: Batches, wish: Wish
    ) -> tuple[list[Stored], list[Verdict], list[Job]]:
        """All at once, since each waits for the node: what is unchanged, verdicts on a batch, the one behind it."""
        try:
            async with asyncio.TaskGroup() as group:
                describing = group.create_task(self._describe(unchanged))
                judging = group.create_task(self._judged(batch, wish))
                finding = group.create_task(coming.next())
        except BaseExceptionGroup as errors:
            raise leading(errors) from None
        return describing.result(), judging.result(), finding.result()

    async def describe(self, version: VersionEntry) -> Stored:
        """A stored version, with its copies as last known to the home's node."""
        [stored] = await self._describe([version])
        return stored

    async def _describe(self, versions: Sequence[VersionEntry]) -> list[Stored]:
        outcomes = []
        for asked in await ask_copies(self._link, versions):
            version = asked.version
            now = self.catalog.short.pop(version.claim, asked)
            key, size, blocks = version.key, version.size, version.blocks
            outcomes.append(Stored(key, version.cap, size, blocks, 0, True, durable=now.durable, wanted=now.wanted))
        return outcomes

    # --- sending and recording

    async def _store(self, jobs: Sequence[Job], terms: Terms, further: bool, progress: Progress) -> list[Stored]:
        """Send and record; again if another command of this home finished, or gave up, one of these puts meanwhile.

        The two had one claim id then, and what is sealed comes out the same, so that nothing is sent twice.
        """
        if not jobs:
            return []
        for _ in range(_TRIES - 1):
            try:
                return await self._store_once(jobs, terms, further, progress)
            except ClaimUsedError as error:
                await self._journal.give_up(error.keys, private=terms.private)
                progress = _uncounted
            except ChangedError:
                if not all(job.repeatable for job in jobs):
                    raise
                progress = _uncounted
        return await self._store_once(jobs, terms, further, progress)

    async def _store_once(self, jobs: Sequence[Job], terms: Terms, further: bool, progress: Progress) -> list[Stored]:
        sent = await self._sender.send(jobs, terms, progress)
        failed = [outcome for outcome in sent if isinstance(outcome, Stored)]
        return failed + await self._record([draft for draft in sent if isinstance(draft, Draft)], terms, further)

    async def _record(self, drafts: Sequence[Draft], terms: Terms, further: bool) -> list[Stored]:
        """Claim what no part claims yet, enter all in the catalog, publish the head."""
        if not drafts:
            return []
        after = max(draft.parts for draft in drafts)
        durable = await self._signer.commit_all([draft.item for draft in drafts], number=after, wait=terms.wait)
        versions = [
            NewVersion(
                key=draft.key,
                kind=draft.file.kind,
                size=draft.file.size,
                media_type=draft.file.media_type,
                mtime_ns=draft.file.mtime_ns,
                root=draft.file.root.id,
                root_key=draft.file.root.key,
                claim=draft.item.claim,
                digest=draft.file.digest,
                blocks=draft.blocks,
                copies=terms.copies,
                durable=min(draft.durable, count),
                further=further,
            )
            for draft, count in zip(drafts, durable, strict=True)
        ]
        added = await self.catalog.add(versions)
        await self._journal.remember(
            [
                Seen(draft.key, draft.file.stamp, entry.claim)
                for draft in drafts
                if draft.file.stamp and isinstance(entry := added.entries[draft.key], VersionEntry)
            ]
        )
        told = terms.copies + 1 if added.told is None else added.told
        return [
            await self._outcome(draft, added.entries[draft.key], min(draft.durable, count, told), terms.copies + 1)
            for draft, count in zip(drafts, durable, strict=True)
        ]

    async def _outcome(self, draft: Draft, entered: VersionEntry | CapsaError, durable: int, wanted: int) -> Stored:
        if isinstance(entered, CapsaError):
            return Stored(draft.key, error=entered)
        if entered.claim != draft.item.claim:  # the same bytes were there first
            return await self.describe(entered)
        return Stored(
            draft.key, entered.cap, entered.size, draft.blocks, draft.new_bytes, False, durable=durable, wanted=wanted
        )


def _is_same(verdict: Verdict, copies: int = 0) -> bool:
    """Whether the key holds these bytes, for at least as many copies."""
    version = verdict.version
    return verdict.what is What.UNCHANGED and version is not None and copies <= version.copies


def _is_to_be_sent(verdict: Verdict, wish: Wish, copies: int) -> bool:
    return _refusal(verdict, wish) is None and not _is_same(verdict, copies)


def _refusal(verdict: Verdict, wish: Wish) -> CapsaError | None:
    """Why a file is not stored, as far as can be said before it is opened."""
    if verdict.what is What.CHANGED and not wish.new_version:
        return exists_already(verdict.job.key)
    return verdict.error
