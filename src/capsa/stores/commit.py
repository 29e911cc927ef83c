"""Group commit: what a batch of requests writes, and the index afterwards. Runs on the disk lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import apsw
from blake3 import blake3

from capsa.core.claims import ClaimPart, ReleaseNote
from capsa.core.ids import BlockId, Buffer, ClaimId
from capsa.core.segments import NO_CLAIM, PAYLOAD_SIZE_MAX, RecordHeader, RecordKind
from capsa.errors import CapsaError, NoSpaceError, RefusedError
from capsa.seams import Clock
from capsa.stores.index import Index, Value
from capsa.stores.log import SegmentLog

_IDS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class PutBlocks:
    """Keep blocks, pending under a claim."""

    claim: ClaimId
    blocks: Sequence[tuple[BlockId, Buffer]]

    @property
    def size(self) -> int:
        """Bytes that this weighs in a batch."""
        return sum(len(data) for _, data in self.blocks)


@dataclass(frozen=True, slots=True)
class KeepSigned:
    """Keep a claim part or a release verbatim."""

    value: ClaimPart | ReleaseNote

    @property
    def size(self) -> int:
        """Bytes that this weighs in a batch."""
        return len(self.value.signed)


@dataclass(frozen=True, slots=True)
class DiscardBlocks:
    """Forget blocks that nothing keeps at `now`."""

    blocks: Sequence[BlockId]
    now: float

    @property
    def size(self) -> int:
        """Bytes that this weighs in a batch."""
        return 32 * len(self.blocks)


Request: TypeAlias = PutBlocks | KeepSigned | DiscardBlocks


@dataclass(slots=True)
class _Batch:
    """The records that requests come down to, and what of them is new to the index within the batch."""

    came: int
    records: list[tuple[RecordHeader, Buffer]] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    held: set[tuple[ClaimId, BlockId]] = field(default_factory=set)

    def add(self, kind: RecordKind, identifier: bytes, payload: Buffer, value: Value, claim: bytes = NO_CLAIM) -> None:
        self.records.append((RecordHeader(kind, len(payload), identifier, claim, self.came), payload))
        self.values.append(value)
        self.ids.add(identifier)

    def add_ids(self, kind: RecordKind, blocks: Sequence[BlockId], claim: bytes = NO_CLAIM) -> None:
        for start in range(0, len(blocks), _IDS_MAX):
            some = tuple(blocks[start : start + _IDS_MAX])
            packed = b"".join(some)
            self.add(kind, blake3(packed).digest(), packed, some, claim)


class Committer:
    """Turns batches of requests into durable records and index rows."""

    def __init__(self, log: SegmentLog, index: Index, clock: Clock) -> None:
        self._log = log
        self._index = index
        self._clock = clock

    def commit(self, requests: Sequence[Request]) -> list[CapsaError | None]:
        """Carry requests out, in order and durably; for each, None or why it was not done.

        Where the disk cannot take the puts, the others are still tried, so that claims and releases go on.
        """
        try:
            return self._commit(requests)
        except NoSpaceError as error:
            others = [request for request in requests if not isinstance(request, PutBlocks)]
            if not others or len(others) == len(requests):
                return [error] * len(requests)
            outcomes = iter(self.commit(others))
            return [error if isinstance(request, PutBlocks) else next(outcomes) for request in requests]
        except CapsaError as error:
            return [error] * len(requests)
        except (apsw.Error, OSError) as error:
            return [self._log.fail(error)] * len(requests)

    def _commit(self, requests: Sequence[Request]) -> list[CapsaError | None]:
        batch = _Batch(int(self._clock.now()))
        outcomes: list[CapsaError | None] = []
        for request in requests:
            try:
                self._plan(request, batch)
            except RefusedError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        if batch.records:
            self._write(batch)
        return outcomes

    def _plan(self, request: Request, batch: _Batch) -> None:
        match request:
            case PutBlocks(claim, blocks):
                self._plan_put(claim, blocks, batch)
            case KeepSigned(ClaimPart() as part):
                if part.digest not in batch.ids and self._index.part_place(part.digest) is None:
                    batch.add(RecordKind.CLAIM, part.digest, part.signed, part)
            case KeepSigned(ReleaseNote() as note):
                if note.digest not in batch.ids and self._index.note_place(note.digest) is None:
                    batch.add(RecordKind.RELEASE, note.digest, note.signed, note)
            case DiscardBlocks(blocks, now):
                if kept := self._index.kept(blocks, now):
                    raise RefusedError(f"{len(kept)} of these blocks are still claimed.", "Release their claims first.")
                gone = set(self._index.missing(blocks))
                if here := [block for block in dict.fromkeys(blocks) if block not in gone]:
                    batch.add_ids(RecordKind.DISCARD, here)

    def _plan_put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]], batch: _Batch) -> None:
        if any(len(data) > PAYLOAD_SIZE_MAX for _, data in blocks):
            raise RefusedError("A block is larger than blocks can be.")
        ids = [block for block, _ in blocks]
        missing = set(self._index.missing(ids))
        for block, data in blocks:
            if block in missing and block not in batch.ids:
                batch.add(RecordKind.BLOCK, block, data, None, claim)
                batch.held.add((claim, block))
        to_hold = [block for block in dict.fromkeys(self._index.unheld(claim, ids)) if (claim, block) not in batch.held]
        batch.add_ids(RecordKind.HOLD, to_hold, claim)
        batch.held.update((claim, block) for block in to_hold)

    def _write(self, batch: _Batch) -> None:
        places, states = self._log.append(batch.records)
        headers = (header for header, _ in batch.records)
        try:
            self._index.commit(list(zip(headers, places, batch.values, strict=True)), states)
        except apsw.FullError as error:
            self._log.undo()
            raise NoSpaceError("The disk is full.", "Free some space on it.") from error
        # Any other error of the index leaves open whether it will have the batch after a restart, so the records
        # stay where they are: `commit` turns the store read-only.
        self._log.commit()
