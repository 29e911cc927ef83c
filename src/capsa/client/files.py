"""put: the first file to read.

A put is chunk → seal → address → claim → place → send → record. `Sender` does the first three and hands blocks to the
home's node, which places and sends them; `Signer` claims, `Catalog` records. Reading is in `capsa.client.reading`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from capsa.client.catalog import Catalog, NewVersion, Owner, exists_already
from capsa.client.jobs import Job, Progress, Stored, Wish, batches, check_put_key, has_digest
from capsa.client.link import HomeLink
from capsa.client.sending import Draft, Sender
from capsa.client.upload import Signer
from capsa.core.catalog.entries import VersionEntry
from capsa.core.commands import Copies, CopiesTold
from capsa.core.names import folder_clashes
from capsa.core.pages import DEFAULT_SHAPE, Shape
from capsa.errors import CapsaError, RefusedError, UsageError
from capsa.seams import Clock, Entropy, Lane, Workers

_PLAIN = Wish()


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
        self._signer = Signer(link, owner.keys.signing, owner.network, owner.device)
        self.catalog = Catalog(link, owner, self._signer, clock=clock, entropy=entropy)
        self._sender = Sender(link, owner, self._signer, workers=workers, clock=clock, entropy=entropy, shape=shape)

    async def put(
        self,
        jobs: Iterable[Job],
        wish: Wish = _PLAIN,
        *,
        progress: Progress = lambda size: None,
    ) -> AsyncIterator[Stored]:
        """Store files, yielding what became of each once it is durable and recorded.

        A file that fails yields its error and does not stop the rest; an error of the node or of the catalog ends
        all. A repeat takes up where it stopped.
        """
        wanted = self._owner.copies if wish.copies is None else wish.copies
        await self.catalog.release_stale()
        for batch in batches(jobs):
            new: list[Job] = []
            known = await self._look_up([job.key for job in batch])
            for job in batch:
                outcome = await self._judge(job, known[job.key], wanted, progress)
                if outcome is None:
                    new.append(job)
                else:
                    yield outcome
            sent = await self._sender.send(new, wanted, progress) if new else []
            for failed in sent:
                if isinstance(failed, Stored):
                    yield failed
            for stored in await self._record([draft for draft in sent if isinstance(draft, Draft)], wanted):
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
            if not await self._workers.run(Lane.SEAL, has_digest, job, found.size, found.digest):
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

    # --- recording

    async def _record(self, drafts: Sequence[Draft], copies: int) -> list[Stored]:
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

    async def _outcome(self, draft: Draft, entered: VersionEntry | CapsaError, durable: int, wanted: int) -> Stored:
        if isinstance(entered, CapsaError):
            return Stored(draft.key, error=entered)
        if entered.claim != draft.item.claim:  # the same bytes were there first
            return await self.describe(entered)
        return Stored(
            draft.key, entered.cap, entered.size, draft.blocks, draft.new_bytes, False, durable=durable, wanted=wanted
        )
