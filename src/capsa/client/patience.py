"""Patience with a network: a block that cannot be reached is asked for again, for a while."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from capsa.core.ids import BlockId
from capsa.errors import LostConnectionError, UnreachableError

PATIENCE_SECONDS: Final = 10.0
"""How long a block is asked for that nobody who answers has."""
_AGAIN_SECONDS: Final = 0.5


class Blocks(Protocol):
    """Where blocks are fetched from."""

    async def fetch(self, block: BlockId, /) -> memoryview:
        """A block's bytes, checked against its id; `NotFoundError`, `UnreachableError`."""
        ...


class PatientBlocks:
    """The same blocks; it also knows whether others came while one could not be reached."""

    def __init__(self, blocks: Blocks, *, patience: float = PATIENCE_SECONDS) -> None:
        self._blocks = blocks
        self._patience = patience
        self._came = float("-inf")

    @property
    def lost(self) -> bool:
        """Whether nothing has come for as long as one block is waited for: then it is not that block alone."""
        return asyncio.get_running_loop().time() - self._came >= self._patience

    async def fetch(self, block: BlockId, /) -> memoryview:
        """A block's bytes; `UnreachableError` only after patience. A home's node that is gone was waited for before."""
        loop = asyncio.get_running_loop()
        give_up: float | None = None
        while True:
            try:
                found = await self._blocks.fetch(block)
            except LostConnectionError:
                raise
            except UnreachableError:
                give_up = loop.time() + self._patience if give_up is None else give_up
                if loop.time() >= give_up:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._came = loop.time()
                return found
