"""What went between this node and each other one since it started: a few additions a block, asked for by commands."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from capsa.core.ids import Buffer, NodeId

NODES_MAX: Final = 1024
"""Nodes that are told apart; what further ones send and get is not counted."""


@dataclass(slots=True)
class Tally:
    """Totals with one node, which only grow while this process lives; sizes are bytes of blocks.

    `copies` are blocks of this home's own puts that the node acknowledged as durable, `promised` such that it gave
    receipts for, whether or not they had to be sent. The tally with this very node has its own copies.
    """

    copies: int = 0
    copies_size: int = 0
    promised: int = 0
    promised_size: int = 0
    served_size: int = 0
    """Given to it because it asked."""
    taken_size: int = 0
    """Stored here because it put them."""
    fetched_size: int = 0
    """Got from it, and found right."""
    under_way: int = 0
    """Blocks that are being sent to it now, or that it is asked for."""


class Transfers:
    """The tallies of all nodes that anything was exchanged with."""

    def __init__(self) -> None:
        self._tallies: dict[NodeId, Tally] = {}

    def tallies(self) -> dict[NodeId, Tally]:
        """All of them, as they are now."""
        return dict(self._tallies)

    @contextmanager
    def copying(self, node: NodeId, blocks: Collection[tuple[object, Buffer]]) -> Iterator[None]:
        """Around the storing of blocks of our own puts at a node: if it raises, nothing was copied."""
        tally = self._of(node)
        tally.under_way += len(blocks)
        try:
            yield
        finally:
            tally.under_way -= len(blocks)
        tally.copies += len(blocks)
        tally.copies_size += sum(len(data) for _, data in blocks)

    def promised(self, node: NodeId, sizes: Collection[int]) -> None:
        """A node gave a receipt for blocks of these sizes."""
        tally = self._of(node)
        tally.promised += len(sizes)
        tally.promised_size += sum(sizes)

    @contextmanager
    def asking(self, node: NodeId) -> Iterator[None]:
        """Around the question for one block; `fetched` follows if it came."""
        tally = self._of(node)
        tally.under_way += 1
        try:
            yield
        finally:
            tally.under_way -= 1

    def fetched(self, node: NodeId, size: int) -> None:
        """A node gave a block that is what its id says."""
        self._of(node).fetched_size += size

    def served(self, node: NodeId, size: int) -> None:
        """A block was read for a node."""
        self._of(node).served_size += size

    def taken(self, node: NodeId, size: int) -> None:
        """Blocks of a node were stored."""
        self._of(node).taken_size += size

    def _of(self, node: NodeId) -> Tally:
        tally = self._tallies.get(node)
        if tally is None:
            tally = Tally()
            if len(self._tallies) < NODES_MAX:
                self._tallies[node] = tally
        return tally
