"""The one place where blocks are checked against their ids: on the way into a store and on the way out."""

from __future__ import annotations

from collections.abc import Sequence

from capsa.core.ids import BlockId, Buffer, ClaimId, block_id, format_block_id
from capsa.errors import IntegrityError
from capsa.stores.wrapper import StoreWrapper


class VerifyingStore(StoreWrapper):
    """Refuses wrong blocks, and never returns one.

    `put` raises `IntegrityError` naming the first guilty id, and keeps nothing of the call. `get` quarantines a
    block whose stored bytes are wrong, so that it is missing and can be put again, and raises `IntegrityError`.

    Hashing happens in place: at several GB/s it takes a block less than the way to a thread and back costs.
    """

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        check(blocks)
        await self._inner.put(claim, blocks)

    async def get(self, block: BlockId) -> Buffer:
        try:
            data = await self._inner.get(block)
            check([(block, data)])
        except IntegrityError:
            await self._inner.quarantine([block])
            raise
        return data


def check(blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
    """Raise `IntegrityError` for the first block that is not what its id says."""
    for block, data in blocks:
        if block_id(data) != block:
            raise IntegrityError(f"Block {format_block_id(block)} is damaged.", "Fetch it from another holder.")
