"""An owner's files in memory, for whoever restores them: entries as a catalog has them, an evil one if need be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from capsa.client.gets.restore import Order, Restored, Restorer
from capsa.core.catalog.entries import Dot, VersionEntry
from capsa.core.ids import BlockId, ClaimId, NodeId, block_id
from capsa.core.keys import Label
from capsa.core.pages import Entry, Kind, Root
from capsa.core.restore import Selection
from capsa.core.sealing import seal
from capsa.core.tree import (
    MEDIA_TYPE_FOLDER,
    MEDIA_TYPE_LINK,
    Metadata,
    SealedPage,
    TreeBuilder,
    folder_root,
    inline_root,
    link_root,
    seal_page,
)
from capsa.errors import NotFoundError
from capsa.node.runtime import ThreadWorkers
from tests.node.network import SMALL

SECRET = bytes(range(32))
MTIME_NS = 1_234_567_890_123_456_789


@dataclass
class Vault:
    """Blocks by id, and what a catalog says of them. `on_fetch` is awaited before each block that is handed out."""

    versions: list[VersionEntry] = field(default_factory=list)
    blocks: dict[BlockId, bytes] = field(default_factory=dict)
    fetched: int = 0

    async def on_fetch(self, block: BlockId) -> None:
        """Tests put their own in its place."""

    async def fetch(self, block: BlockId, /) -> memoryview:
        await self.on_fetch(block)
        await asyncio.sleep(0)
        self.fetched += 1
        try:
            return memoryview(self.blocks[block])
        except KeyError:
            raise NotFoundError("No node of the network has a block that is needed.") from None

    def file(self, key: str, data: bytes, *, mode: int = 0o644, mtime_ns: int = MTIME_NS) -> VersionEntry:
        metadata = Metadata("name", "text/plain", mtime_ns, mode)
        if len(data) <= SMALL.inline_max:
            return self._add(key, inline_root(metadata, data, SMALL))
        builder = TreeBuilder(SECRET, shape=SMALL)
        for start in range(0, len(data), SMALL.chunk_size):
            chunk = data[start : start + SMALL.chunk_size]
            block, opener = seal(SECRET, Label.SEAL_CHUNK, chunk)
            self.blocks[block_id(block)] = block
            self._keep(builder.add(Entry(block_id(block), opener, len(chunk))))
        root, pages = builder.finish(metadata, blake3(data).digest())
        self._keep(pages)
        return self._add(key, root)

    def link(self, key: str, target: str) -> VersionEntry:
        return self._add(key, link_root(Metadata("name", MEDIA_TYPE_LINK, MTIME_NS, 0o777), target, SMALL))

    def folder(self, key: str, *, mode: int = 0o750) -> VersionEntry:
        return self._add(key, folder_root(Metadata("name", MEDIA_TYPE_FOLDER, MTIME_NS, mode), SMALL))

    async def ordered(self) -> AsyncIterator[VersionEntry]:
        """As a catalog gives them."""
        for version in sorted(self.versions, key=lambda version: version.key):
            yield version

    async def restore(
        self,
        target: Path,
        prefix: str = ".",
        *,
        overwrite: bool = False,
        heard: Callable[[Restored], None] = lambda restored: None,
    ) -> dict[str, Restored]:
        """What became of each key; `heard` is told first."""
        outcomes: dict[str, Restored] = {}

        def report(restored: Restored) -> None:
            assert restored.version.key not in outcomes
            outcomes[restored.version.key] = restored
            heard(restored)

        workers = ThreadWorkers()
        try:
            order = Order(Selection.of(prefix), target, overwrite, report)
            await Restorer(self, workers=workers, shape=SMALL, patience=0.3).restore(self.ordered, order)
        finally:
            workers.close()
        return outcomes

    def _add(self, key: str, root: Root) -> VersionEntry:
        page = seal_page(SECRET, root)
        self._keep([page])
        number = len(self.versions)
        version = VersionEntry(
            key=key,
            dot=Dot(NodeId(bytes(32)), 1, number),
            lamport=number,
            kind=root.kind,
            size=root.size,
            media_type=root.media_type,
            mtime_ns=root.mtime_ns,
            root=page.id,
            root_key=page.key,
            claim=ClaimId(number.to_bytes(16, "big")),
            digest=root.digest if root.kind is Kind.FILE else blake3(root.link_target.encode()).digest(),
            blocks=1,
            copies=0,
            retain_until=0,
        )
        self.versions.append(version)
        return version

    def _keep(self, pages: list[SealedPage]) -> None:
        self.blocks.update((page.id, page.block) for page in pages)
