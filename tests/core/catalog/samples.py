"""Entries and a shelf of blocks that the catalog's tests share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from blake3 import blake3

from capsa.core.catalog.entries import Dot, Entry, RemovalEntry, VersionEntry
from capsa.core.catalog.pages import PageRef, Steps, open_page
from capsa.core.catalog.reading import Cursor, KeyRange
from capsa.core.catalog.update import Update, insert
from capsa.core.ids import BlockId, ClaimId, NodeId
from capsa.core.pages import Kind

T = TypeVar("T")

SECRET = bytes(range(32))
LAPTOP = NodeId(b"\x01" * 32)
DESKTOP = NodeId(b"\x02" * 32)


def version(
    key: str,
    sequence: int = 1,
    index: int = 0,
    *,
    device: NodeId = LAPTOP,
    lamport: int | None = None,
    kind: Kind = Kind.FILE,
) -> VersionEntry:
    """A version whose ids follow from its name."""
    seed = blake3(f"{key} {device.hex()} {sequence} {index}".encode()).digest()
    return VersionEntry(
        key=key,
        dot=Dot(device, sequence, index),
        lamport=sequence if lamport is None else lamport,
        kind=kind,
        size=1000,
        media_type="text/plain",
        mtime_ns=1_700_000_000_000_000_000,
        root=BlockId(seed),
        root_key=seed[::-1],
        claim=ClaimId(seed[:16]),
        digest=blake3(seed).digest(),
        blocks=1,
        copies=3,
        retain_until=0,
    )


def removal(
    of: VersionEntry, sequence: int = 2, index: int = 0, *, device: NodeId = LAPTOP, lamport: int = 9
) -> RemovalEntry:
    """The end of one version."""
    return RemovalEntry(of.key, Dot(device, sequence, index), lamport, (of.dot,))


class Shelf:
    """Blocks by id, and what was asked for since the last `forget`."""

    def __init__(self) -> None:
        self.blocks: dict[BlockId, bytes] = {}
        self.asked: list[BlockId] = []
        self._claims = 0

    def forget(self) -> None:
        self.asked.clear()

    def drive(self, steps: Steps[T]) -> T:
        """Run a generator to its end, handing it the pages it asks for."""
        try:
            need = next(steps)
            while True:
                self.asked.append(need.id)
                need = steps.send(open_page(need, self.blocks[need.id]))
        except StopIteration as done:
            result: T = done.value
            return result

    def insert(self, root: PageRef | None, entries: Iterable[Entry], page_size_max: int = 1024) -> Update:
        """Add entries and keep the new pages."""
        steps = insert(root, list(entries), secret=SECRET, new_claim=self.new_claim, page_size_max=page_size_max)
        update = self.drive(steps)
        self.blocks.update((page.id, page.block) for page in update.pages)
        return update

    def read(self, root: PageRef | None, keys: KeyRange | None = None) -> list[Entry]:
        """All entries of a range, in order."""
        cursor = Cursor(root, keys or KeyRange())
        found: list[Entry] = []
        while entries := self.drive(cursor.next_leaf()):
            found += entries
        return found

    def new_claim(self) -> ClaimId:
        self._claims += 1
        return ClaimId(self._claims.to_bytes(16, "big"))
