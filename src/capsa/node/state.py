"""`state.db`: what cannot be rebuilt from segments or peers.

Every method is synchronous and runs on the disk lane; the database is opened with `synchronous=FULL`, so
what a method wrote is durable when it returns. One that fails raises `NoSpaceError` or `DiskError`, and has changed
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import apsw

from capsa.core.heads import Chain
from capsa.core.ids import ClaimId, NodeId, OwnerId
from capsa.errors import ChangedError, DiskError, HomeError, NoSpaceError
from capsa.stores.disk import Disk

VERSION = 1
_OPENING_SPACE = 256 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statements(digest BLOB PRIMARY KEY, signed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records(node BLOB PRIMARY KEY, signed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads(digest BLOB PRIMARY KEY, signed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floors(owner BLOB, device BLOB, sequence INTEGER NOT NULL, PRIMARY KEY(owner, device))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fallbacks(newest BLOB PRIMARY KEY, used BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS puts(name BLOB PRIMARY KEY, claim BLOB NOT NULL, touched REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS put_items(claim BLOB, number INTEGER, digest BLOB NOT NULL, PRIMARY KEY(claim, number))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS put_secrets(claim BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stamps(name BLOB PRIMARY KEY, stamp BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stale(claim BLOB PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS short(claim BLOB, part BLOB, durable INTEGER NOT NULL, wanted INTEGER NOT NULL,
    PRIMARY KEY(part, claim)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS short_by_claim ON short(claim);
CREATE TABLE IF NOT EXISTS releases(digest BLOB, node BLOB, signed BLOB NOT NULL, PRIMARY KEY(digest, node))
    WITHOUT ROWID;
"""

_NO_FLOORS: Mapping[Chain, int] = MappingProxyType({})
_HANDED_OUT = -1.0
"""In place of the time since which a claim is stale: some command was told, and may release it at any moment."""


@dataclass(frozen=True, slots=True)
class OpenPut:
    """A put under way: its claim id, the digests of its committed items, and its sealed secret, if it is private."""

    claim: ClaimId
    items: tuple[bytes, ...] = ()
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ShortClaim:
    """A claim that had fewer durable copies than wanted when this was written."""

    claim: ClaimId
    durable: int
    wanted: int


