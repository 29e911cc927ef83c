"""The owner's catalog, written through the home's node: pages are sealed here, and heads signed.

Reading it is in `capsa.client.snapshot`, which needs none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from capsa.client.copies import Standing, prove_each
from capsa.client.link import HomeLink
from capsa.client.puts.sealer import Block
from capsa.client.puts.upload import Signer, keep_small
from capsa.client.snapshot import Owner, Snapshot, take_snapshot
from capsa.core.catalog.entries import Dot, Entry, RemovalEntry, VersionEntry
from capsa.core.catalog.pages import NewPage, Page
from capsa.core.catalog.update import Update, insert
from capsa.core.claims import RELEASE_CLAIMS_MAX, ClaimItem, make_release
from capsa.core.commands import (
    Done,
    EndClaims,
    FreeHeadLock,
    HeadLockTaken,
    HeadPublished,
    PublishHead,
    PutsStale,
    Reprieve,
    Retire,
    StalePuts,
    TakeHeadLock,
)
from capsa.core.heads import Head, make_head
from capsa.core.ids import CLAIM_ID_SIZE, BlockId, ClaimId
from capsa.core.names import folders_of
from capsa.core.pages import DEFAULT_SHAPE, Kind, Shape
from capsa.errors import (
    CapsaError,
    ChangedError,
    IntegrityError,
    LostConnectionError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from capsa.seams import Clock, Entropy

_COMMIT_TRIES = 3


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be added; its claim is committed. `further`: beside what the key may hold already."""

    key: str
    kind: Kind
    size: int
    media_type: str
    mtime_ns: int
    root: BlockId
    root_key: bytes
    claim: ClaimId
    digest: bytes
    blocks: int
    copies: int
    durable: int = 0
    """Copies that are durable already, the home counted."""
    further: bool = False

    def is_in(self, entry: VersionEntry) -> bool:
        """Whether an entry holds the same: kind, and bytes or target."""
        return (entry.kind, entry.size, entry.digest) == (self.kind, self.size, self.digest)


@dataclass(frozen=True, slots=True)
class Added:
    """What each key came to, and how many nodes, the home counted, can tell of it.

    `told` is the least of those that have the new catalog pages, unless these have all wanted copies, and the head:
    whoever has a file's blocks only would not know that they are a file. None if nothing new was published.
    """

    entries: dict[str, VersionEntry | CapsaError]
    told: int | None = None


