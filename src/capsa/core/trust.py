"""What a set of statements adds up to: who is a member, and which devices are theirs.

`Roster.evaluate` is a pure function of the *set*: order and repeats do not matter, nor does any clock. It is the
least fixpoint of monotone rules. Revocations are negative, but whether one bears depends on statements alone
(`capsa.core.ledger`) and never on who is a member, so no cycle of revocations leaves the outcome to a choice:

* the founder's bears on any owner, and the founder's newest decides what stays;
* an inviter's takes back its own grants to that owner; an owner invited by two is out when both have done so;
* an owner's bears on a device that it certified.

Who is out vouches no more: its grants, its devices' admissions (and, put out by the founder, its revocations)
count only where the revocation keeps them. Otherwise one could readmit oneself with one's old invite.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from capsa.core.ids import NetworkId, NodeId, OwnerId
from capsa.core.ledger import Ledger, Said, Scope
from capsa.core.signing import Signed
from capsa.core.statements import Admission, Certificate, Founding, Grant, digest, read_statement
from capsa.errors import NotMemberError

CHAIN_DEPTH_MAX: Final = 8
PROOF_STATEMENTS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Alarm:
    """One invite brought in several owners; all of them stand until somebody revokes."""

    inviters: tuple[OwnerId, ...]
    owners: tuple[OwnerId, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Standing:
    """One way in which an owner came in, and what it may say on the strength of that."""

    owner: OwnerId
    depth: int
    invites: bool
    scope: Scope
    statements: tuple[bytes, ...]
    parents: tuple[_Standing, ...] = ()

    def covers(self, statement: bytes) -> bool:
        return self.scope is None or statement in self.scope


@dataclass(frozen=True, slots=True)
class _Entry:
    """A join that counts: its invite, its admission, and those who vouch for either."""

    invite: Said[Grant]
    join: Said[Grant]
    admission: Said[Admission]
    certificate: Said[Certificate]
    inviter: _Standing
    admitter: _Standing

    @property
    def rank(self) -> tuple[int, bool, int, bytes, bytes]:
        """Lower is preferred: short chains, and admitters that are in the chain anyway, make short proofs."""
        elsewhere = self.admitter.owner != self.inviter.owner
        return (self.inviter.depth, elsewhere, self.admitter.depth, self.admission.digest, self.invite.digest)


_Standings: TypeAlias = dict[OwnerId, dict[tuple[Scope, bool], _Standing]]
"""By owner, then by what may be said and whether that includes inviting: the shortest chain to it."""


class Roster:
    """The members of a network and their devices, as one set of statements has them. Immutable."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._standings = _derive(ledger)
        self._full: dict[OwnerId, _Standing] = {}
        self._devices: dict[NodeId, Said[Certificate]] = {}
        self._names: dict[OwnerId, tuple[int, str]] = {self.founder: (self.founding.created, self.founding.name)}
        self._works: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._users: defaultdict[bytes, set[OwnerId]] = defaultdict(set)
        self._settle()
        self.alarms: tuple[Alarm, ...] = tuple(self._find_alarms())

    @classmethod
    def evaluate(cls, network: NetworkId, statements: Iterable[Signed]) -> Roster:
        """The roster of statements that have passed `verify_statement`.

        Raises `NotMemberError` if the network's founding is not among them.
        """
        return cls(Ledger.read(network, statements))

    @property
    def network(self) -> NetworkId:
        return self._ledger.network

    @property
    def founding(self) -> Founding:
        return self._ledger.founding.body

    @property
    def founder(self) -> OwnerId:
        return self._ledger.founder

    @property
    def statements(self) -> tuple[Signed, ...]:
        """All statements, those without effect and of unknown kinds too, in the order of their digests."""
        return tuple(self._ledger.signed.values())

    @property
    def members(self) -> frozenset[OwnerId]:
        """The owners that are members now."""
        return frozenset(self._full)

    @property
    def nodes(self) -> Mapping[NodeId, OwnerId]:
        """The devices of members, and whose they are."""
        return {node: OwnerId(certificate.signer) for node, certificate in self._devices.items()}

    def is_member(self, owner: OwnerId) -> bool:
        return owner in self._full

    def owner_of(self, node: NodeId) -> OwnerId | None:
        """The member whose device this is; None if it was never certified, or it or its owner is revoked."""
        certificate = self._devices.get(node)
        return None if certificate is None else OwnerId(certificate.signer)

    def was_admitted(self, node: NodeId) -> bool:
        """Whether this is or once was a device of a member; one that was and has no `owner_of` is revoked."""
        return any(OwnerId(said.signer) in self._standings for said in self._ledger.certificates.get(node, ()))

    def vouches_for(self, signer: bytes) -> bool:
        """Whether a member or a member's device signs with this key: what else it says is kept and passed on."""
        return OwnerId(signer) in self._full or NodeId(signer) in self._devices

    def name_of(self, owner: OwnerId) -> str:
        """What an owner, a revoked one too, last called itself; empty for a stranger."""
        return self._names.get(owner, (0, ""))[1]

    def lets_in(self, invite: Signed) -> bool:
        """Whether an invite, known here or not, counts by what its signer may say; who admits on it is not asked."""
        body = read_statement(invite)
        said = Said(digest(invite), invite.signer, body) if isinstance(body, Grant) and body.one_time else None
        return said is not None and _inviter(self._ledger, said, self._standings) is not None

    def may_know(self, owner: OwnerId, join_digest: bytes) -> bool:
        """Whether an owner is a member, or was admitted on this join grant: a certificate may be all that lacks."""
        return owner in self._full or join_digest in self._ledger.admissions

    def users_of(self, one_time: bytes) -> frozenset[OwnerId]:
        """The owners, revoked ones too, that a device of a present or past member admitted on a one-time key."""
        return frozenset(self._users.get(one_time, ()))

    def works_of(self, subject: bytes) -> tuple[bytes, ...]:
        """What a revocation of this owner or device would have to keep so that nobody else loses anything.

        Digests of its invites and admissions that count now, and of an owner's revocations.
        """
        return tuple(sorted(self._works.get(subject, ())))

    def proof(self, node: NodeId) -> tuple[Signed, ...]:
        """Statements that show who knows only the network's id that this device is a member's.

        At most `PROOF_STATEMENTS_MAX`, always in the same order, each after those it rests on. Raises
        `NotMemberError` if the device is not a member's, or if its chain of admissions is too long to show.
        """
        certificate = self._devices.get(node)
        if certificate is None:
            raise NotMemberError("This device does not belong to a member.")
        digests = _closure(self._full[OwnerId(certificate.signer)]) | {certificate.digest: None}
        if len(digests) > PROOF_STATEMENTS_MAX:
            raise NotMemberError(
                "The chain of admissions behind this device is too long.", "Have it admitted by the founder's node."
            )
        return tuple(self._ledger.signed[digest] for digest in digests)

    def _settle(self) -> None:
        for owner, standings in self._standings.items():
            full = [standing for standing in standings.values() if standing.scope is None]
            if full:
                self._full[owner] = min(full, key=lambda each: (each.depth, not each.invites))
        for node, certificates in self._ledger.certificates.items():
            for said in certificates:
                if OwnerId(said.signer) in self._full and self._ledger.device_scope(said.signer, node) is None:
                    self._devices.setdefault(node, said)
        for join in self._ledger.joins:
            joiner = OwnerId(join.body.subject)
            if any(self.was_admitted(NodeId(each.signer)) for each in self._ledger.admissions.get(join.digest, ())):
                self._users[join.signer].add(joiner)
            for entry in _entries(self._ledger, join, self._standings):
                self._names[joiner] = max(self._names.get(joiner, (0, "")), (join.body.created, join.body.name))
                self._works[entry.invite.signer].add(entry.invite.digest)
                self._works[entry.admission.signer].add(entry.admission.digest)
                self._works[entry.certificate.signer].add(entry.admission.digest)
        for (signer, _), revocation in self._ledger.revocations.items():
            self._works[signer].add(revocation.digest)

    def _find_alarms(self) -> Iterator[Alarm]:
        for one_time, invites in sorted(self._ledger.invites.items()):
            inviters = {OwnerId(said.signer) for said in invites} & self._standings.keys()
            owners = self.users_of(one_time)
            if inviters and len(owners) > 1:
                yield Alarm(tuple(sorted(inviters)), tuple(sorted(owners)))


