"""The one place where blocks are checked against their ids: on the way into a store and on the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from capsa.core.ids import BlockId, Buffer, ClaimId, block_id, format_block_id
from capsa.errors import IntegrityError
from capsa.seams import Lane, Workers
from capsa.stores.base import BlockStore
from capsa.stores.wrapper import StoreWrapper

_INLINE_SIZE_MAX: Final = 64 * 1024  # hashing this takes less than the way to a thread and back


class VerifyingStore(StoreWrapper):
    """Refuses wrong blocks, and never returns one.

    `put` raises `IntegrityError` naming the first guilty id, and keeps nothing of the call. `get` quarantines a
    block whose stored bytes are wrong, so that it is missing and can be put again, and raises `IntegrityError`.
    """

    def __init__(self, inner: BlockStore, *, workers: Workers) -> None:
        super().__init__(inner)
        self._workers = workers

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        await self._check(blocks)
        await self._inner.put(claim, blocks)

    async def get(self, block: BlockId) -> Buffer:
        try:
            data = await self._inner.get(block)
            await self._check([(block, data)])
        except IntegrityError:
            await self._inner.quarantine([block])
            raise
        return data

    async def _check(self, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        if sum(len(data) for _, data in blocks) <= _INLINE_SIZE_MAX:
            check(blocks)
        else:
            await self._workers.run(Lane.SEAL, check, blocks)


def check(blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
    """Raise `IntegrityError` for the first block that is not what its id says."""
    for block, data in blocks:
        if block_id(data) != block:
            raise IntegrityError(f"Block {format_block_id(block)} is damaged.", "Fetch it from another holder.")
