"""The index of a segment store: an SQLite database that can be rebuilt from the segments at any time.

It is changed by one road only: `apply` takes records as they lie in the segments, in order. A commit applies what
it has just appended, and recovery what it finds, so both end at the same index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, TypeAlias

import apsw

from capsa.core.claims import ClaimPart, ReleaseNote
from capsa.core.ids import ID_SIZE, BlockId, NetworkId
from capsa.core.segments import RecordHeader, RecordKind
from capsa.core.signing import decode_signed
from capsa.errors import FormatError, HomeError
from capsa.stores.queries import Place, Queries

VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE segments (number INTEGER PRIMARY KEY, secret BLOB NOT NULL, frontier INTEGER NOT NULL,
    sealed INTEGER NOT NULL);
CREATE TABLE blocks (id BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    came INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rot (id BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pending (block BLOB NOT NULL, claim BLOB NOT NULL, came INTEGER NOT NULL, PRIMARY KEY (block, claim))
    WITHOUT ROWID;
CREATE TABLE parts (part INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, owner BLOB NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE INDEX parts_by_owner ON parts (owner);
CREATE TABLE items (item INTEGER PRIMARY KEY, part INTEGER NOT NULL, owner BLOB NOT NULL, claim BLOB NOT NULL,
    retain_until INTEGER NOT NULL, released INTEGER NOT NULL);
CREATE INDEX items_by_claim ON items (owner, claim);
CREATE TABLE cover (block BLOB NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (block, item)) WITHOUT ROWID;
CREATE TABLE notes (digest BLOB PRIMARY KEY, owner BLOB NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE releases (owner BLOB NOT NULL, claim BLOB NOT NULL, note BLOB NOT NULL, PRIMARY KEY (owner, claim))
    WITHOUT ROWID;
"""
# The last record of a block is the one that counts, in whatever order records are met.
_PUT_BLOCK: Final = """
INSERT INTO blocks VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    segment = excluded.segment, offset = excluded.offset, length = excluded.length, came = excluded.came
    WHERE (excluded.segment, excluded.offset) > (blocks.segment, blocks.offset)
"""
_PUT_PENDING: Final = """
INSERT OR IGNORE INTO pending SELECT :block, :claim, :came WHERE NOT EXISTS (
    SELECT 1 FROM cover JOIN items USING (item) WHERE cover.block = :block AND items.claim = :claim)
"""


@dataclass(frozen=True, slots=True)
class SegmentState:
    """A segment as the index knows it: valid up to `frontier` bytes; nothing is appended once it is sealed."""

    number: int
    secret: bytes = field(repr=False)
    frontier: int
    sealed: bool


Value: TypeAlias = ClaimPart | ReleaseNote | tuple[BlockId, ...] | None
"""What a record's payload means: nothing more for a block, ids for a hold or discard."""

Applied: TypeAlias = tuple[RecordHeader, Place, Value]


