"""Several parts of one upload are claimed at once; the least copies of any of them count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from capsa.client.link import HomeLink
from capsa.client.puts.sealer import Block
from capsa.client.puts.upload import Signer, Upload
from capsa.core.claims import ClaimItem
from capsa.core.commands import Kept
from capsa.core.ids import CLAIM_ID_SIZE, ClaimId, block_id


class Home:
    """Takes every block, and finds two copies of the first part, then four of the second."""

    def __init__(self) -> None:
        self._both_asked = asyncio.Event()
        self._first_told = asyncio.Event()

    async def ask(self, message: object, answer: object, payload: object = ()) -> Kept:
        return Kept(())

    async def commit(self, number: int, items: Sequence[ClaimItem], *, wait: bool = True) -> list[int]:
        if number == 0:
            await self._both_asked.wait()
            self._first_told.set()
            return [2]
        self._both_asked.set()
        await self._first_told.wait()
        await asyncio.sleep(0)
        return [4]


async def test_a_later_part_with_more_copies_does_not_hide_one_with_fewer() -> None:
    home = Home()
    link, signer = cast(HomeLink, home), cast(Signer, home)
    async with Upload(link, signer, ClaimId(bytes(CLAIM_ID_SIZE)), copies=3, part_blocks=1) as upload:
        for data in (b"one", b"two", b"three"):
            upload.add(Block(block_id(data), memoryview(data)))
        upload.last_item()
    assert upload.durable == 2