def _derive(ledger: Ledger) -> _Standings:
    """The least fixpoint: rounds in which whoever came in or rose in the last one lets others in.

    A round reads only what earlier rounds found, so its outcome does not depend on the order within it.
    """
    founder = _Standing(ledger.founder, 0, True, None, (ledger.founding.digest,))
    standings: _Standings = {ledger.founder: {(None, True): founder}}
    dependents = _dependents(ledger)
    changed = {ledger.founder}
    while changed:
        touched = sorted({index for owner in changed for index in dependents.get(owner, ())})
        best: dict[tuple[OwnerId, Scope, bool], _Entry] = {}
        for index in touched:
            for entry in _entries(ledger, ledger.joins[index], standings):
                joiner = OwnerId(entry.join.body.subject)
                scope = ledger.owner_scope(entry.invite.signer, joiner)
                key = (joiner, scope, entry.invite.body.may_invite and entry.join.body.may_invite)
                if key not in best or entry.rank < best[key].rank:
                    best[key] = entry
        changed = set()
        for (joiner, scope, invites), entry in best.items():
            known = standings.setdefault(joiner, {})
            if (scope, invites) not in known or entry.inviter.depth + 1 < known[scope, invites].depth:
                known[scope, invites] = _standing(entry, scope, invites)
                changed.add(joiner)
    return standings


