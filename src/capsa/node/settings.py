"""Intervals and bounds of a node, in one place, so that tests and the simulated world can shorten them."""

from __future__ import annotations

from dataclasses import dataclass, field

from capsa.core.ids import NetworkId, NodeId, OwnerId
from capsa.core.keys import DeviceKey
from capsa.stores.log import SEGMENT_SIZE


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds."""

    tick: float = 0.5
    """Between looks at the membership table."""
    sync: float = 5.0
    """Between exchanges of peer lists with a random connected peer."""
    dial_retry: float = 1.0
    """Before an address that did not answer is tried again; doubles up to `dial_retry_max`."""
    dial_retry_max: float = 30.0
    settle: float = 10.0
    """Between attempts to complete what is short of copies, when no event brings one about."""
    transfer: float = 30.0
    """For one request that carries blocks."""
    ask: float = 10.0
    """For one small request."""
    hedge: float = 2.0
    """Before a holder that stays silent is joined by the next."""
    announce: float = 60.0
    """Between looks at whether this node's record is still true."""
    pending: float = 7 * 24 * 3600.0
    """After which a put that was never finished is released."""


@dataclass(frozen=True, slots=True, repr=False)
class NodeConfig:
    """What one node is told at start. `serving` is false for a command that runs without `up`."""

    network: NetworkId
    secret: bytes
    device: DeviceKey
    owner: OwnerId
    name: str = ""
    listen: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("127.0.0.1",)
    """What to tell others where an address to listen on names all interfaces."""
    advertise: tuple[str, ...] | None = None
    """What to tell others in place of all addresses listened on: a router's port, a public name; empty for none."""
    bootstrap: tuple[str, ...] = ()
    """Addresses of members: those given now, and those that the home was made with."""
    capacity: int = 0
    zone: str = ""
    serving: bool = True
    control: str | None = None
    papers: tuple[bytes, ...] = ()
    segment_size: int = SEGMENT_SIZE
    timing: Timing = field(default_factory=Timing)

    @property
    def node(self) -> NodeId:
        return self.device.node

    @property
    def dialable(self) -> bool:
        """Whether others are told where to dial; a node that cannot be dialled keeps its sessions open itself."""
        return bool(self.listen if self.advertise is None else self.advertise)
