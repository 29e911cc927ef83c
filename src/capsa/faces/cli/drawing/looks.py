"""Looks at a running node: what `top` shows, and the rates that only two looks together tell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capsa.client.link import HomeLink
from capsa.core.ids import NodeId, format_id
from capsa.core.inquiries import (
    NodeTransfers,
    PeerLine,
    Peers,
    PeersTold,
    ShortLine,
    Status,
    StatusTold,
    Transfers,
    TransfersTold,
    Unfinished,
    UnfinishedTold,
)
from capsa.errors import DeadlineError
from capsa.faces.cli.commands.network import in_order, judge_health
from capsa.faces.cli.drawing.meters import Meter
from capsa.faces.cli.output import Json
from capsa.faces.cli.quantities import rfc3339

_PATIENCE_SECONDS: Final = 5.0
"""Within which a node answers a look, or is said not to."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of blocks that came from a node and went to it, of our puts and its, since our node started.

    The rates, bytes a second, are None at the first look.
    """

    received: int = 0
    sent: int = 0
    receiving: float | None = None
    sending: float | None = None
    copies: int = 0
    """Blocks of this home's own puts that it has from us."""
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """The network and this node at one moment."""

    at: float
    node: bytes
    peers: tuple[PeerLine, ...]
    status: StatusTold
    short: tuple[ShortLine, ...]
    refilling: bool
    traffic: dict[NodeId, Traffic]
    disk_free: int
    disk_size: int

    @property
    def health(self) -> tuple[str, list[str]]:
        """One word, and what is amiss."""
        return judge_health(self.status)

    def of(self, node: bytes) -> Traffic:
        """What was exchanged with one node."""
        return self.traffic.get(NodeId(node), Traffic())


class Observer:
    """Looks at the node behind a link; `clock` tells the time of day, `steady` seconds that never go back."""

    def __init__(
        self, link: HomeLink, node: bytes, root: Path, *, clock: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        self._link = link
        self._node = node
        self._root = root
        self._clock = clock
        self._steady = steady
        self._meters: dict[NodeId, tuple[Meter, Meter]] = {}
        self._looked = False

    async def look(self) -> Look:
        """Raises `UnreachableError` if the node does not answer at all, or not soon."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                status = await self._link.ask(Status(), StatusTold)
                peers = in_order((await self._link.ask(Peers(), PeersTold)).nodes)
                unfinished = await self._link.ask(Unfinished(), UnfinishedTold)
                transfers = (await self._link.ask(Transfers(), TransfersTold)).nodes
        except TimeoutError:
            raise DeadlineError("The home's node does not answer.") from None
        now = self._steady()
        told = {line.node: line for line in transfers}
        traffic = {NodeId(line.node): self._traffic(now, told.get(line.node) or _nothing(line.node)) for line in peers}
        self._looked = True
        disk = os.statvfs(self._root)
        return Look(
            at=self._clock(),
            node=self._node,
            peers=tuple(peers),
            status=status,
            short=unfinished.short,
            refilling=unfinished.refilling,
            traffic=traffic,
            disk_free=disk.f_bavail * disk.f_frsize,
            disk_size=disk.f_blocks * disk.f_frsize,
        )

    def _traffic(self, now: float, line: NodeTransfers) -> Traffic:
        node = NodeId(line.node)
        received, sent = line.taken_size + line.fetched_size, line.copies_size + line.served_size
        if node == self._node:
            received = sent = 0  # what it keeps itself went nowhere
        if node not in self._meters:
            first = (0, 0) if self._looked else (received, sent)  # a node that is new since then began with nothing
            self._meters[node] = (Meter(first[0]), Meter(first[1]))
        receiving, sending = self._meters[node]
        receiving.note(now, received)
        sending.note(now, sent)
        return Traffic(
            received,
            sent,
            receiving.rate if self._looked else None,
            sending.rate if self._looked else None,
            line.copies,
            line.under_way,
        )


def _nothing(node: bytes) -> NodeTransfers:
    """Of a node that nothing was exchanged with yet."""
    return NodeTransfers(node, 0, 0, 0, 0, 0, 0, 0, 0)


def look_as_json(look: Look) -> Json:
    """A look, as `top --json` prints it."""
    health, reasons = look.health
    status = look.status
    return {
        "as_of": rfc3339(look.at),
        "running": True,
        "node": format_id(look.node),
        "health": health,
        "reasons": reasons,
        "blocks": status.blocks,
        "bytes": status.size_bytes,
        "disk": {"free": look.disk_free, "size": look.disk_size},
        "underreplicated": status.underreplicated,
        "short": [{"durable": line.durable, "wanted": line.wanted, "claims": line.claims} for line in look.short],
        "refilling": look.refilling,
        "nodes": [_node_as_json(look, line) for line in look.peers],
    }


def _node_as_json(look: Look, line: PeerLine) -> Json:
    traffic = look.of(line.node)
    return {
        "node": format_id(line.node),
        "name": line.name,
        "zone": line.zone,
        "state": line.state,
        "seen": rfc3339(look.at - line.seen_seconds_ago) if line.seen_seconds_ago >= 0 else None,
        "free": line.free,
        "capacity": line.capacity,
        "received": traffic.received,
        "sent": traffic.sent,
        "receiving_per_second": None if traffic.receiving is None else round(traffic.receiving),
        "sending_per_second": None if traffic.sending is None else round(traffic.sending),
        "copies": traffic.copies,
        "under_way": traffic.under_way,
    }
