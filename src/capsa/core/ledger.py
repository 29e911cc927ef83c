"""The statements of one network, sorted by what they say, and which revocations bear on what.

All of this follows from the statements alone; who is a member because of it is derived in `capsa.core.trust`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from capsa.core.ids import NetworkId, NodeId, OwnerId
from capsa.core.signing import Signed
from capsa.core.statements import (
    Admission,
    Body,
    Certificate,
    Founding,
    Grant,
    Revocation,
    digest,
    read_statement,
)
from capsa.errors import NotMemberError

B = TypeVar("B", bound=Body)

Scope: TypeAlias = frozenset[bytes] | None
"""Which of somebody's statements count, by digest; None: all of them."""


@dataclass(frozen=True, slots=True)
class Said(Generic[B]):
    """A body, the digest of its statement, and who signed it."""

    digest: bytes
    signer: bytes
    body: B


@dataclass(frozen=True, slots=True)
class Ledger:
    """An index; every list is in the order of digests, so that nothing depends on the order of arrival."""

    network: NetworkId
    signed: Mapping[bytes, Signed]
    founding: Said[Founding]
    invites: Mapping[bytes, list[Said[Grant]]]
    """By one-time key."""
    joins: list[Said[Grant]]
    admissions: Mapping[bytes, list[Said[Admission]]]
    """By the digest of the join grant."""
    certificates: Mapping[NodeId, list[Said[Certificate]]]
    """By device."""
    revocations: Mapping[tuple[bytes, bytes], Said[Revocation]]
    """By signer and subject: the newest one that counts."""

    @classmethod
    def read(cls, network: NetworkId, statements: Iterable[Signed]) -> Ledger:
        """Sort statements that have been verified; `NotMemberError` if the founding is not among them."""
        signed = {digest(statement): statement for statement in statements}
        founding: Said[Founding] | None = None
        invites: defaultdict[bytes, list[Said[Grant]]] = defaultdict(list)
        joins: list[Said[Grant]] = []
        admissions: defaultdict[bytes, list[Said[Admission]]] = defaultdict(list)
        certificates: defaultdict[NodeId, list[Said[Certificate]]] = defaultdict(list)
        revocations: list[Said[Revocation]] = []
        for name in sorted(signed):
            signer = signed[name].signer
            match read_statement(signed[name]):
                case Founding() as body if name == network:
                    founding = Said(name, signer, body)
                case Grant(one_time=True) as body:
                    invites[body.subject].append(Said(name, signer, body))
                case Grant() as body:
                    joins.append(Said(name, signer, body))
                case Admission() as body:
                    admissions[body.grant].append(Said(name, signer, body))
                case Certificate() as body:
                    certificates[NodeId(body.device)].append(Said(name, signer, body))
                case Revocation() as body:
                    revocations.append(Said(name, signer, body))
                case _:
                    pass  # a kind of a later version: kept and passed on, not understood
        if founding is None:
            raise NotMemberError("The founding statement of the network is missing.", "Ask for a new contact card.")
        bearing = _newest(revocations, founding.signer)
        return cls(network, signed, founding, invites, joins, admissions, certificates, bearing)

    @property
    def founder(self) -> OwnerId:
        return OwnerId(self.founding.signer)

    def owner_scope(self, inviter: bytes, owner: bytes) -> Scope:
        """What an owner that `inviter` brought in may still say on the strength of that invite."""
        bearing = self.revocations.get((self.founder, owner)) or self.revocations.get((inviter, owner))
        return None if bearing is None else frozenset(bearing.body.keeps)

    def device_scope(self, owner: bytes, device: bytes) -> Scope:
        """Which admissions by a device count, as far as the owner that certified it is concerned."""
        bearing = self.revocations.get((owner, device))
        return None if bearing is None else frozenset(bearing.body.keeps)


def _newest(revocations: list[Said[Revocation]], founder: bytes) -> dict[tuple[bytes, bytes], Said[Revocation]]:
    """The newest revocation of each signer and subject, without those of owners that the founder has put out.

    The latter count only if the founder kept them: else an owner that is out could take those it brought in along.
    """
    newest: dict[tuple[bytes, bytes], Said[Revocation]] = {}
    for said in sorted(revocations, key=lambda said: (said.signer != founder, said.body.created, said.digest)):
        verdict = newest.get((founder, said.signer))
        if said.body.subject != founder and (verdict is None or said.digest in verdict.body.keeps):
            newest[said.signer, said.body.subject] = said
    return newest
