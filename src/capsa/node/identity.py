"""How a node proves in a handshake that it belongs to the network, and judges the proof of the other side."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from capsa.core.encoding import decode, encode
from capsa.core.ids import NodeId, OwnerId
from capsa.core.joining import judge_joiner
from capsa.core.keys import DeviceKey, verify
from capsa.core.signing import Signed, decode_signed, encode_signed
from capsa.core.statements import Certificate, Hash32, read_statement, verify_statement
from capsa.core.trust import PROOF_STATEMENTS_MAX, Roster
from capsa.errors import IntegrityError, NotMemberError
from capsa.net.identity import PROOF_SIZE_MAX, Peer, Role, session_message
from capsa.node.membership import Members
from capsa.node.settings import NodeConfig
from capsa.seams import Clock


class _Proof(msgspec.Struct, frozen=True, array_like=True):
    """The device, its signature of the session, and the statements that make it a member's (or a joiner's)."""

    device: Hash32
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    statements: Annotated[tuple[bytes, ...], Meta(max_length=PROOF_STATEMENTS_MAX)]


class Identity:
    """The `Authenticator` of a node."""

    def __init__(self, config: NodeConfig, members: Members, clock: Clock) -> None:
        self._device: DeviceKey = config.device
        self._config = config
        self._members = members
        self._clock = clock

    @property
    def node(self) -> NodeId:
        return self._config.node

    @property
    def network(self) -> bytes:
        return self._config.network

    @property
    def secret(self) -> bytes:
        return self._config.secret

    def prove(self, role: Role, static_public: bytes) -> bytes:
        """Our membership, or, before we are admitted, what entitles us to be."""
        signature = self._device.sign(session_message(self.network, role, static_public))
        if self._members.admitted:
            statements = [encode_signed(signed) for signed in self._members.roster.proof(self.node)]
        else:
            statements = self._members.joiner_papers()
        return encode(_Proof(self.node, signature, tuple(statements)))

    def check(self, role: Role, static_public: bytes, payload: bytes) -> Peer:
        """Who the other side is; `NotMemberError` unless it is a member's device, or a joiner who dialled us.

        A device that its owner certified since the loss of all others is let in on that certificate alone.
        """
        try:
            proof = decode(_Proof, payload, size_max=PROOF_SIZE_MAX)
            verify(proof.device, session_message(self.network, role, static_public), proof.signature)
            return self._judge(role, NodeId(proof.device), proof.statements)
        except IntegrityError as error:
            raise NotMemberError(f"The other side could not prove itself: {error.message}") from None

    def _judge(self, role: Role, node: NodeId, blobs: tuple[bytes, ...]) -> Peer:
        owner = self._members.roster.owner_of(node)
        if owner is not None:
            return Peer(node, owner, admitted=True)
        statements = [self._verified(blob) for blob in blobs]
        if self._holds_alone(node, statements):
            supposed = Roster.evaluate(self._config.network, (*self._members.roster.statements, *statements))
            owner = supposed.owner_of(node)
            if owner is None:
                raise NotMemberError("The other side is a member no more.")
            self._members.learn_soon(blobs)
            return Peer(node, owner, admitted=True)
        if role is not Role.INITIATOR or not self._members.admitted:
            raise NotMemberError("The other side is no member of the network.")
        owner = self._certifier(node, statements)
        if owner is not None:
            self._members.learn_soon(blobs)
            return Peer(node, owner, admitted=True)
        request = judge_joiner(self._members.roster, statements, int(self._clock.now()), admitter=self._config.node)
        if request.node != node:
            raise NotMemberError("A joiner's certificate is for another device.")
        return Peer(node, request.owner, admitted=False)

    def _holds_alone(self, node: NodeId, statements: list[Signed]) -> bool:
        """Whether these make the device a member's as far as they know.

        A member's proof does. All that is known here, revocations above all, may only then have its say: to evaluate
        it costs much more, and whoever knows the network's secret can make us look at a proof.
        """
        try:
            return Roster.evaluate(self._config.network, statements).owner_of(node) is not None
        except NotMemberError:  # the founding is missing
            return False

    def _certifier(self, node: NodeId, statements: list[Signed]) -> OwnerId | None:
        """The member who says with one certificate, and nothing else, that a device unknown so far is its own.

        So comes who lost all devices and has only the recovery phrase: how its owner was admitted it cannot show, but
        we know. A device that was revoked is known, and stays out.
        """
        if len(statements) != 1 or self._members.roster.was_admitted(node):
            return None
        body = read_statement(statements[0])
        signer = OwnerId(statements[0].signer)
        if not isinstance(body, Certificate) or body.device != node or not self._members.roster.is_member(signer):
            return None
        return Roster.evaluate(self._config.network, (*self._members.roster.statements, *statements)).owner_of(node)

    def _verified(self, blob: bytes) -> Signed:
        signed = decode_signed(blob)
        verify_statement(signed, self._config.network)
        return signed
