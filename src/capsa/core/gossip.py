"""Gossip: the statements, node records and heads that every member keeps, made equal by exchanging `Sync`.

Three sets that only grow (of a node's records the highest incarnation stays, of a device's heads those that
`heads.keep` keeps). Two messages each way make any two nodes equal, as long as the sets fit into a message; larger
ones are compared shard by shard. Everything is verified before it is kept; a peer that sends what cannot be
verified is named guilty. Records and heads of those who are no members by our statements are passed over: the
peer may know statements that we lack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from blake3 import blake3
from msgspec.structs import replace

from capsa.core.heads import Head, keep
from capsa.core.ids import NetworkId, NodeId, OwnerId
from capsa.core.messages import LIST_MAX, HeadMark, RecordMark, Sync
from capsa.core.signing import Signed, decode_signed
from capsa.core.statements import Certificate, NodeRecord, read_statement, verify_record, verify_statement
from capsa.errors import IntegrityError, ProtocolError

BLOBS_SIZE_MAX: Final = 768 * 1024
"""Bytes of blobs in one message; marks take up to 200 KiB more, which stays below `BODY_SIZE_MAX`."""
STATEMENTS_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of statements kept: some sixty thousand. What comes beyond is passed over, unless the founder signed it:
a member that floods the network could otherwise not be put out."""
UNKNOWN_SIZE_MAX: Final = 256 * 1024
"""Bytes of statements of unknown kinds kept for each member or device that signed them."""
_SHARDS_MAX: Final = 65536


class Members(Protocol):
    """What gossip asks of a roster (`capsa.core.trust`)."""

    def is_member(self, owner: OwnerId) -> bool:
        """Whether this owner is in the network."""
        ...

    def owner_of(self, node: NodeId) -> OwnerId | None:
        """The member whose device this is; None if it is nobody's, or revoked."""
        ...

    def vouches_for(self, signer: bytes) -> bool:
        """Whether a member or a member's device signs with this key."""
        ...


R = TypeVar("R", bound=Members)


@dataclass(frozen=True, slots=True)
class Record:
    """A verified node record and its verbatim bytes."""

    node: NodeId
    values: NodeRecord
    signed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Learned:
    """What was new, and is kept."""

    statements: tuple[Signed, ...] = ()
    records: tuple[Record, ...] = ()
    heads: tuple[Head, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.statements or self.records or self.heads)


@dataclass(frozen=True, slots=True)
class _Statement:
    signed: Signed
    blob: bytes
    certifies: tuple[bytes, bytes] | None
    known: bool


