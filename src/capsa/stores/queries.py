"""What the index can be asked. Reading only, over any connection; `capsa.stores.index` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import apsw

from capsa.core.ids import BlockId, ClaimId, OwnerId
from capsa.stores.base import PENDING_SECONDS, StoreStats

_Id = TypeVar("_Id", bound=bytes)

# A block is kept by a claim that is not released, by a released one until its retain-until, and by being pending.
_KEPT: Final = f"""
    EXISTS (SELECT 1 FROM cover JOIN items USING (item)
            WHERE cover.block = {{id}} AND (items.released = 0 OR items.retain_until > :now))
    OR EXISTS (SELECT 1 FROM pending WHERE pending.block = {{id}} AND pending.came + {PENDING_SECONDS} > :now)
"""
_COVERED_BY_OWNER: Final = """
    EXISTS (SELECT 1 FROM cover JOIN items USING (item) WHERE cover.block = blocks.id AND items.owner = ?)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payload lies: segment number, offset of its first byte, length in bytes."""

    segment: int
    offset: int
    length: int


class Queries:
    """Questions to the index; each answers from what is committed."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def close(self) -> None:
        """Let go of the connection."""
        self._db.close()

    def place(self, block: BlockId) -> Place | None:
        """Where a block lies."""
        return self._place("SELECT segment, offset, length FROM blocks WHERE id = ?", block)

    def part_place(self, digest: bytes) -> Place | None:
        """Where a claim part lies."""
        return self._place("SELECT segment, offset, length FROM parts WHERE digest = ?", digest)

    def note_place(self, digest: bytes) -> Place | None:
        """Where a release lies."""
        return self._place("SELECT segment, offset, length FROM notes WHERE digest = ?", digest)

    def missing(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        """Those of `blocks` that are not here."""
        return self._filter(
            "SELECT value FROM carray(?) AS asked WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE id = asked.value)",
            blocks,
        )

    def unheld(self, claim: ClaimId, blocks: Sequence[BlockId]) -> list[BlockId]:
        """Those of `blocks` that are neither pending under `claim` nor covered by a part of it."""
        return self._filter(
            """SELECT value FROM carray(?) AS asked WHERE
               NOT EXISTS (SELECT 1 FROM pending WHERE block = asked.value AND claim = ?)
               AND NOT EXISTS (SELECT 1 FROM cover JOIN items USING (item)
                               WHERE cover.block = asked.value AND items.claim = ?)""",
            blocks,
            claim,
            claim,
        )

    def claimed(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        """Those of `blocks` that are here and covered by a claim that is not released."""
        return self._filter(
            """SELECT value FROM carray(?) AS asked WHERE
               EXISTS (SELECT 1 FROM blocks WHERE id = asked.value)
               AND EXISTS (SELECT 1 FROM cover JOIN items USING (item)
                           WHERE cover.block = asked.value AND items.released = 0)""",
            blocks,
        )

    def parts(self, owner: OwnerId | None) -> list[bytes]:
        """Digests of the claim parts here."""
        if owner is None:
            return self._column("SELECT digest FROM parts ORDER BY digest")
        return self._column("SELECT digest FROM parts WHERE owner = ? ORDER BY digest", owner)

    def collectable(self, now: float) -> list[BlockId]:
        """Blocks that nothing keeps at Unix time `now`."""
        sql = f"SELECT id FROM blocks WHERE NOT ({_KEPT.format(id='blocks.id')}) ORDER BY id"
        return [BlockId(row[0]) for row in self._db.execute(sql, {"now": now})]

    def kept(self, blocks: Sequence[BlockId], now: float) -> list[BlockId]:
        """Those of `blocks` that are here and that something keeps at Unix time `now`."""
        sql = f"SELECT id FROM blocks WHERE id = :id AND ({_KEPT.format(id=':id')})"
        return [block for block in blocks if self._db.execute(sql, {"id": block, "now": now}).fetchone()]

    def stats(self, without: OwnerId | None) -> StoreStats:
        """Counts and sizes; with `without`, of blocks and claims that are not that owner's."""
        if without is None:
            blocks, size = self._row("SELECT count(*), total(length) FROM blocks")
            (claims,) = self._row("SELECT count(*) FROM (SELECT DISTINCT owner, claim FROM items WHERE released = 0)")
        else:
            blocks, size = self._row(
                f"SELECT count(*), total(length) FROM blocks WHERE NOT {_COVERED_BY_OWNER}", without
            )
            (claims,) = self._row(
                "SELECT count(*) FROM (SELECT DISTINCT owner, claim FROM items WHERE released = 0 AND owner <> ?)",
                without,
            )
        (parts_size,) = self._row("SELECT total(length) FROM parts WHERE owner IS NOT ?", without)
        return StoreStats(int(blocks), int(size), int(claims), int(parts_size))

    def damaged(self) -> list[BlockId]:
        """Blocks that were here and whose bytes turned out wrong."""
        return [BlockId(block) for block in self._column("SELECT id FROM rot ORDER BY id")]

    def _filter(self, sql: str, asked: Sequence[_Id], *more: bytes) -> list[_Id]:
        if not asked:
            return []
        wanted = {row[0] for row in self._db.execute(sql, (apsw.carray(tuple(asked)), *more))}
        return [identifier for identifier in asked if identifier in wanted]

    def _place(self, sql: str, identifier: bytes) -> Place | None:
        row = self._db.execute(sql, (identifier,)).fetchone()
        return Place(*row) if row else None

    def _row(self, sql: str, *values: bytes | None) -> tuple[int | float, ...]:
        rows: list[tuple[int | float, ...]] = list(self._db.execute(sql, values))
        return rows[0]

    def _column(self, sql: str, *values: bytes) -> list[bytes]:
        return [row[0] for row in self._db.execute(sql, values)]
