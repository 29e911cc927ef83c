"""What each file of a batch is to its key, before anything is sealed: new, unchanged, or changed.

A file whose stamp is remembered is not opened; of the others those are read whose keys hold something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from capsa.client.catalog import Catalog, clashes
from capsa.client.puts.comparing import STEP_SIZE, Comparison
from capsa.client.puts.jobs import Job, check_put_key
from capsa.client.puts.journal import Journal, Seen
from capsa.core.catalog.entries import VersionEntry
from capsa.core.catalog.survey import Standing
from capsa.core.pages import Kind
from capsa.errors import CapsaError, UsageError
from capsa.seams import Clock, Lane, Workers

COMPARED_TOGETHER: Final = 64
"""Files that are opened, and if small read, in one go."""

_Pair: TypeAlias = tuple[Job, VersionEntry]


class What(StrEnum):
    """What a file is to what its key holds."""

    NEW = "new"
    UNCHANGED = "unchanged"
    LOST = "lost"
    """The same bytes, which can be had from nowhere now."""
    CHANGED = "changed"


class Verdict(Struct, frozen=True):
    """What came out about one file: `what`, or else `error`.

    `version` is what its key holds; `seen`, if it was read and may be trusted to look otherwise once it changes, is
    what is to be remembered of an unchanged file.
    """

    job: Job
    what: What | None = None
    version: VersionEntry | None = None
    error: CapsaError | None = None
    seen: Seen | None = None


class Judge:
    """Judges files by the catalog, by what the home's journal remembers, and by reading."""

    def __init__(self, catalog: Catalog, journal: Journal, *, workers: Workers, clock: Clock) -> None:
        self._catalog = catalog
        self._journal = journal
        self._workers = workers
        self._clock = clock

    async def judge(self, jobs: Sequence[Job], *, reread: bool, once: bool = False) -> list[Verdict]:
        """Verdicts in order; the jobs' keys are distinct.

        What is not repeatable is read only if this `once` is all that is asked of it; else it counts as new.
        """
        verdicts: dict[str, Verdict] = {}
        good: list[Job] = []
        for job in jobs:
            try:
                check_put_key(job.key)
            except UsageError as error:
                verdicts[job.key] = Verdict(job, error=error)
            else:
                good.append(job)
        standings = await (await self._catalog.snapshot()).survey(job.key for job in good)
        held: list[_Pair] = []
        unread: list[VersionEntry] = []
        for job in good:
            current = standings[job.key].current
            reason = await self._clash(job, standings[job.key])
            if reason is not None:
                verdicts[job.key] = Verdict(job, error=reason)
            elif current is None or not (job.repeatable or once):
                verdicts[job.key] = Verdict(job, What.NEW, current)
                unread += [] if current is None else [current]
            else:
                held.append((job, current))
        known: set[str] = set() if reread else await self._recall(held)
        for job, version in held:
            if job.key in known:
                verdicts[job.key] = Verdict(job, What.UNCHANGED, version)
        for some in _in_goes([(job, version) for job, version in held if job.key not in known]):
            compared = await self._compare(some)
            for verdict in compared if once else await self._prove(compared):
                verdicts[verdict.job.key] = verdict
        await self._catalog.prove(unread)  # one of them may be what comes
        return [verdicts[job.key] for job in jobs]

    async def _recall(self, held: Sequence[_Pair]) -> set[str]:
        return await self._journal.recall(
            [Seen(job.key, job.stamp, version.claim) for job, version in held if job.stamp is not None]
        )

    async def _clash(self, job: Job, standing: Standing) -> CapsaError | None:
        """Why another key keeps this one from being stored: for some, it depends on what is to be stored there."""
        clash = standing.clash(Kind.FOLDER)
        if clash is None and standing.below is not None:
            try:
                kind = await self._workers.run(Lane.SEAL, _kind_of, job) if job.repeatable else Kind.FILE
            except CapsaError as error:
                return error
            clash = standing.clash(kind)
        return None if clash is None else clashes(job.key, clash)

    async def _compare(self, pairs: Sequence[_Pair]) -> list[Verdict]:
        now_ns = int(self._clock.now() * 1e9)
        verdicts = []
        for (job, version), outcome in zip(pairs, await self._outcomes(pairs), strict=True):
            if isinstance(outcome, CapsaError):
                verdicts.append(Verdict(job, error=outcome))
                continue
            stamp = outcome.stamp
            seen = None if stamp is None or stamp.is_racy(now_ns) else Seen(job.key, stamp, version.claim)
            what = What.UNCHANGED if outcome.same else What.CHANGED
            verdicts.append(Verdict(job, what, version, seen=seen))
        return verdicts

    async def _prove(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The same verdicts, but that what is lost is told from what is unchanged, and remembered only if complete."""
        same = [verdict.version for verdict in verdicts if verdict.what is What.UNCHANGED and verdict.version]
        standings = await self._catalog.prove(same)
        proven = []
        for verdict in verdicts:
            standing = standings.get(verdict.version.claim) if verdict.version else None
            if standing is None or verdict.what is not What.UNCHANGED:
                proven.append(verdict)
            elif standing.durable:
                proven.append(replace(verdict, seen=None) if standing.short else verdict)
            else:
                proven.append(replace(verdict, what=What.LOST, seen=None))
        return proven

    async def _outcomes(self, pairs: Sequence[_Pair]) -> list[Comparison | CapsaError]:
        if len(pairs) > 1:
            return await self._workers.run(Lane.SEAL, _compare_all, pairs)
        try:
            comparison = await self._workers.run(Lane.SEAL, Comparison, *pairs[0])
            try:
                while await self._workers.run(Lane.SEAL, comparison.step):
                    pass
            finally:
                comparison.close()
        except CapsaError as error:
            return [error]
        return [comparison]


def _kind_of(job: Job) -> Kind:
    """On the lane."""
    source = job.open()
    source.close()
    return source.kind


def _compare_all(pairs: Sequence[_Pair]) -> list[Comparison | CapsaError]:
    """On the lane."""
    outcomes: list[Comparison | CapsaError] = []
    for job, version in pairs:
        try:
            comparison = Comparison(job, version)
            try:
                while comparison.step():
                    pass
            finally:
                comparison.close()
        except CapsaError as error:
            outcomes.append(error)
        else:
            outcomes.append(comparison)
    return outcomes


def _in_goes(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """Pairs that are compared together: bounded in number and in bytes; a large file goes alone."""
    go: list[_Pair] = []
    size = 0
    for job, version in pairs:
        if go and (len(go) == COMPARED_TOGETHER or size + version.size > STEP_SIZE):
            yield go
            go, size = [], 0
        go.append((job, version))
        size += version.size
    if go:
        yield go