class Index(Queries):
    """The one writer of the index; runs on the disk lane."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        version = int(connection.pragma("user_version"))
        if version > VERSION:
            raise HomeError("This store's index was written by a newer capsa.", "Update capsa on this machine.")
        if version == 0:
            with self._transaction():
                connection.execute(_SCHEMA)
                connection.pragma("user_version", VERSION)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself rolls back where the disk is full or fails
                self._db.execute("ROLLBACK")
            raise

    def segments(self) -> list[SegmentState]:
        """All segments that are known, by number."""
        rows = self._db.execute("SELECT number, secret, frontier, sealed FROM segments ORDER BY number")
        return [SegmentState(number, secret, frontier, bool(sealed)) for number, secret, frontier, sealed in rows]

    def commit(self, records: Sequence[Applied], segments: Sequence[SegmentState]) -> None:
        """In one transaction: apply records that are durable, and move the frontiers behind them."""
        with self._transaction():
            self.apply(records)
            self._db.executemany(
                "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?)",
                [(state.number, state.secret, state.frontier, int(state.sealed)) for state in segments],
            )

    def apply(self, records: Sequence[Applied]) -> None:
        """Take records, in the order in which they lie, into the index. A repeat changes nothing."""
        for run in _runs_of_blocks(records):
            header, place, value = run[0]
            match header.kind, value:
                case RecordKind.BLOCK, _:
                    self._blocks(run)
                case RecordKind.CLAIM, ClaimPart():
                    self._part(value, place)
                case RecordKind.RELEASE, ReleaseNote():
                    self._note(value, place)
                case RecordKind.HOLD, tuple():
                    self._hold([(block, header) for block in value])
                case RecordKind.DISCARD, tuple():
                    self._forget(value)
                case _:
                    raise AssertionError(f"a {header.kind.name} record without its value")

    def _blocks(self, run: Sequence[Applied]) -> None:
        rows = [(header.id, place.segment, place.offset, place.length, header.came) for header, place, _ in run]
        self._db.executemany(_PUT_BLOCK, rows)
        self._db.executemany("DELETE FROM rot WHERE id = ?", [(header.id,) for header, _, _ in run])
        self._hold([(BlockId(header.id), header) for header, _, _ in run])

    def _hold(self, blocks: Sequence[tuple[BlockId, RecordHeader]]) -> None:
        self._db.executemany(
            _PUT_PENDING,
            [{"block": block, "claim": header.claim, "came": header.came} for block, header in blocks],
        )

    def _part(self, part: ClaimPart, place: Place) -> None:
        if self.part_place(part.digest) is not None:
            return
        self._db.execute(
            "INSERT INTO parts (digest, owner, segment, offset, length) VALUES (?, ?, ?, ?, ?)",
            (part.digest, part.owner, place.segment, place.offset, place.length),
        )
        number = self._db.last_insert_rowid()
        for item in part.items:
            self._db.execute(
                """INSERT INTO items (part, owner, claim, retain_until, released) VALUES (?1, ?2, ?3, ?4,
                   EXISTS (SELECT 1 FROM releases WHERE owner = ?2 AND claim = ?3))""",
                (number, part.owner, item.claim, item.retain_until),
            )
            row = self._db.last_insert_rowid()
            self._db.executemany("INSERT OR IGNORE INTO cover VALUES (?, ?)", [(block, row) for block in item.ids])
            self._db.executemany(
                "DELETE FROM pending WHERE block = ? AND claim = ?", [(block, item.claim) for block in item.ids]
            )

    def _note(self, note: ReleaseNote, place: Place) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO notes VALUES (?, ?, ?, ?, ?)",
            (note.digest, note.owner, place.segment, place.offset, place.length),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO releases VALUES (?, ?, ?)", [(note.owner, c, note.digest) for c in note.claims]
        )
        self._db.executemany(
            "UPDATE items SET released = 1 WHERE owner = ? AND claim = ?", [(note.owner, c) for c in note.claims]
        )

    def _forget(self, blocks: Sequence[BlockId]) -> None:
        for table, column in (("blocks", "id"), ("rot", "id"), ("pending", "block")):
            self._db.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(block,) for block in blocks])

    def quarantine(self, blocks: Sequence[BlockId]) -> None:
        """Move blocks that are here into the table of rot."""
        with self._transaction():
            for block in blocks:
                self._db.execute(
                    "INSERT OR IGNORE INTO rot SELECT id, segment, offset FROM blocks WHERE id = ?", (block,)
                )
                self._db.execute("DELETE FROM blocks WHERE id = ?", (block,))

    def rotten(self, block: BlockId, place: Place) -> None:
        """Note that the bytes at `place` are not the block they were; a good copy elsewhere stays in service."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM blocks WHERE id = ? AND segment = ? AND offset = ?", (block, place.segment, place.offset)
            )
            self._db.execute(
                "INSERT OR IGNORE INTO rot SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE id = ?1)",
                (block, place.segment, place.offset),
            )

    def cut(self, segment: int, size: int) -> None:
        """A segment turned out to end at `size` bytes (0: it is gone): drop what lay behind."""
        behind = "segment = ?1 AND offset + length > ?2"
        with self._transaction():
            self._db.execute(
                f"INSERT OR IGNORE INTO rot SELECT id, segment, offset FROM blocks WHERE {behind}", (segment, size)
            )
            self._db.execute(f"DELETE FROM blocks WHERE {behind}", (segment, size))
            lost = f"SELECT item FROM items JOIN parts USING (part) WHERE {behind}"
            self._db.execute(f"DELETE FROM cover WHERE item IN ({lost})", (segment, size))
            self._db.execute(f"DELETE FROM items WHERE item IN ({lost})", (segment, size))
            self._db.execute(f"DELETE FROM parts WHERE {behind}", (segment, size))
            self._db.execute(
                f"DELETE FROM releases WHERE note IN (SELECT digest FROM notes WHERE {behind})", (segment, size)
            )
            self._db.execute(f"DELETE FROM notes WHERE {behind}", (segment, size))
            self._db.execute(
                """UPDATE items SET released = EXISTS (
                   SELECT 1 FROM releases WHERE releases.owner = items.owner AND releases.claim = items.claim)"""
            )
            if size == 0:
                self._db.execute("DELETE FROM segments WHERE number = ?", (segment,))
            else:
                self._db.execute("UPDATE segments SET frontier = min(frontier, ?2) WHERE number = ?1", (segment, size))


def value_of(header: RecordHeader, payload: bytes) -> Value:
    """What an intact record's payload means; `IntegrityError` if it is nothing that we would have stored."""
    match header.kind:
        case RecordKind.BLOCK:
            return None
        case RecordKind.CLAIM:
            return ClaimPart.parse(payload, _network_of(payload))
        case RecordKind.RELEASE:
            return ReleaseNote.parse(payload, _network_of(payload))
        case RecordKind.HOLD | RecordKind.DISCARD:
            if len(payload) % ID_SIZE:
                raise FormatError("A stored list of block ids has a torn last one.")
            return tuple(BlockId(payload[at : at + ID_SIZE]) for at in range(0, len(payload), ID_SIZE))


def _network_of(signed: bytes) -> NetworkId:
    """A store trusts what it has stored: of whatever network it is, only that it is undamaged matters here."""
    return NetworkId(decode_signed(signed).network)


def _runs_of_blocks(records: Sequence[Applied]) -> Iterator[Sequence[Applied]]:
    """The records in order, neighbouring blocks together and every other one by itself."""
    for is_block, run in groupby(records, lambda record: record[0].kind is RecordKind.BLOCK):
        if is_block:
            yield list(run)
        else:
            yield from ([record] for record in run)
