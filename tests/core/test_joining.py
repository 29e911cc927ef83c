"""Judging joiners: who is let in, who is found again, and who is sent away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from capsa.core.joining import JoinRequest, judge_joiner
from capsa.core.signing import Signed
from capsa.core.statements import digest
from capsa.errors import CapsaError, FormatError, NotMemberError, RefusedError, SignatureError
from tests.core.cast import NOW, Cast


def brings(cast: Cast, inviter: str = "a", joiner: str = "x", *, expires: int = 0) -> list[Signed]:
    return [cast.invite(inviter, joiner, expires=expires), cast.join(inviter, joiner), cast.certificate(joiner)]


def judge(cast: Cast, statements: list[Signed], *, now: int = NOW, admitter: str = "a") -> JoinRequest:
    return judge_joiner(cast.roster(), statements, now, admitter=cast.node(admitter))


def admit(cast: Cast, statements: list[Signed], request: JoinRequest, name: str, *, admitter: str = "a") -> None:
    joined = next(each for each in statements if digest(each) == request.join_digest)
    cast.statements += [*statements, cast.admission(admitter, joined, name)]


def test_who_is_let_in_becomes_a_member() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    statements = brings(cast, "b", expires=NOW + 10)
    request = judge(cast, statements, now=NOW + 10)
    joined = statements[1]
    one_time = cast.one_time("b", "x").public
    assert request == JoinRequest(cast.owner("x"), cast.node("x"), digest(joined), one_time, admitted=False)
    assert judge(cast, statements[::-1]) == request
    admit(cast, statements, request, "x")
    assert cast.roster().owner_of(request.node) == request.owner
    assert judge(cast, statements, now=NOW + 1000) == replace(request, admitted=True)


def test_an_owner_may_use_its_invite_again_for_another_join() -> None:
    """A joiner that lost what it was told comes back with a grant made anew, perhaps for another device."""
    cast = Cast("a")
    statements = brings(cast)
    admit(cast, statements, judge(cast, statements), "x")
    renamed = cast.join("a", "x", invited_as="x")
    assert judge(cast, [statements[0], renamed, statements[2]]).admitted


def test_a_used_invite_is_refused_to_others_even_after_a_revocation() -> None:
    cast = Cast("a")
    statements = brings(cast)
    admit(cast, statements, judge(cast, statements), "x")
    thief = [statements[0], cast.join("a", "thief", invited_as="x"), cast.certificate("thief")]
    with pytest.raises(RefusedError, match="already used"):
        judge(cast, thief)
    cast.revoke("a", cast.owner("x"))
    with pytest.raises(RefusedError, match="already used"):
        judge(cast, thief)
    with pytest.raises(NotMemberError):
        judge(cast, statements)


def test_strangers_cannot_use_up_an_invite() -> None:
    cast = Cast("a")
    statements = brings(cast)
    thief = cast.join("a", "thief", invited_as="x")
    cast.statements += [thief, cast.certificate("thief"), cast.admission("thief", thief, "thief")]
    assert not judge(cast, statements).admitted


def mixed_up(cast: Cast) -> list[Signed]:
    return [cast.invite("a", "x"), cast.join("a", "y"), cast.certificate("y")]


def with_anothers_certificate(cast: Cast) -> list[Signed]:
    return [cast.invite("a", "x"), cast.join("a", "x"), cast.certificate("y")]


def forged(cast: Cast) -> list[Signed]:
    invite, *rest = brings(cast)
    return [Signed(invite.kind, invite.network, invite.signer, invite.body, bytes(64)), *rest]


def invited_by_one_who_may_not(cast: Cast) -> list[Signed]:
    cast.bring("a", "c", may_invite=False)
    return brings(cast, "c")


def invited_by_the_revoked(cast: Cast) -> list[Signed]:
    cast.bring("a", "c")
    cast.revoke("a", cast.owner("c"))
    return brings(cast, "c")


def from_a_revoked_device(cast: Cast) -> list[Signed]:
    cast.revoke("x", cast.node("x"))
    return brings(cast)


def at_the_end_of_a_long_chain(cast: Cast) -> list[Signed]:
    names = ["a", *"12345678"]
    for inviter, joiner in pairwise(names):
        cast.bring(inviter, joiner)
    return brings(cast, "8")


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda cast: brings(cast, expires=NOW - 1), NotMemberError),
        (lambda cast: brings(cast, "stranger"), NotMemberError),
        (lambda cast: [], NotMemberError),
        (lambda cast: brings(cast)[1:], NotMemberError),
        (lambda cast: [*brings(cast)[:2], cast.founding], NotMemberError),
        (lambda cast: [*brings(cast), cast.founding], FormatError),
        (lambda cast: brings(Cast("other")), SignatureError),
        (forged, SignatureError),
        (invited_by_one_who_may_not, NotMemberError),
        (invited_by_the_revoked, NotMemberError),
        (from_a_revoked_device, NotMemberError),
        (at_the_end_of_a_long_chain, NotMemberError),
    ],
)
def test_who_is_sent_away(make: Callable[[Cast], list[Signed]], error: type[CapsaError]) -> None:
    cast = Cast("a")
    statements = make(cast)
    with pytest.raises(error):
        judge(cast, statements)


@pytest.mark.parametrize("make", [mixed_up, with_anothers_certificate])
def test_what_a_joiner_brings_must_belong_together(make: Callable[[Cast], list[Signed]]) -> None:
    cast = Cast("a")
    with pytest.raises(NotMemberError, match="belong together"):
        judge(cast, make(cast))


def test_only_a_member_admits() -> None:
    cast = Cast("a")
    with pytest.raises(RefusedError):
        judge(cast, brings(cast), admitter="stranger")


def test_nobody_is_admitted_who_could_not_prove_it() -> None:
    cast = Cast("0")
    statements: list[Signed] = []
    for number in range(1, 40):
        statements = brings(cast, "0", str(number))
        try:
            request = judge(cast, statements, admitter=str(number - 1))
        except NotMemberError:
            break
        admit(cast, statements, request, str(number), admitter=str(number - 1))
        assert cast.roster().proof(request.node)
    assert 10 < len(cast.roster().members) < 40
    assert not judge(cast, statements, admitter="0").admitted
