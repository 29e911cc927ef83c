"""Where a file's blocks lie: its tree is walked, and the members are asked for proof of what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from capsa.client.link import HomeLink
from capsa.core.caps import Cap
from capsa.core.ids import BlockId, NodeId
from capsa.core.inquiries import Holders, HoldersTold
from capsa.core.keys import Label
from capsa.core.messages import LIST_MAX
from capsa.core.pages import DEFAULT_SHAPE, Shape, parse_root
from capsa.core.sealing import unseal
from capsa.core.tree import TreeWalk, WantedPage


@dataclass(frozen=True, slots=True)
class Holdings:
    """How many of a file's blocks each node proved to hold, and the least copies that any block has."""

    blocks: int
    least: int
    holders: dict[NodeId, int]


async def find_holdings(link: HomeLink, cap: Cap, *, shape: Shape = DEFAULT_SHAPE, here_only: bool = False) -> Holdings:
    """Ask for all blocks of a file, in bounded batches; raises what `HomeLink` raises.

    With `here_only`, the home alone is asked for the blocks, though the tree may come from others.
    """
    holders: Counter[NodeId] = Counter()
    blocks, least = 0, -1
    batch: list[BlockId] = []

    async def ask() -> None:
        nonlocal least, blocks
        copies = [0] * len(batch)
        for line in (await link.ask(Holders(tuple(batch), here_only), HoldersTold)).nodes:
            held = {index for index in line.indexes if index < len(batch)}
            holders[NodeId(line.node)] += len(held)
            for index in held:
                copies[index] += 1
        blocks += len(batch)
        least = min(copies) if least < 0 else min(least, *copies)
        batch.clear()

    async for block in block_ids(link, cap, shape=shape):
        batch.append(block)
        if len(batch) == LIST_MAX:
            await ask()
    if batch:
        await ask()
    return Holdings(blocks, least, dict(holders))


async def block_ids(link: HomeLink, cap: Cap, *, shape: Shape = DEFAULT_SHAPE) -> AsyncIterator[BlockId]:
    """The ids of all blocks of a file: its root, its pages, its chunks. Some may come twice."""
    yield cap.root
    root = parse_root(unseal(cap.key, Label.SEAL_PAGE, await link.fetch(cap.root)), shape)
    walk = TreeWalk(root, shape=shape)
    while (wanted := walk.next()) is not None:
        yield wanted.entry.id
        if isinstance(wanted, WantedPage):
            block = await link.fetch(wanted.entry.id)
            walk.feed(unseal(wanted.entry.key, Label.SEAL_PAGE, block))
