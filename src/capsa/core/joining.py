"""Judging a joiner: whether what it brings would make it a member, were it admitted.

A joiner has a session that serves admission only, and sends its invite, its join grant and its device's
certificate. What happens next (countersigning, remembering that the invite is used) is the node's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from capsa.core.encoding import encode
from capsa.core.ids import NodeId, OwnerId
from capsa.core.signing import Signed
from capsa.core.statements import (
    KIND_ADMISSION,
    Admission,
    Body,
    Certificate,
    Grant,
    digest,
    read_statement,
    verify_statement,
)
from capsa.core.trust import Roster
from capsa.errors import FormatError, NotMemberError, RefusedError

JOINER_STATEMENTS_MAX: Final = 3

B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Who asks to be admitted, and on which join grant. `admitted`: they are in already, nothing is left to sign."""

    owner: OwnerId
    node: NodeId
    join_digest: bytes
    one_time: bytes
    admitted: bool


def judge_joiner(roster: Roster, statements: Sequence[Signed], now: int, *, admitter: NodeId) -> JoinRequest:
    """What the node `admitter` should admit at Unix time `now`; a repeat of what was admitted is found again.

    The statements come from a stranger and are verified here: exactly one invite, one join grant and one
    certificate, in any order. Raises `FormatError` or `SignatureError` if they are not what they claim to be,
    `NotMemberError` if they do not lead to membership, `RefusedError` if another owner used the invite or
    `admitter` cannot admit.
    """
    if len(statements) > JOINER_STATEMENTS_MAX:
        raise FormatError(f"A joiner brings more than {JOINER_STATEMENTS_MAX} statements.")
    for statement in statements:
        verify_statement(statement, roster.network)
    bodies = [(statement, read_statement(statement)) for statement in statements]
    grants = [(statement, body) for statement, body in bodies if isinstance(body, Grant)]
    invite_statement, invite = _only([(statement, body) for statement, body in grants if body.one_time])
    join_statement, join = _only([(statement, body) for statement, body in grants if not body.one_time])
    certified, certificate = _only([(statement, body) for statement, body in bodies if isinstance(body, Certificate)])
    owner, node = OwnerId(join.subject), NodeId(certificate.device)
    if join_statement.signer != invite.subject or certified.signer != owner:
        raise NotMemberError("The invite, the join and the device certificate do not belong together.")

    # A stranger who knows the network's secret may ask this: the whole roster is evaluated for nothing less than
    # an invite that counts.
    known = (*roster.statements, *statements)
    may_be_in = roster.may_know(owner, digest(join_statement))
    if may_be_in and Roster.evaluate(roster.network, known).owner_of(node) == owner:
        return JoinRequest(owner, node, digest(join_statement), invite.subject, admitted=True)
    if roster.users_of(invite.subject) - {owner}:
        raise RefusedError("This invite was already used.", "Ask for a new one.")
    if any(expires and now > expires for expires in (invite.expires, join.expires)):
        raise NotMemberError("This invite has expired.", "Ask for a new one.")
    if roster.owner_of(admitter) is None:
        raise RefusedError("This node is no member, and cannot admit others.", "Ask another node.")
    if not roster.lets_in(invite_statement):
        raise NotMemberError("This invite does not come from a member who may invite.", "Ask for a new one.")
    supposed = _supposed_admission(roster, admitter, digest(join_statement), owner, now)
    outcome = Roster.evaluate(roster.network, (*known, supposed))
    if outcome.owner_of(node) != owner:
        raise NotMemberError("This invite and what came with it do not make a member.", "Ask for a new one.")
    outcome.proof(node)  # raises if nobody could be shown the membership that this admission would give
    return JoinRequest(owner, node, digest(join_statement), invite.subject, admitted=False)


def _only(found: list[tuple[Signed, B]]) -> tuple[Signed, B]:
    if len(found) != 1:
        raise NotMemberError("A joiner must bring one invite, one join and one device certificate.")
    return found[0]


def _supposed_admission(roster: Roster, admitter: NodeId, join_digest: bytes, owner: OwnerId, now: int) -> Signed:
    """The admission as it would be, unsigned: it never leaves this module."""
    return Signed(KIND_ADMISSION, roster.network, admitter, encode(Admission(join_digest, owner, now)), b"")
