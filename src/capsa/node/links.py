"""Sessions with other members: the one in use, or a new one; whom to avoid, and who can be reached."""

from __future__ import annotations

import asyncio

from capsa.core.ids import NodeId
from capsa.core.membership import State
from capsa.net.pool import Pool
from capsa.net.session import Session
from capsa.node.membership import Members

DISTRUST_SECONDS = 60.0
"""How long a node that gave wrong bytes is asked last."""


class Links:
    """Sessions by node id."""

    def __init__(self, pool: Pool, members: Members) -> None:
        self._pool = pool
        self._members = members
        self._distrusted: dict[NodeId, float] = {}

    async def session(self, node: NodeId) -> Session:
        """The session with a node, dialled if need be; `UnreachableError`."""
        return await self._pool.session(node, self._members.addresses(node))

    def connected(self) -> list[NodeId]:
        """Nodes with an open session, by id."""
        return sorted(self._pool.sessions)

    def reachable(self) -> set[NodeId]:
        """Nodes that have a session, or may answer a dial."""
        now = asyncio.get_running_loop().time()
        found = set(self._pool.sessions)
        for view in self._members.table.view(now):
            if view.record is not None and view.record.addresses and view.state is not State.GONE:
                found.add(view.node)
        return found

    def distrust(self, node: NodeId) -> None:
        """The node gave wrong bytes: ask others first for a while."""
        self._distrusted[node] = asyncio.get_running_loop().time() + DISTRUST_SECONDS

    def distrusted(self, node: NodeId) -> bool:
        """Whether the node gave wrong bytes lately."""
        return self._distrusted.get(node, 0.0) > asyncio.get_running_loop().time()
