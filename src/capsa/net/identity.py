"""Who is at the other end of a session, and how it proves that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from capsa.core.ids import ID_SIZE, NodeId, OwnerId
from capsa.core.keys import DeviceKey, Label, length_prefixed, verify
from capsa.errors import NotMemberError, SignatureError

PROOF_SIZE_MAX: Final = 48 * 1024
"""The most that a side may prove itself with, in bytes: it must fit one handshake message."""


class Role(StrEnum):
    """Who began the handshake."""

    INITIATOR = "initiator"
    RESPONDER = "responder"

    @property
    def other(self) -> Role:
        return Role.RESPONDER if self is Role.INITIATOR else Role.INITIATOR


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end, proven."""

    node: NodeId
    owner: OwnerId | None
    admitted: bool
    """False: a joiner, whose session serves admission only."""


LOCAL: Final = Peer(NodeId(b""), None, admitted=True)
"""The other end of a control channel: a process of the same user on this machine."""


class Authenticator(Protocol):
    """What a side knows of the network and of itself. Both methods return at once."""

    @property
    def node(self) -> NodeId:
        """Our own node id."""
        ...

    @property
    def network(self) -> bytes:
        """The network's id, bound into every handshake."""
        ...

    @property
    def secret(self) -> bytes:
        """The network's secret, 32 bytes: it hides the network, it authorises nobody."""
        ...

    def prove(self, role: Role, static_public: bytes) -> bytes:
        """Our proof for this process's static key: at most `PROOF_SIZE_MAX` bytes."""
        ...

    def check(self, role: Role, static_public: bytes, payload: bytes) -> Peer:
        """Who the other side, in `role` and with that static key, is; raises `NotMemberError`."""
        ...


def session_message(network: bytes, role: Role, static_public: bytes) -> bytes:
    """What a device signs in a handshake: its static key, for this network and role alone."""
    return length_prefixed(Label.SIGN_SESSION.encode(), network, role.encode(), static_public)


class SharedSecret:
    """The simplest `Authenticator`: whoever knows the secret is a member, named by its device key."""

    def __init__(self, key: DeviceKey, network: bytes, secret: bytes) -> None:
        self._key = key
        self._network = network
        self._secret = secret

    @property
    def node(self) -> NodeId:
        return self._key.node

    @property
    def network(self) -> bytes:
        return self._network

    @property
    def secret(self) -> bytes:
        return self._secret

    def prove(self, role: Role, static_public: bytes) -> bytes:
        return self._key.public + self._key.sign(session_message(self._network, role, static_public))

    def check(self, role: Role, static_public: bytes, payload: bytes) -> Peer:
        public, signature = payload[:ID_SIZE], payload[ID_SIZE:]
        try:
            verify(public, session_message(self._network, role, static_public), signature)
        except SignatureError:
            raise NotMemberError("The other side could not prove its device key.") from None
        return Peer(NodeId(public), None, admitted=True)
