"""Sessions with other members: the one in use, or a new one; whom to avoid, and who can be reached."""

from __future__ import annotations

import asyncio

from capsa.core.ids import NodeId
from capsa.core.membership import State
from capsa.errors import DeadlineError
from capsa.net.pool import Pool
from capsa.net.session import Session
from capsa.node.membership import Members
from capsa.node.settings import Timing

DISTRUST_SECONDS = 60.0
"""How long a node that gave wrong bytes, or no answer, is asked last."""
_LOOK_AGAIN_SECONDS = 0.5


class Links:
    """Sessions by node id."""

    def __init__(self, pool: Pool, members: Members, timing: Timing) -> None:
        self._pool = pool
        self._timing = timing
        self._members = members
        self._distrusted: dict[NodeId, float] = {}
        self._reachable: tuple[float, set[NodeId]] = (float("-inf"), set())

    async def session(self, node: NodeId) -> Session:
        """The session with a node, dialled if need be.

        Raises `UnreachableError`; `DeadlineError` when this takes longer than two small requests may: a node names
        up to 16 addresses, and each of them may be silent. Dialling goes on then, for whoever asks next.
        """
        patience = 2 * self._timing.ask
        try:
            async with asyncio.timeout(patience):
                return await self._pool.session(node, self._members.addresses(node))
        except TimeoutError:
            raise DeadlineError(f"The node was not reached within {patience:g} seconds.") from None

    def connected(self) -> list[NodeId]:
        """Nodes with an open session, by id."""
        return sorted(self._pool.sessions)

    def reachable(self) -> set[NodeId]:
        """Nodes that are not gone, and have a session or may answer a dial; looked at anew when something changed."""
        now = asyncio.get_running_loop().time()
        if now - self._reachable[0] > _LOOK_AGAIN_SECONDS:
            open_now = set(self._pool.sessions)
            listed = (view for view in self._members.table.view(now) if view.record is not None)
            found = {
                view.node
                for view in listed
                if view.state is not State.GONE and (view.node in open_now or (view.record and view.record.addresses))
            }
            self._reachable = (now, found)
        return self._reachable[1]

    def changed(self) -> None:
        """A session opened or ended, a node went silent, or something was learnt."""
        self._reachable = (float("-inf"), set())

    def distrust(self, node: NodeId) -> None:
        """The node gave wrong bytes, or no answer: ask others first for a while."""
        self._distrusted[node] = asyncio.get_running_loop().time() + DISTRUST_SECONDS

    def distrusted(self, node: NodeId) -> bool:
        """Whether the node gave wrong bytes, or no answer, lately."""
        return self._distrusted.get(node, 0.0) > asyncio.get_running_loop().time()
