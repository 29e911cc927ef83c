"""What every wrapper of a `BlockStore` begins with: it passes everything on, and its subclass changes something."""

from __future__ import annotations

from collections.abc import Sequence

from capsa.core.claims import ClaimPart, ReleaseNote
from capsa.core.ids import BlockId, Buffer, ClaimId, OwnerId
from capsa.stores.base import BlockStore, StoreStats


class StoreWrapper:
    """A `BlockStore` that is `inner`. Opening, running and closing it does so to `inner`."""

    def __init__(self, inner: BlockStore) -> None:
        self._inner = inner

    async def open(self) -> None:
        await self._inner.open()

    async def run(self) -> None:
        await self._inner.run()

    async def close(self) -> None:
        await self._inner.close()

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        await self._inner.put(claim, blocks)

    async def get(self, block: BlockId) -> Buffer:
        return await self._inner.get(block)

    async def sample(self, block: BlockId, offset: int, size: int) -> tuple[bytes, int]:
        return await self._inner.sample(block, offset, size)

    async def missing(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        return await self._inner.missing(blocks)

    async def claim(self, part: ClaimPart) -> None:
        await self._inner.claim(part)

    async def claimed(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        return await self._inner.claimed(blocks)

    async def release(self, note: ReleaseNote) -> None:
        await self._inner.release(note)

    async def parts(self, owner: OwnerId | None = None) -> list[bytes]:
        return await self._inner.parts(owner)

    async def part(self, digest: bytes) -> bytes:
        return await self._inner.part(digest)

    async def collectable(self, now: float) -> list[BlockId]:
        return await self._inner.collectable(now)

    async def discard(self, blocks: Sequence[BlockId], now: float) -> None:
        await self._inner.discard(blocks, now)

    async def quarantine(self, blocks: Sequence[BlockId]) -> None:
        await self._inner.quarantine(blocks)

    async def stats(self, without: OwnerId | None = None) -> StoreStats:
        return await self._inner.stats(without)
