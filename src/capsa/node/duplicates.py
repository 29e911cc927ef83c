"""Two processes with one device key: found by whoever has sessions with both, and told to both.

A copied home would sign a second catalog, and could release what the first one stores. So both turn read-only until
they are started again: they go on to serve and to read. A restart is no duplicate: its old process does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from capsa.core.ids import NodeId
from capsa.core.messages import Duplicate, Present
from capsa.core.presence import prove_presence, verify_presence
from capsa.errors import CapsaError, ProtocolError, RefusedError, SignatureError
from capsa.net.session import Session
from capsa.node.settings import NodeConfig

ANSWER_SECONDS: Final = 3.0
"""Within which a process that lives says so; a session with one that does not ends."""
BESIDE_SECONDS: Final = 30.0
"""How long the session of one of two duplicates goes on beside the newer one of the other, so that both can read."""
_PAIRS_MAX: Final = 256

_log = logging.getLogger(__name__)


class Duplicates:
    """Watches the sessions of peers, and answers for this process, whose boot id is `boot`."""

    def __init__(self, config: NodeConfig, boot: bytes) -> None:
        self._config = config
        self._boot = boot
        self._suspects: asyncio.Queue[tuple[Session, Session]] = asyncio.Queue()
        self._asked: set[NodeId] = set()
        self._proven: dict[frozenset[bytes], None] = {}
        self._beside: dict[NodeId, Session] = {}
        self.found = False
        """Whether another process with our device key has proven that it runs beside this one."""

    def check_alone(self) -> None:
        """Raise `RefusedError` if this home runs twice: nothing may be signed or stored for its owner then."""
        if self.found:
            raise RefusedError(
                "Another process runs with a copy of this home, so nothing new is stored from either.",
                "End one of the two and remove its copy, then start the other again; "
                "for a second device, make a home of its own with 'capsa recover'.",
            )

    # --- this node, asked by a peer

    def answer(self, message: Duplicate) -> Present:
        """A peer says that there is a second process with our key: say that we are there; believe it if it is proven.

        `ProtocolError` if it names ourselves, or a proof that is none.
        """
        if message.boot == self._boot:
            raise ProtocolError("A peer took this process for its own duplicate.")
        if message.proof:
            try:
                verify_presence(
                    self._config.node,
                    self._config.network,
                    boot=message.boot,
                    other=self._boot,
                    proof=message.proof,
                )
            except SignatureError:
                raise ProtocolError("A peer told of a duplicate of this node that there is no proof of.") from None
            if not self.found:
                _log.error("another process runs with a copy of this home: this node stores nothing new")
            self.found = True
        return Present(prove_presence(self._config.device, self._config.network, boot=self._boot, other=message.boot))

    # --- peers, watched by this node

    def suspect(self, old: Session, new: Session) -> None:
        """A session with another boot id took the place of `old`, which is ended here, sooner or later."""
        assert old.hello is not None and new.hello is not None
        node = new.peer.node
        if frozenset((old.hello.boot, new.hello.boot)) in self._proven:
            self._keep_beside(node, old)
        elif node in self._asked:
            old.abort()
        else:
            self._asked.add(node)
            self._suspects.put_nowait((old, new))

    async def run(self) -> None:
        """Ask those who may be duplicates, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._settle(*await self._suspects.get()))

    async def _settle(self, old: Session, new: Session) -> None:
        node = new.peer.node
        try:
            await self._confront(node, old, new)
            self._keep_beside(node, old)
        except CapsaError as error:  # it was a restart, as a rule
            _log.debug("node %s has no duplicate: %s", node.hex()[:8], error.message)
            old.abort()
        finally:
            self._asked.discard(node)

    def _keep_beside(self, node: NodeId, old: Session) -> None:
        """Whoever loses its session dials at once, and would take the other's in turn, several times a second."""
        if node in self._beside:
            self._beside[node].retire()
        self._beside[node] = old
        asyncio.get_running_loop().call_later(BESIDE_SECONDS, old.retire)

    async def _confront(self, node: NodeId, old: Session, new: Session) -> None:
        """Tell each of the other, with its proof. Raises if either does not answer: whoever is dead proves nothing."""
        assert old.hello is not None and new.hello is not None
        first = await self._ask(old, new.hello.boot, b"")
        second = await self._ask(new, old.hello.boot, first)
        await self._ask(old, new.hello.boot, second)
        _log.warning("node %s runs twice, with one device key: both were told", node.hex()[:8])
        self._proven[frozenset((old.hello.boot, new.hello.boot))] = None
        while len(self._proven) > _PAIRS_MAX:
            del self._proven[next(iter(self._proven))]

    async def _ask(self, session: Session, other: bytes, proof: bytes) -> bytes:
        assert session.hello is not None
        reply = await session.call(Duplicate(other, proof), timeout=ANSWER_SECONDS)
        if not isinstance(reply.body, Present):
            raise ProtocolError("A node was asked whether it runs twice, and answered with something else.")
        verify_presence(
            session.peer.node, self._config.network, boot=session.hello.boot, other=other, proof=reply.body.proof
        )
        return reply.body.proof