class Gossip(Generic[R]):
    """The three sets of one node.

    They begin with the network's `founding` (signed bytes), whose digest is the network id; raises as `learn` if it
    is none. `evaluate` makes a roster of statements (`Roster.evaluate`).
    """

    def __init__(self, founding: bytes, evaluate: Callable[[NetworkId, Iterable[Signed]], R]) -> None:
        self._network = NetworkId(blake3(founding).digest())
        self._founder = decode_signed(founding).signer
        self._evaluate = evaluate
        self._roster: R | None = None
        self._statements: dict[bytes, _Statement] = {}
        self._statements_size = 0
        self._unknown_sizes: Counter[bytes] = Counter()
        self._certified: set[tuple[bytes, bytes]] = set()
        self._records: dict[NodeId, Record] = {}
        self._heads: dict[bytes, Head] = {}
        self._turn = 0
        self.learn(statements=[founding])

    @property
    def network(self) -> NetworkId:
        """The id of the network."""
        return self._network

    @property
    def roster(self) -> R:
        """What the statements add up to; evaluated again only after new ones came."""
        if self._roster is None:
            self._roster = self._evaluate(self._network, (each.signed for each in self._statements.values()))
        return self._roster

    def statements(self) -> list[Signed]:
        """All statements, in the order of their digests; of unknown kinds only what present members signed."""
        return [statement.signed for _, statement in self._shown()]

    def records(self) -> list[Record]:
        """The newest record of each member's device, by node id."""
        return [record for _, record in sorted(self._records.items()) if self._lists(record)]

    def heads(self) -> list[Head]:
        """The heads kept of members, by digest."""
        return [head for _, head in sorted(self._heads.items()) if self.roster.is_member(head.owner)]

    def learn(
        self, *, statements: Sequence[bytes] = (), records: Sequence[bytes] = (), heads: Sequence[bytes] = ()
    ) -> Learned:
        """Take in signed bytes, our own or those of an earlier run; what is known already is passed over.

        Raises `FormatError` or `SignatureError`, and learns nothing, if any of them cannot be verified.
        """
        new_statements = {blake3(blob).digest(): blob for blob in statements}
        checked = {d: self._check_statement(blob) for d, blob in new_statements.items() if d not in self._statements}
        known_records = {record.signed for record in self._records.values()}
        checked_records = [self._check_record(blob) for blob in records if blob not in known_records]
        new_heads = {blake3(blob).digest(): blob for blob in heads}
        checked_heads = [Head.parse(blob, self._network) for d, blob in new_heads.items() if d not in self._heads]
        return Learned(
            statements=self._keep_statements(checked),
            records=tuple(record for record in checked_records if self._keep_record(record)),
            heads=self._keep_heads(checked_heads),
        )

    def offer(self) -> Sync:
        """What we have, by name. Large sets are offered shard by shard, one a call."""
        shards = self._shards()
        shard, self._turn = self._turn % shards, self._turn + 1
        return Sync(
            statement_marks=tuple(d for d, _ in self._shown() if _within(d, shard, shards))[:LIST_MAX],
            record_marks=tuple(
                RecordMark(record.node, record.values.incarnation)
                for record in self.records()
                if _within(record.node, shard, shards)
            )[:LIST_MAX],
            head_marks=tuple(
                HeadMark(head.owner, head.device, head.sequence, head.digest)
                for head in self.heads()
                if _within(head.digest, shard, shards)
            )[:LIST_MAX],
            shard=shard,
            shards=shards,
        )

    def answer(self, sync: Sync) -> Sync:
        """What we have, by name, and what the sender of `sync` lacks of it: within bounds, the rest next time."""
        room = _Room(BLOBS_SIZE_MAX)
        statements = room.fill(self._rotated(self._statements_beyond(sync)))
        records = room.fill(self._rotated(self._records_beyond(sync)))
        heads = room.fill(self._rotated(self._heads_beyond(sync)))
        return replace(self.offer(), statements=statements, records=records, heads=heads)

    def absorb(self, sync: Sync) -> Learned:
        """Take in a peer's blobs; `ProtocolError`, and nothing is learnt, if any of them cannot be verified."""
        try:
            return self.learn(statements=sync.statements, records=sync.records, heads=sync.heads)
        except IntegrityError as error:
            raise ProtocolError(f"The other side passed on what does not hold: {error.message}") from error

    def _check_statement(self, blob: bytes) -> _Statement:
        signed = decode_signed(blob)
        verify_statement(signed, self._network)
        body = read_statement(signed)
        certifies = (signed.signer, body.device) if isinstance(body, Certificate) else None
        return _Statement(signed, blob, certifies, known=body is not None)

    def _check_record(self, blob: bytes) -> Record:
        signed = decode_signed(blob)
        return Record(NodeId(signed.signer), verify_record(signed, self._network), blob)

    def _keep_statements(self, checked: dict[bytes, _Statement]) -> tuple[Signed, ...]:
        """Known kinds first: they decide whose unknown kinds are kept."""
        kept = [s for d, s in checked.items() if s.known and self._keep_statement(d, s)]
        self._roster = None if kept else self._roster
        unknown = [s for d, s in checked.items() if not s.known and self._keep_unknown(d, s)]
        self._roster = None if unknown else self._roster
        kept += unknown
        return tuple(statement.signed for statement in kept)

    def _keep_statement(self, digest: bytes, statement: _Statement) -> bool:
        full = self._statements_size + len(statement.blob) > STATEMENTS_SIZE_MAX
        if full and statement.signed.signer != self._founder:
            return False
        self._statements[digest] = statement
        self._statements_size += len(statement.blob)
        if statement.certifies:
            self._certified.add(statement.certifies)
        return True

    def _keep_unknown(self, digest: bytes, statement: _Statement) -> bool:
        signer, size = statement.signed.signer, len(statement.blob)
        if not self.roster.vouches_for(signer):
            return False
        if self._unknown_sizes[signer] + size > UNKNOWN_SIZE_MAX or not self._keep_statement(digest, statement):
            return False
        self._unknown_sizes[signer] += size
        return True

    def _keep_record(self, record: Record) -> bool:
        present = self._records.get(record.node)
        if not self._lists(record) or (present and present.values.incarnation >= record.values.incarnation):
            return False
        self._records[record.node] = record
        return True

    def _keep_heads(self, checked: list[Head]) -> tuple[Head, ...]:
        """Heads of devices that were revoked meanwhile are kept: what they name is still their owner's."""
        new = [h for h in checked if self.roster.is_member(h.owner) and (h.owner, h.device) in self._certified]
        if new:
            self._heads = {head.digest: head for head in keep((*self._heads.values(), *new))}
        return tuple(head for head in new if head.digest in self._heads)

    def _shown(self) -> list[tuple[bytes, _Statement]]:
        vouched = self.roster.vouches_for
        return [(d, s) for d, s in sorted(self._statements.items()) if s.known or vouched(s.signed.signer)]

    def _lists(self, record: Record) -> bool:
        return self.roster.owner_of(record.node) == record.values.owner

    def _statements_beyond(self, sync: Sync) -> list[bytes]:
        has = set(sync.statement_marks)
        return [s.blob for d, s in self._shown() if d not in has and _asked(d, sync)]

    def _records_beyond(self, sync: Sync) -> list[bytes]:
        has: defaultdict[bytes, int] = defaultdict(lambda: -1)
        has.update((mark.node, mark.incarnation) for mark in sync.record_marks)
        newer = (record for record in self.records() if record.values.incarnation > has[record.node])
        return [record.signed for record in newer if _asked(record.node, sync)]

    def _heads_beyond(self, sync: Sync) -> list[bytes]:
        has = {mark.digest for mark in sync.head_marks}
        return [head.signed for head in self.heads() if head.digest not in has and _asked(head.digest, sync)]

    def _rotated(self, blobs: list[bytes]) -> list[bytes]:
        """From another start each time, so that nothing the peer refuses to keep can block what follows it."""
        start = self._turn % len(blobs) if sum(map(len, blobs)) > BLOBS_SIZE_MAX or len(blobs) > LIST_MAX else 0
        return blobs[start:] + blobs[:start]

    def _shards(self) -> int:
        names = (list(self._statements), list(self._records), list(self._heads))
        shards = 1
        while shards < _SHARDS_MAX and any(_most(each, shards) > LIST_MAX for each in names):
            shards *= 2
        return shards


class _Room:
    """What is left of a message."""

    def __init__(self, size: int) -> None:
        self._size = size

    def fill(self, blobs: Iterable[bytes]) -> tuple[bytes, ...]:
        """The first blobs that fit, at most `LIST_MAX`."""
        taken: list[bytes] = []
        for blob in blobs:
            if len(blob) <= self._size and len(taken) < LIST_MAX:
                self._size -= len(blob)
                taken.append(blob)
        return tuple(taken)


def _within(name: bytes, shard: int, shards: int) -> bool:
    return int.from_bytes(name[:2], "big") % shards == shard


def _asked(name: bytes, sync: Sync) -> bool:
    return _within(name, sync.shard, sync.shards)


def _most(names: list[bytes] | list[NodeId], shards: int) -> int:
    return max(Counter(int.from_bytes(name[:2], "big") % shards for name in names).values(), default=0)
