"""A cast of owners with one device each, and the statements with which they bring each other in."""

from __future__ import annotations

from blake3 import blake3

from capsa.core.ids import NetworkId, NodeId, OwnerId
from capsa.core.keys import DeviceKey, Ed25519Key
from capsa.core.signing import Signed
from capsa.core.statements import admit, certify, digest, found, invite, join, network_id, revoke
from capsa.core.trust import Roster

NOW = 1_800_000_000


def seed(name: str) -> bytes:
    return blake3(name.encode()).digest()


class Cast:
    """Everybody is known by a name; the founder is there from the beginning."""

    def __init__(self, founder: str = "founder", *, members_invite: bool = True) -> None:
        self.founder = founder
        founding = found(
            self.key(founder), nonce=bytes(16), created=NOW, name=founder, copies=3, members_invite=members_invite
        )
        self.network: NetworkId = network_id(founding)
        self.founding = founding
        self.statements: list[Signed] = [founding, self.certificate(founder)]

    def key(self, name: str) -> Ed25519Key:
        return Ed25519Key(seed(f"owner {name}"))

    def device(self, name: str) -> DeviceKey:
        return DeviceKey(seed(f"device {name}"))

    def owner(self, name: str) -> OwnerId:
        return OwnerId(self.key(name).public)

    def node(self, name: str) -> NodeId:
        return self.device(name).node

    def one_time(self, inviter: str, joiner: str) -> Ed25519Key:
        return Ed25519Key(seed(f"invite {inviter} {joiner}"))

    def certificate(self, name: str) -> Signed:
        return certify(self.key(name), self.device(name), self.network, created=NOW)

    def invite(self, inviter: str, joiner: str, *, expires: int = 0, may_invite: bool = True) -> Signed:
        one_time = self.one_time(inviter, joiner).public
        return invite(
            self.key(inviter), self.network, one_time=one_time, created=NOW, expires=expires, may_invite=may_invite
        )

    def join(self, inviter: str, joiner: str, *, invited_as: str | None = None) -> Signed:
        """The join grant of `joiner`, who may be somebody else than the invite was meant for."""
        one_time = self.one_time(inviter, invited_as or joiner)
        return join(one_time, self.key(joiner), self.network, created=NOW, name=joiner)

    def admission(self, admitter: str, joined: Signed, joiner: str, *, admitted: int = NOW) -> Signed:
        return admit(
            self.device(admitter),
            self.network,
            join_digest=digest(joined),
            owner=self.owner(joiner),
            admitted=admitted,
        )

    def bring(self, inviter: str, joiner: str, *, admitter: str | None = None, may_invite: bool = True) -> list[Signed]:
        """Everything that makes `joiner` a member; added to the statements, and returned: invite, join, …"""
        joined = self.join(inviter, joiner)
        added = [
            self.invite(inviter, joiner, may_invite=may_invite),
            joined,
            self.certificate(joiner),
            self.admission(admitter or inviter, joined, joiner),
        ]
        self.statements += added
        return added

    def revoke(self, by: str, subject: bytes, *, keeps: tuple[bytes, ...] = (), created: int = NOW) -> Signed:
        revoked = revoke(self.key(by), self.network, subject=subject, created=created, keeps=keeps)
        self.statements.append(revoked)
        return revoked

    def roster(self) -> Roster:
        return Roster.evaluate(self.network, self.statements)

    def members(self) -> str:
        """The members' own names, sorted, in one string."""
        roster = self.roster()
        return " ".join(sorted(roster.name_of(owner) for owner in roster.members))
