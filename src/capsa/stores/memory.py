"""A `BlockStore` in memory: what the contract means, in dictionaries. It keeps nothing when the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from capsa.core.claims import ClaimItem, ClaimPart, ReleaseNote
from capsa.core.ids import BlockId, Buffer, ClaimId, OwnerId, format_block_id
from capsa.errors import NotFoundError, RefusedError
from capsa.seams import Clock
from capsa.stores.base import PENDING_SECONDS, StoreStats


@dataclass(frozen=True, slots=True)
class _Cover:
    owner: OwnerId
    item: ClaimItem


class MemoryStore:
    """Everything in dictionaries; no method ever waits."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._blocks: dict[BlockId, bytes] = {}
        self._pending: dict[BlockId, dict[ClaimId, int]] = {}
        self._parts: dict[bytes, ClaimPart] = {}
        self._covers: dict[BlockId, list[_Cover]] = {}
        self._released: set[tuple[OwnerId, ClaimId]] = set()

    async def open(self) -> None:
        """Always ready."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to let go of."""

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        came = int(self._clock.now())
        for block, data in blocks:
            self._blocks.setdefault(block, bytes(data))
            if not any(cover.item.claim == claim for cover in self._covers.get(block, ())):
                self._pending.setdefault(block, {}).setdefault(claim, came)

    async def get(self, block: BlockId) -> Buffer:
        return self._get(block)

    async def sample(self, block: BlockId, offset: int, size: int) -> tuple[bytes, int]:
        data = self._get(block)
        start = offset % len(data) if data else 0
        return data[start : start + size], len(data)

    def _get(self, block: BlockId) -> bytes:
        if block not in self._blocks:
            raise NotFoundError(f"Block {format_block_id(block)} is not here.")
        return self._blocks[block]

    async def missing(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        return [block for block in blocks if block not in self._blocks]

    async def claim(self, part: ClaimPart) -> None:
        if part.digest in self._parts:
            return
        self._parts[part.digest] = part
        for item in part.items:
            for block in item.ids:
                self._covers.setdefault(block, []).append(_Cover(part.owner, item))
                self._pending.get(block, {}).pop(item.claim, None)

    async def claimed(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        return [
            block
            for block in blocks
            if block in self._blocks and not all(self._is_released(cover) for cover in self._covers.get(block, ()))
        ]

    async def release(self, note: ReleaseNote) -> None:
        self._released.update((note.owner, claim) for claim in note.claims)

    def _is_released(self, cover: _Cover) -> bool:
        return (cover.owner, cover.item.claim) in self._released

    async def parts(self, owner: OwnerId | None = None) -> list[bytes]:
        return sorted(digest for digest, part in self._parts.items() if owner is None or part.owner == owner)

    async def part(self, digest: bytes) -> bytes:
        if digest not in self._parts:
            raise NotFoundError("This claim part is not here.")
        return self._parts[digest].signed

    async def collectable(self, now: float) -> list[BlockId]:
        return sorted(block for block in self._blocks if not self._is_kept(block, now))

    def _is_kept(self, block: BlockId, now: float) -> bool:
        covers = self._covers.get(block, ())
        return any(not self._is_released(cover) or cover.item.retain_until > now for cover in covers) or any(
            came + PENDING_SECONDS > now for came in self._pending.get(block, {}).values()
        )

    async def discard(self, blocks: Sequence[BlockId], now: float) -> None:
        kept = sum(block in self._blocks and self._is_kept(block, now) for block in blocks)
        if kept:
            raise RefusedError(f"{kept} of these blocks are still claimed.", "Release their claims first.")
        await self.quarantine(blocks)
        for block in blocks:
            self._pending.pop(block, None)

    async def quarantine(self, blocks: Sequence[BlockId]) -> None:
        for block in blocks:
            self._blocks.pop(block, None)

    async def stats(self, without: OwnerId | None = None) -> StoreStats:
        counted = [
            data
            for block, data in self._blocks.items()
            if without is None or all(cover.owner != without for cover in self._covers.get(block, ()))
        ]
        claims = {
            (cover.owner, cover.item.claim)
            for covers in self._covers.values()
            for cover in covers
            if cover.owner != without and not self._is_released(cover)
        }
        parts_size = sum(len(part.signed) for part in self._parts.values() if part.owner != without)
        return StoreStats(len(counted), sum(map(len, counted)), len(claims), parts_size)
