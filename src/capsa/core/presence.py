"""Presence: how a process proves that it is there to another one with the same device key.

A home that was copied while it ran makes two processes with one device key. Each has a boot id, 16 random bytes. A
proof of presence is the device's signature over the boot id of the process that makes it and that of the other, which
nobody could know before that other began: so a proof is never older than whoever it is shown to, and what was signed
before a restart says nothing after it. Only who holds the device key can make one, whatever a peer claims.
"""

from __future__ import annotations

from capsa.core.ids import NetworkId, NodeId
from capsa.core.keys import Label, SigningKey, length_prefixed, verify


def prove_presence(device: SigningKey, network: NetworkId, *, boot: bytes, other: bytes) -> bytes:
    """The process with this `boot` id was told of the `other`, and answers: a signature, 64 bytes."""
    return device.sign(_message(network, boot, other))


def verify_presence(node: NodeId, network: NetworkId, *, boot: bytes, other: bytes, proof: bytes) -> None:
    """Raise `SignatureError` unless the process with this `boot` id and the node's device key was told of `other`."""
    verify(node, _message(network, boot, other), proof)


def _message(network: NetworkId, boot: bytes, other: bytes) -> bytes:
    return length_prefixed(Label.SIGN_PRESENCE.encode(), network, boot, other)