class State:
    """The one writer of `state.db`; raises `HomeError` if a newer capsa wrote it."""

    def __init__(self, database: apsw.Connection) -> None:
        self._db = database
        with self._transaction():
            version = database.pragma("user_version")
            if version > VERSION:
                raise HomeError("This home was written by a newer capsa.", "Update capsa on this machine.")
            database.execute(_SCHEMA)
            database.pragma("user_version", VERSION)

    @classmethod
    def open(cls, disk: Disk) -> State:
        """The state of a home; also raises `HomeError` if it is there and cannot be read."""
        try:
            return cls(disk.database("state.db", durable=True))
        except (apsw.NotADBError, apsw.CorruptError):
            raise HomeError("This home is damaged: state.db cannot be read.", "Restore it.") from None
        except (apsw.FullError, apsw.IOError) as error:
            # Opening takes room for SQLite's own files, and the lack of it can look as if the disk had failed.
            if isinstance(error, apsw.FullError) or _is_full(disk):
                raise NoSpaceError("The disk of this home is full.", "Free some space on it.") from error
            raise DiskError(f"The home's state.db cannot be opened ({error}).", "Check the disk.") from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of what is done inside, or nothing; one within another is part of it."""
        with _telling(), self._db:
            yield

    def _rows(self, sql: str, *values: apsw.SQLiteValue) -> list[tuple[apsw.SQLiteValue, ...]]:
        with _telling():
            return list(self._db.execute(sql, values))

    def _blobs(self, sql: str, *values: apsw.SQLiteValue) -> list[bytes]:
        return [bytes(row[0]) for row in self._rows(sql, *values) if isinstance(row[0], bytes)]

    # --- single values

    def value(self, key: str) -> bytes | None:
        """A value set before, or None."""
        found = self._blobs("SELECT value FROM meta WHERE key=?", key)
        return found[0] if found else None

    def set_value(self, key: str, value: bytes) -> None:
        self._rows("INSERT INTO meta VALUES(?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value", key, value)

    def next_number(self, key: str, floor: int = 0) -> int:
        """A number above `floor` and above every one handed out before under `key`; durable before it is told."""
        last = int.from_bytes(self.value(key) or b"", "big")
        number = max(last, floor) + 1
        self.set_value(key, number.to_bytes(8, "big"))
        return number

    # --- what gossip learnt

    def learnt(
        self,
        statements: Iterable[tuple[bytes, bytes]],
        records: Iterable[tuple[bytes, bytes]],
        heads: Iterable[tuple[bytes, bytes]],
        floors: Mapping[Chain, int] = _NO_FLOORS,
    ) -> None:
        """Keep (digest, signed) of statements and heads, and (node, signed) of records, in one transaction.

        With them the `floors` that the heads raise: the highest number seen of each device. None is ever lowered.
        """
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO statements VALUES(?,?)", list(statements))
            self._db.executemany("INSERT OR REPLACE INTO records VALUES(?,?)", list(records))
            self._db.executemany("INSERT OR IGNORE INTO heads VALUES(?,?)", list(heads))
            self._raise_floors(floors)

    def _raise_floors(self, floors: Mapping[Chain, int]) -> None:
        self._db.executemany(
            "INSERT INTO floors VALUES(?,?,?)"
            " ON CONFLICT DO UPDATE SET sequence=excluded.sequence WHERE excluded.sequence > sequence",
            [(owner, device, sequence) for (owner, device), sequence in floors.items()],
        )

    def floors(self) -> dict[Chain, int]:
        """The highest number ever seen of each device's heads."""
        rows = self._rows("SELECT owner, device, sequence FROM floors")
        return {
            (OwnerId(owner), NodeId(device)): sequence
            for owner, device, sequence in rows
            if isinstance(owner, bytes) and isinstance(device, bytes) and isinstance(sequence, int)
        }

    def forget_heads(self, digests: Iterable[bytes]) -> None:
        """These are outdone by newer ones."""
        with self._transaction():
            self._db.executemany("DELETE FROM heads WHERE digest=?", [(digest,) for digest in digests])

    def fall_back(self, newest: bytes, used: bytes) -> None:
        """Note, by their digests, which head is used in place of one whose pages cannot be had."""
        self._rows("INSERT OR REPLACE INTO fallbacks VALUES(?,?)", newest, used)

    def fallbacks(self) -> dict[bytes, bytes]:
        """By the digest of a head, that of the one used in its place."""
        rows = self._rows("SELECT newest, used FROM fallbacks")
        return {bytes(one): bytes(other) for one, other in rows if isinstance(one, bytes) and isinstance(other, bytes)}

    def publish(
        self, digest: bytes, signed: bytes, claims: Iterable[bytes], floors: Mapping[Chain, int] = _NO_FLOORS
    ) -> None:
        """Keep this home's next head, and close the puts of the claims that it records, in one transaction.

        With it the `floors` that it raises.

        Raises `ChangedError` if one of them was handed out for release, or closed, before: what it covers would not
        be kept.
        """
        with self._transaction():
            for claim in claims:
                if not self._rows(
                    "SELECT 1 FROM puts WHERE claim=?1 UNION SELECT 1 FROM stale WHERE claim=?1 AND since<>?2",
                    *(claim, _HANDED_OUT),
                ):
                    raise ChangedError(
                        "Another command of this home has given up or finished this very put.", "Run the command again."
                    )
                for table in ("puts", "put_items", "put_secrets", "stale"):
                    self._rows(f"DELETE FROM {table} WHERE claim=?", claim)
            self._rows("INSERT OR IGNORE INTO heads VALUES(?,?)", digest, signed)
            self._raise_floors(floors)

    def known(self) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """All signed statements, records and heads that are kept."""
        return (
            self._blobs("SELECT signed FROM statements"),
            self._blobs("SELECT signed FROM records"),
            self._blobs("SELECT signed FROM heads"),
        )

    # --- puts under way

    def open_puts(
        self, names: Sequence[bytes], proposed: Sequence[bytes], now: float, secrets: Sequence[bytes] = ()
    ) -> list[OpenPut]:
        """The open put of each name; one under the proposed claim id, with its secret if there are any, where none is.

        A secret is durable together with the claim id that it belongs to, and gone when the put is closed.
        """
        opened = []
        with self._transaction():
            for name, fresh, sealed in zip(names, proposed, secrets or [b""] * len(names), strict=True):
                self._rows(
                    "INSERT INTO puts VALUES(?,?,?) ON CONFLICT(name) DO UPDATE SET touched=excluded.touched",
                    *(name, fresh, now),
                )
                claim = self._blobs("SELECT claim FROM puts WHERE name=?", name)[0]
                items = self._blobs("SELECT digest FROM put_items WHERE claim=? ORDER BY number", claim)
                if sealed and claim == fresh:
                    self._rows("INSERT OR IGNORE INTO put_secrets VALUES(?,?)", claim, sealed)
                kept = self._blobs("SELECT sealed FROM put_secrets WHERE claim=?", claim) if sealed else []
                opened.append(OpenPut(ClaimId(claim), tuple(items), kept[0] if kept else b""))
        return opened

    def note_items(self, items: Sequence[tuple[bytes, int, bytes]], now: float) -> None:
        """Remember (claim, number, digest) of items that were committed under open puts, which go on then.

        Of two with one number the first stays: the last item of a long file is committed together with others'.
        """
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO put_items SELECT ?1,?2,?3 WHERE EXISTS (SELECT 1 FROM puts WHERE claim=?1)",
                items,
            )
            self._db.executemany("UPDATE puts SET touched=? WHERE claim=?", [(now, claim) for claim, _, _ in items])

    def forget_puts(self, names: Sequence[bytes]) -> None:
        """Close open puts whose claims are to be released."""
        with self._transaction():
            for name in names:
                self._rows("INSERT OR IGNORE INTO stale SELECT claim, touched FROM puts WHERE name=?", name)
            self._close(names)

    def _close(self, names: Sequence[bytes]) -> None:
        for name in names:
            for table in ("put_items", "put_secrets"):
                self._rows(f"DELETE FROM {table} WHERE claim IN (SELECT claim FROM puts WHERE name=?)", name)
            self._rows("DELETE FROM puts WHERE name=?", name)

    def retire(self, claims: Iterable[bytes], now: float) -> None:
        """Claims that others replaced are stale from now on."""
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO stale VALUES(?,?)", [(claim, now) for claim in claims])

    def reprieve(self, claims: Iterable[bytes]) -> None:
        """These claims are not stale after all."""
        with self._transaction():
            self._db.executemany("DELETE FROM stale WHERE claim=?", [(claim,) for claim in claims])

    def stale_puts(self, before: float) -> list[ClaimId]:
        """Claim ids to be released: of puts forgotten or untouched since `before`; at most 1,024.

        Not sooner: whoever forgot a put cannot know whether another command is still at work on it.
        """
        with self._transaction():
            self.forget_puts(self._blobs("SELECT name FROM puts WHERE touched<? LIMIT 1024", before))
            due = self._blobs("SELECT claim FROM stale WHERE since<? LIMIT 1024", before)
            self._db.executemany("UPDATE stale SET since=? WHERE claim=?", [(_HANDED_OUT, claim) for claim in due])
        return [ClaimId(claim) for claim in due]

    def release(self, digest: bytes, signed: bytes, claims: Sequence[bytes], nodes: Iterable[NodeId]) -> None:
        """These claims are released: nothing of them is stale or short any more, and these nodes are to be told."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO releases VALUES(?,?,?)", [(digest, node, signed) for node in nodes]
            )
            for claim in claims:
                self._rows("DELETE FROM stale WHERE claim=?", claim)
                self._rows("DELETE FROM short WHERE claim=?", claim)

    # --- what files looked like

    def recall(self, names: Sequence[bytes], stamps: Sequence[bytes]) -> list[int]:
        """The indexes of those names under which this very stamp is remembered."""
        known = "SELECT 1 FROM stamps WHERE name=? AND stamp=?"
        return [index for index, line in enumerate(zip(names, stamps, strict=True)) if self._rows(known, *line)]

    def remember(self, names: Sequence[bytes], stamps: Sequence[bytes]) -> None:
        """Remember a stamp under each name, in place of what was there."""
        with self._transaction():
            lines = list(zip(names, stamps, strict=True))
            self._db.executemany("INSERT OR REPLACE INTO stamps VALUES(?,?)", lines)

    # --- copies that are still short

    def mark_short(self, part: bytes, claims: Iterable[ShortClaim]) -> None:
        """Remember how the claims of a part stand."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO short VALUES(?,?,?,?)",
                [(line.claim, part, line.durable, line.wanted) for line in claims],
            )

    def settle(self, part: bytes, still_short: Sequence[ShortClaim]) -> None:
        """Replace what was remembered of a part; a claim that was released meanwhile is not short again."""
        with self._transaction():
            there = set(self.short_claims(part))
            self._rows("DELETE FROM short WHERE part=?", part)
            self.mark_short(part, [line for line in still_short if line.claim in there])

    def short_parts(self) -> list[bytes]:
        """Digests of the parts that have short claims."""
        return self._blobs("SELECT DISTINCT part FROM short")

    def short_claims(self, part: bytes) -> list[ClaimId]:
        """The short claims of a part."""
        return [ClaimId(claim) for claim in self._blobs("SELECT claim FROM short WHERE part=?", part)]

    def short_claim(self, claim: bytes) -> ShortClaim | None:
        """How a claim stands at the least of its parts; None if nothing is known to be short."""
        rows = self._rows("SELECT durable, wanted FROM short WHERE claim=? ORDER BY durable LIMIT 1", claim)
        return ShortClaim(ClaimId(claim), int(str(rows[0][0])), int(str(rows[0][1]))) if rows else None

    def short_among(self, claims: Sequence[bytes]) -> list[ShortClaim | None]:
        """`short_claim` of each."""
        return [self.short_claim(claim) for claim in claims] if self.short_count() else [None] * len(claims)

    def short_count(self) -> int:
        """How many claims are short."""
        return int(str(self._rows("SELECT count(DISTINCT claim) FROM short")[0][0]))

    def short_summary(self) -> list[tuple[int, int, int]]:
        """(durable, wanted, claims) of the short claims, those that lack most first; at most 64 kinds of them."""
        rows = self._rows(
            "SELECT durable, wanted, count(*) FROM"
            " (SELECT claim, min(durable) AS durable, wanted FROM short GROUP BY claim)"
            " GROUP BY durable, wanted ORDER BY wanted - durable DESC, durable LIMIT 64"
        )
        return [(int(str(durable)), int(str(wanted)), int(str(claims))) for durable, wanted, claims in rows]

    # --- releases on their way

    def queued_releases(self, node: NodeId) -> list[tuple[bytes, bytes]]:
        """(digest, signed) of releases that this node has not acknowledged; at most 1,024."""
        rows = self._rows("SELECT digest, signed FROM releases WHERE node=? LIMIT 1024", node)
        return [(bytes(a), bytes(b)) for a, b in rows if isinstance(a, bytes) and isinstance(b, bytes)]

    def release_sent(self, digest: bytes, node: NodeId) -> None:
        self._rows("DELETE FROM releases WHERE digest=? AND node=?", digest, node)


def _is_full(disk: Disk) -> bool:
    try:
        free, _ = disk.space()
    except OSError:
        return False
    return free < _OPENING_SPACE


@contextmanager
def _telling() -> Iterator[None]:
    """Turn the database's errors into ours."""
    try:
        yield
    except apsw.FullError as error:
        raise NoSpaceError("The disk of this home is full.", "Free some space on it.") from error
    except apsw.Error as error:
        raise DiskError(f"The home's state.db cannot be used ({error}).", "Check the disk that it lies on.") from error
