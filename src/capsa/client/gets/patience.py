"""Patience with a network: a block that cannot be reached is asked for again, for a while."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from capsa.core.ids import BlockId
from capsa.errors import LostConnectionError, UnreachableError

PATIENCE_SECONDS: Final = 10.0
"""How long a block is asked for that nobody who answers has."""
_AGAIN_SECONDS: Final = 0.25


class Blocks(Protocol):
    """Where blocks are fetched from."""

    async def fetch(self, block: BlockId, /) -> memoryview:
        """A block's bytes, checked against its id; `NotFoundError`, `UnreachableError`."""
        ...


class NothingComesError(UnreachableError):
    """A block could not be reached, and no other came meanwhile: it is not that one block that is out of reach."""


class PatientBlocks:
    """The same blocks; one that cannot be reached is waited for."""

    def __init__(self, blocks: Blocks, *, patience: float = PATIENCE_SECONDS) -> None:
        self._blocks = blocks
        self._patience = patience
        self._came = 0

    async def fetch(self, block: BlockId, /) -> memoryview:
        """A block's bytes; after patience `NothingComesError`, or `UnreachableError` if others came meanwhile.

        A home's node that is gone was waited for already: `LostConnectionError` is passed on.
        """
        loop = asyncio.get_running_loop()
        failed_at: float | None = None
        came_before = 0
        while True:
            try:
                found = await self._blocks.fetch(block)
            except LostConnectionError:
                raise
            except UnreachableError as error:
                if failed_at is None:
                    failed_at, came_before = loop.time(), self._came
                if loop.time() >= failed_at + self._patience:
                    if self._came == came_before:
                        raise NothingComesError(error.message, error.hint) from None
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._came += 1
                return found
