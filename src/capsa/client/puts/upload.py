"""One claim's blocks on their way to the home: several in flight, counted, and claimed in parts as they go.

The buffers are the bound: a block is sealed into one of `BUFFERS`, which comes back when the home has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from capsa.client.link import HomeLink
from capsa.client.puts.sealer import Block
from capsa.core.claims import PART_BLOCKS_MAX, ClaimItem, ids_digest, make_part
from capsa.core.commands import Commit, Committed, Keep, Kept
from capsa.core.ids import BlockId, ClaimId, NetworkId, NodeId
from capsa.core.keys import SigningKey
from capsa.core.messages import LIST_MAX, PAYLOAD_SIZE_MAX
from capsa.core.tree import SealedPage
from capsa.errors import CapsaError, leading

BUFFERS = 16
"""How many chunks of all files together are under way."""


class CameOutDifferentError(CapsaError):
    """The file is not the one that an earlier, unfinished put of this key began with."""


class Buffers:
    """The buffers that blocks are sealed into: the bound on what is under way."""

    def __init__(self, count: int, size: int) -> None:
        """At most `count` buffers of `size` bytes, made when first needed."""
        self._size = size
        self._free: asyncio.Queue[bytearray | None] = asyncio.Queue()
        for _ in range(count):
            self._free.put_nowait(None)

    async def take(self) -> bytearray:
        """A free buffer, once there is one."""
        return await self._free.get() or bytearray(self._size)

    def give(self, buffer: bytearray) -> None:
        """The buffer may be reused."""
        self._free.put_nowait(buffer)

    def drop(self) -> None:
        """A buffer may still be read by somebody; another takes its place."""
        self._free.put_nowait(None)


class Signer:
    """Signs claim parts for a home and has its node collect the receipts."""

    def __init__(self, link: HomeLink, key: SigningKey, network: NetworkId, home: NodeId) -> None:
        self._link = link
        self._key = key
        self._network = network
        self._home = home

    async def commit_all(self, items: Sequence[ClaimItem], *, number: int = 0, wait: bool = True) -> list[int]:
        """Claim many items, as many to a part as it carries; durable copies of each.

        `number` is above that of any part that claimed blocks of the same claims before.
        """
        durable: list[int] = []
        for part in _parts(items):
            durable += await self.commit(number, part, wait=wait)
        return durable

    async def commit(self, number: int, items: Sequence[ClaimItem], *, wait: bool = True) -> list[int]:
        """Claim the items' blocks, which the home holds; durable copies of each item, the home counted.

        Without `wait` the node sees to the copies afterwards.
        """
        part = make_part(self._key, self._network, self._home, number, items)
        return list((await self._link.ask(Commit(part.signed, wait), Committed)).durable)


class Upload:
    """Use as a context: inside, `add` blocks; on leaving it in order, the home has them all.

    `expected` are the digests of items that an earlier, interrupted put committed under the same claim id. Without
    `wait` the home has the blocks alone, and its node sees to the copies afterwards.
    """

    def __init__(
        self,
        link: HomeLink,
        signer: Signer,
        claim: ClaimId,
        *,
        copies: int,
        retain_until: int = 0,
        expected: Sequence[bytes] = (),
        wait: bool = True,
        part_blocks: int = PART_BLOCKS_MAX,
    ) -> None:
        self._link = link
        self._signer = signer
        self._claim = claim
        self._copies = copies
        self._retain_until = retain_until
        self._part_blocks = part_blocks
        self._expected = expected
        self._wait = wait
        self._tasks = asyncio.TaskGroup()
        self._under_way: list[asyncio.Task[None]] = []
        self._ids: list[BlockId] = []
        self._sizes: list[int] = []
        self.parts = 0
        """How many parts claim blocks of it so far."""
        self.blocks = 0
        self.new_bytes = 0
        self.durable = copies + 1
        """The least copies of any block that was claimed so far, the home counted."""

    async def __aenter__(self) -> Upload:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            raise leading(group) from None

    def add(self, block: Block, lent: tuple[Buffers, bytearray] | None = None) -> None:
        """Send a block. A buffer that is `lent` with it is given back when the home has the block."""
        if len(self._ids) == self._part_blocks:
            self._tasks.create_task(self._claim_part(self._take_item(), self._under_way))
            self._under_way = []
        self.blocks += 1
        self._ids.append(block.id)
        self._sizes.append(len(block.data))
        self._under_way.append(self._tasks.create_task(self._send(block, lent)))

    def add_pages(self, pages: Sequence[SealedPage]) -> None:
        """Send sealed pages."""
        for page in pages:
            self.add(Block(page.id, memoryview(page.block)))

    def last_item(self) -> ClaimItem:
        """The blocks that no part claims yet, for the caller to claim along with others' when the context is left."""
        return self._take_item()

    def _take_item(self) -> ClaimItem:
        item = ClaimItem(self._claim, self._copies, self._retain_until, tuple(self._ids), tuple(self._sizes))
        self._ids, self._sizes = [], []
        return item

    async def _send(self, block: Block, lent: tuple[Buffers, bytearray] | None) -> None:
        keep = Keep(self._claim, self._copies, (block.id,), (len(block.data),), self._wait)
        try:
            kept = await self._link.ask(keep, Kept, (block.data,))
        except BaseException:
            if lent is not None:
                lent[0].drop()
            raise
        if kept.new:
            self.new_bytes += len(block.data)
        if lent is not None:
            buffers, buffer = lent
            buffers.give(buffer)

    async def _claim_part(self, item: ClaimItem, sends: Sequence[asyncio.Task[None]]) -> None:
        number = self.parts
        self.parts += 1
        if number < len(self._expected) and ids_digest(item.ids) != self._expected[number]:
            raise CameOutDifferentError("The file changed since an earlier put of it was interrupted.", "Put it again.")
        await asyncio.gather(*sends)
        durable = await self._signer.commit(number, [item], wait=self._wait)
        self.durable = min(self.durable, *durable)  # after the wait: another part may have come to fewer meanwhile


def in_messages(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks in messages' worth: bounded in bytes and in number."""
    batch: list[Block] = []
    size = 0
    for block in blocks:
        if batch and (size + len(block.data) > PAYLOAD_SIZE_MAX or len(batch) == LIST_MAX):
            yield batch
            batch, size = [], 0
        batch.append(block)
        size += len(block.data)
    if batch:
        yield batch


async def keep_small(
    link: HomeLink, claim: ClaimId, copies: int, blocks: Iterable[Block], *, spread: bool = True
) -> set[BlockId]:
    """Send blocks of many claims together, pending under one of them; which were new to the home.

    Without `spread` they stay at home for now.
    """
    new: set[BlockId] = set()
    for batch in in_messages(blocks):
        ids, sizes = tuple(block.id for block in batch), tuple(len(block.data) for block in batch)
        kept = await link.ask(Keep(claim, copies, ids, sizes, spread), Kept, [block.data for block in batch])
        new.update(batch[index].id for index in kept.new)
    return new


def _parts(items: Sequence[ClaimItem]) -> Iterator[list[ClaimItem]]:
    part: list[ClaimItem] = []
    blocks = 0
    for item in items:
        if part and blocks + len(item.ids) > PART_BLOCKS_MAX:
            yield part
            part, blocks = [], 0
        part.append(item)
        blocks += len(item.ids)
    if part:
        yield part