def _standing(entry: _Entry, scope: Scope, invites: bool) -> _Standing:
    statements = (entry.invite.digest, entry.join.digest, entry.certificate.digest, entry.admission.digest)
    parents = (entry.inviter, entry.admitter)
    owner = OwnerId(entry.join.body.subject)
    return _Standing(owner, entry.inviter.depth + 1, invites, scope, statements, parents)


def _dependents(ledger: Ledger) -> Mapping[OwnerId, set[int]]:
    """By owner: the joins (by index) in which it may have a say, as inviter or through a device."""
    dependents: defaultdict[OwnerId, set[int]] = defaultdict(set)
    for index, join in enumerate(ledger.joins):
        for invite in ledger.invites.get(join.signer, ()):
            dependents[OwnerId(invite.signer)].add(index)
        for admission in ledger.admissions.get(join.digest, ()):
            for certificate in ledger.certificates.get(NodeId(admission.signer), ()):
                dependents[OwnerId(certificate.signer)].add(index)
    return dependents


def _entries(ledger: Ledger, join: Said[Grant], standings: _Standings) -> Iterator[_Entry]:
    """All ways in which this join counts, given what is known of those who vouch for it."""
    if join.body.subject == ledger.founder:
        return
    for invite in ledger.invites.get(join.signer, ()):
        inviter = _inviter(ledger, invite, standings)
        for admission in ledger.admissions.get(join.digest, ()) if inviter else ():
            expires = (each for each in (invite.body.expires, join.body.expires) if each)
            if admission.body.owner != join.body.subject or any(admission.body.admitted > each for each in expires):
                continue
            for certificate, admitter in _admitters(ledger, admission, standings):
                assert inviter is not None
                yield _Entry(invite, join, admission, certificate, inviter, admitter)


def _inviter(ledger: Ledger, invite: Said[Grant], standings: _Standings) -> _Standing | None:
    """The inviter's shortest chain on whose strength this invite counts."""
    if invite.signer != ledger.founder and not ledger.founding.body.members_invite:
        return None
    able = (
        standing
        for standing in standings.get(OwnerId(invite.signer), {}).values()
        if standing.invites and standing.depth < CHAIN_DEPTH_MAX and standing.covers(invite.digest)
    )
    return min(able, key=lambda standing: standing.depth, default=None)


def _admitters(
    ledger: Ledger, admission: Said[Admission], standings: _Standings
) -> Iterator[tuple[Said[Certificate], _Standing]]:
    """Each owner whose device signed this admission, on whose strength it counts."""
    for certificate in ledger.certificates.get(NodeId(admission.signer), ()):
        kept = ledger.device_scope(certificate.signer, admission.signer)
        if kept is not None and admission.digest not in kept:
            continue
        able = (
            standing
            for standing in standings.get(OwnerId(certificate.signer), {}).values()
            if standing.covers(admission.digest)
        )
        admitter = min(able, key=lambda standing: standing.depth, default=None)
        if admitter is not None:
            yield certificate, admitter


def _closure(standing: _Standing) -> dict[bytes, None]:
    """Digests of all that a standing rests on, each once and after what it rests on itself."""
    digests: dict[bytes, None] = {}
    done: set[int] = set()
    stack = [(standing, False)]
    while stack:
        current, expanded = stack.pop()
        if expanded:
            digests |= dict.fromkeys(current.statements)
        elif id(current) not in done:
            done.add(id(current))
            stack.append((current, True))
            stack.extend((parent, False) for parent in reversed(current.parents))
    return digests
