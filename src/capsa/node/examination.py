"""What `capsa doctor` asks a node for: clocks of peers, where the node is found, and who answers where."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final

from capsa.core import inquiries as q
from capsa.core.ids import NodeId
from capsa.errors import CapsaError, LostConnectionError, UnreachableError
from capsa.net.pool import OwnAddressError, Pool
from capsa.net.session import Session
from capsa.node.duplicates import Duplicates
from capsa.node.membership import Members
from capsa.node.serving import Answer
from capsa.node.settings import NodeConfig
from capsa.seams import Clock

PROBE_SECONDS: Final = 3.0
"""How long somebody at an address may take to prove who it is."""


class Examiner:
    """Remembers what peers' greetings say of our clock, and answers the home's doctor."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        pool: Pool,
        members: Members,
        duplicates: Duplicates,
        clock: Clock,
        listening: Callable[[], Sequence[str]],
        advertised: Callable[[], Sequence[str]],
        used: Callable[[], int],
    ) -> None:
        self._config = config
        self._pool = pool
        self._members = members
        self._duplicates = duplicates
        self._clock = clock
        self._listening = listening
        self._advertised = advertised
        self._used = used
        self._ahead: dict[NodeId, float] = {}

    def met(self, session: Session) -> None:
        """A member has said hello: by how many seconds its clock is ahead of ours, less what the hello took."""
        if session.hello is not None and session.peer.admitted and math.isfinite(session.hello.clock):
            self._ahead[session.peer.node] = session.hello.clock - self._clock.now()

    async def examine(self, session: Session, message: q.Examine, payload: memoryview) -> Answer:
        """Everything at once, as it stands."""
        roster = self._members.roster
        self._ahead = {node: ahead for node, ahead in self._ahead.items() if roster.owner_of(node) is not None}
        return q.Examined(
            listening=tuple(self._listening())[:16],
            advertised=tuple(self._advertised())[:16],
            clocks_ahead=tuple(self._ahead.values())[:1024],
            duplicate=self._duplicates.found,
            capacity=self._config.capacity,
            used=self._used(),
            copies=roster.founding.copies,
            owners=len({roster.owner_of(node) for node in (self._config.node, *self._members.others())} - {None}),
        ), ()

    async def probe(self, session: Session, message: q.Probe, payload: memoryview) -> Answer:
        """Dial an address, and say who answers there."""
        outcome, detail = await self._dial(message.address, NodeId(message.node))
        return q.Probed(outcome, detail[:1024]), ()

    async def _dial(self, address: str, node: NodeId) -> tuple[str, str]:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._pool.dial(address, expect=node)
        except TimeoutError:
            return "silent", f"Nobody answers there within {PROBE_SECONDS:g} seconds."
        except OwnAddressError as error:
            return "expected" if node == self._config.node else "other", error.message
        except LostConnectionError as error:  # somebody answered, and hung up on us
            return "other", error.message
        except UnreachableError as error:
            return "silent", error.message
        except CapsaError as error:
            return "other", error.message
        return "expected", ""
