"""A look into a store's index from outside, to compare it with another."""

from __future__ import annotations

from contextlib import suppress

import apsw

from capsa.stores.disk import Disk

INDEX = "store/index.db"
_TABLES = {
    "blocks": "id, segment, offset, length, came",
    "pending": "block, claim, came",
    "parts": "digest, owner, segment, offset, length",
    "items": "owner, claim, retain_until, released",
    "notes": "digest, owner, segment, offset, length",
    "releases": "owner, claim, note",
}


def contents(disk: Disk) -> dict[str, list[tuple[apsw.SQLiteValue, ...]]]:
    """All that an index says about what is stored."""
    connection = disk.database(INDEX, durable=False)
    tables = {name: sorted(connection.execute(f"SELECT {columns} FROM {name}")) for name, columns in _TABLES.items()}
    tables["cover"] = sorted(
        connection.execute("SELECT cover.block, items.owner, items.claim FROM cover JOIN items USING (item)")
    )
    connection.close()
    return tables


def remove_index(disk: Disk) -> None:
    """Lose the index."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            disk.remove(INDEX + suffix)