class ClaimUsedError(ChangedError):
    """Stored versions of these keys have the claims of puts of other bytes.

    The home was put back from a copy that was taken while they were put.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(
            "This home was put back from an old copy, in which a put had not ended.", "Run the command again."
        )
        self.keys = keys


class Catalog:
    """Reads and writes the owner's catalog from this home."""

    def __init__(
        self,
        link: HomeLink,
        owner: Owner,
        signer: Signer,
        *,
        clock: Clock,
        entropy: Entropy,
        shape: Shape = DEFAULT_SHAPE,
    ) -> None:
        self._link = link
        self._owner = owner
        self._signer = signer
        self._clock = clock
        self._entropy = entropy
        self._shape = shape
        self._pages: dict[BlockId, Page] = {}
        self._given_up: set[ClaimId] = set()
        self.short: dict[ClaimId, Standing] = {}
        """Of those that `prove` found short: how they stand. For whoever tells of them to take out."""

    async def snapshot(self) -> Snapshot:
        """The catalog as it is now."""
        return await take_snapshot(self._link, self._owner, self._pages)

    async def prove(self, versions: Sequence[VersionEntry]) -> dict[ClaimId, Standing]:
        """How those of these versions stand that the home does not hold or did not put, by their claims.

        Of them its node may know nothing: another device may have been lost before it sent the first copy, or this
        home put back from an old one. What cannot be had from anywhere now is given up: the same bytes, put again,
        take its place.
        """
        standings = await prove_each(self._link, versions, home=self._owner.device, shape=self._shape)
        self._given_up.update(standing.version.claim for standing in standings if not standing.durable)
        self.short.update(
            (standing.version.claim, standing) for standing in standings if standing.short and standing.durable
        )
        return {standing.version.claim: standing for standing in standings}

    async def add(self, versions: Sequence[NewVersion]) -> Added:
        """Add versions of keys, publish the new head; what each key came to.

        A key that got other bytes in the meantime, or that would be another's folder by now, is a `RefusedError` in
        the result, and is not added. If the node restarts on the way, the whole is done again: blocks and claims that
        are there already cost nothing. Raises `ClaimUsedError` where a put has to begin anew.
        """
        async with self._link.recording:
            for attempt in range(_COMMIT_TRIES):
                try:
                    return await self._add(versions)
                except LostConnectionError:
                    if attempt == _COMMIT_TRIES - 1:
                        raise
        raise AssertionError("unreachable")

    async def _add(self, versions: Sequence[NewVersion]) -> Added:
        taken, session = await self._link.ask_where(TakeHeadLock(), HeadLockTaken)
        told: int | None = None
        try:
            before = Snapshot(self._link, self._owner, taken.heads, self._pages)
            entries, outdone, retired, results = await self._judge(before, versions, taken.sequence)
            if entries:
                update = await before.drive(
                    insert(
                        before.roots.get(self._owner.device),
                        entries,
                        secret=self._owner.keys.convergence,
                        new_claim=self._new_claim,
                    )
                )
                copies = await self._store_pages(update.pages)
                complete = copies > self._owner.copies
                head = self._next_head(before, taken, update, entries)
                claims = tuple(entry.claim for entry in entries if isinstance(entry, VersionEntry))
                # Over the session that holds the lock, or not at all: had the lock passed to another command in the
                # meantime, this head would be the older one, and what it adds would be told stored, and be in none.
                published = await self._link.ask_on(session, PublishHead(head.signed, claims, complete), HeadPublished)
                told = 1 + published.members if complete else min(copies, 1 + published.members)
                if complete and (published.members or not self._owner.copies):  # else others' newest head needs them
                    await self._release([*(page.claim for page in update.replaced), *outdone])
                else:
                    retired += outdone
                await self._tell_of(Retire, retired)
        finally:
            with suppress(LostConnectionError):  # a lost session gives the lock back by itself
                await self._link.ask_on(session, FreeHeadLock(), Done)
        return Added(results, told)

    async def _judge(
        self, before: Snapshot, versions: Sequence[NewVersion], sequence: int
    ) -> tuple[list[Entry], list[ClaimId], list[ClaimId], dict[str, VersionEntry | CapsaError]]:
        """What is to be added, judged again under the lock: two puts of one key may have raced.

        Also the claims that are outdone, since the same bytes with more copies take the place of the version before:
        those that may be released, and those whose copies are still worth more than what the new claim has so far.
        """
        standings = await before.survey(version.key for version in versions)
        currents = ((version, standings[version.key].current) for version in versions)
        if used := [new.key for new, old in currents if old and old.claim == new.claim and not new.is_in(old)]:
            raise ClaimUsedError(used)
        entries: list[Entry] = []
        outdone: list[ClaimId] = []
        retired: list[ClaimId] = []
        results: dict[str, VersionEntry | CapsaError] = {}
        barring: set[str] = set()
        for version in sorted(versions, key=lambda version: version.key):  # folders before what lies in them
            current = standings[version.key].current
            clash = standings[version.key].clash(version.kind)
            clash = clash or next((folder for folder in folders_of(version.key) if folder in barring), None)
            if clash is not None:
                results[version.key] = clashes(version.key, clash)
                continue
            if current is not None and not version.further and not version.is_in(current):
                results[version.key] = exists_already(version.key)
                continue
            if version.kind is not Kind.FOLDER:
                barring.add(version.key)
            if current is not None and not version.is_in(current):
                current = None  # it stays, as an older version
            given_up = current is not None and current.claim in self._given_up
            if current is not None and version.copies <= current.copies and not given_up:
                results[version.key] = current
                continue
            if current is not None:
                dot = Dot(self._owner.device, sequence, len(entries))
                entries.append(RemovalEntry(version.key, dot, before.lamport + 1, (current.dot,)))
                if not given_up:  # whoever may still have some of it keeps that
                    (outdone if version.durable > current.copies else retired).append(current.claim)
            entry = VersionEntry(
                key=version.key,
                dot=Dot(self._owner.device, sequence, len(entries)),
                lamport=before.lamport + 1,
                kind=version.kind,
                size=version.size,
                media_type=version.media_type,
                mtime_ns=version.mtime_ns,
                root=version.root,
                root_key=version.root_key,
                claim=version.claim,
                digest=version.digest,
                blocks=version.blocks,
                copies=version.copies,
                retain_until=0,
            )
            entries.append(entry)
            results[version.key] = entry
        return entries, outdone, retired, results

    async def _store_pages(self, pages: Sequence[NewPage]) -> int:
        """Store new pages and claim each; the least durable copies of any, the home counted."""
        copies = self._owner.copies
        await keep_small(self._link, pages[0].claim, copies, (Block(page.id, memoryview(page.block)) for page in pages))
        items = [ClaimItem(page.claim, copies, 0, (page.id,), (len(page.block),)) for page in pages]
        return min(await self._signer.commit_all(items))

    def _next_head(self, before: Snapshot, taken: HeadLockTaken, update: Update, entries: Sequence[Entry]) -> Head:
        device = self._owner.device
        previous = before.newest.get(device)
        fallback = None if previous is None else previous.complete
        if previous is not None and previous.digest == taken.complete:
            fallback = previous.ref
        return make_head(
            self._owner.keys,
            self._owner.network,
            device=device,
            sequence=taken.sequence,
            lamport=max((before.lamport, *(entry.lamport for entry in entries))),
            previous=previous.ref if previous else None,
            root=update.root,
            entries=update.entries,
            complete=fallback,
            seen={other: known.sequence for other, known in before.newest.items() if other != device},
            created=int(self._clock.now()),
        )

    async def release_stale(self) -> None:
        """Release the claims of puts that were never finished: came out different, or were not taken up for days.

        A home that was put back from an old copy takes puts for unfinished that it finished later: what the catalog
        holds is not released, and nothing is while not all of it can be read.
        """
        stale = {ClaimId(claim) for claim in (await self._link.ask(StalePuts(), PutsStale)).claims}
        if stale:
            with suppress(IntegrityError, NotFoundError, UnreachableError):
                recorded = await self._recorded()
                await self._release(sorted(stale - recorded))
                await self._tell_of(Reprieve, sorted(stale & recorded))

    async def _recorded(self) -> set[ClaimId]:
        """The claims of all versions, as of when the home's node has heard all that others know of its own heads."""
        async with self._link.recording:
            taken, session = await self._link.ask_where(TakeHeadLock(), HeadLockTaken)
            try:
                snapshot = Snapshot(self._link, self._owner, taken.heads, self._pages)
                return {version.claim async for view in snapshot.scan() for version in view.versions}
            finally:
                with suppress(LostConnectionError):
                    await self._link.ask_on(session, FreeHeadLock(), Done)

    async def _release(self, claims: Sequence[ClaimId]) -> None:
        for start in range(0, len(claims), RELEASE_CLAIMS_MAX):
            batch = claims[start : start + RELEASE_CLAIMS_MAX]
            note = make_release(self._owner.keys.signing, self._owner.network, batch)
            await self._link.ask(EndClaims(note.signed), Done)

    async def _tell_of(self, how: type[Retire | Reprieve], claims: Sequence[ClaimId]) -> None:
        for start in range(0, len(claims), RELEASE_CLAIMS_MAX):
            await self._link.ask(how(tuple(claims[start : start + RELEASE_CLAIMS_MAX])), Done)

    def _new_claim(self) -> ClaimId:
        return ClaimId(self._entropy.take(CLAIM_ID_SIZE))


def exists_already(key: str) -> RefusedError:
    """The key holds other bytes."""
    return RefusedError(
        f"{key} is stored already, with other bytes.",
        "--new-version adds a version; --as stores it under another key.",
    )


def clashes(key: str, other: str) -> RefusedError:
    """One of the two would be a folder of the other, which can hold no keys."""
    return RefusedError(
        f"{key} cannot be stored: {other} is stored, and one would be a folder of the other.",
        "Store it under another key with --as.",
    )
