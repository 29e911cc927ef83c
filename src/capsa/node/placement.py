"""Who is to hold a block, and whom to ask for it: `capsa.core.placement` over the members as they are now."""

from __future__ import annotations

from collections.abc import Container

from capsa.core.ids import BlockId, NodeId, OwnerId
from capsa.core.placement import picks
from capsa.node.links import Links
from capsa.node.membership import Members


class Placement:
    """Picks and readers, at this moment."""

    def __init__(self, members: Members, links: Links) -> None:
        self._members = members
        self._links = links

    def preferences(self, block: BlockId, home: NodeId, holds: Container[NodeId] = ()) -> list[NodeId]:
        """All nodes that may hold a block, its picks first, whether or not they can be reached.

        A full node is one of them only if it `holds` the block.
        """
        order = self._members.orders().of(block)
        owner, zone = self._home(home)
        return picks(order, copies=len(order), home=home, home_owner=owner, home_zone=zone, holds=holds)

    def takers(self) -> set[NodeId]:
        """The other nodes that take new blocks now, as far as they can be reached."""
        records = ((node, self._members.record(node)) for node in self._links.reachable())
        return {node for node, record in records if record is not None and record.capacity and not record.full}

    def should_hold(self, node: NodeId, block: BlockId, copies: int, home: NodeId) -> bool:
        """Whether a node is among a block's picks, were all reachable."""
        return node in self.preferences(block, home)[:copies]

    def readers(self, block: BlockId) -> list[NodeId]:
        """Whom to ask for a block, in order: those that can be reached, and of these the trusted ones first."""
        reachable = self._links.reachable()
        order = [one.node for one in self._members.orders().of(block) if one.node in reachable]
        return sorted(order, key=self._links.distrusted)

    def _home(self, home: NodeId) -> tuple[OwnerId, str]:
        record = self._members.record(home)
        owner = self._members.roster.owner_of(home)
        return owner or OwnerId(b""), record.zone if record else ""
