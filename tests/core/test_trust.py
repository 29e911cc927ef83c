"""Who is a member: chains, revocations, proofs, and that only the set of statements matters."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.ids import NetworkId
from capsa.core.keys import DeviceKey
from capsa.core.signing import Signed, encode_signed, sign
from capsa.core.statements import certify, digest, join, verify_statement
from capsa.core.trust import CHAIN_DEPTH_MAX, PROOF_STATEMENTS_MAX, Alarm, Roster
from capsa.errors import NotMemberError
from tests.core.cast import NOW, Cast, seed


def test_the_founder_is_a_member_from_the_start() -> None:
    cast = Cast("Olga")
    roster = cast.roster()
    assert roster.members == {cast.owner("Olga")}
    assert roster.founder == cast.owner("Olga")
    assert roster.owner_of(cast.node("Olga")) == cast.owner("Olga")
    assert roster.name_of(cast.owner("Olga")) == "Olga"
    assert roster.founding.copies == 3
    assert roster.name_of(cast.owner("stranger")) == ""
    assert roster.owner_of(cast.node("stranger")) is None


def test_without_the_founding_there_is_no_network() -> None:
    cast = Cast()
    for statements in ([], cast.statements[1:], [Cast("other").founding]):
        with pytest.raises(NotMemberError):
            Roster.evaluate(cast.network, statements)


def test_members_bring_in_members() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.bring("b", "c", admitter="a")
    roster = cast.roster()
    assert cast.members() == "a b c"
    assert roster.nodes == {cast.node(name): cast.owner(name) for name in "abc"}
    assert roster.is_member(cast.owner("c"))
    assert roster.alarms == ()


@pytest.mark.parametrize("missing", range(4), ids=["invite", "join", "certificate", "admission"])
def test_every_link_is_needed(missing: int) -> None:
    cast = Cast("a")
    added = cast.bring("a", "b")
    cast.statements.remove(added[missing])
    assert cast.roster().owner_of(cast.node("b")) is None
    assert cast.roster().is_member(cast.owner("b")) == (missing == 2)


def admitted_by_itself(cast: Cast) -> list[Signed]:
    joined = cast.join("a", "x")
    return [cast.invite("a", "x"), joined, cast.certificate("x"), cast.admission("x", joined, "x")]


def admitted_by_a_stranger(cast: Cast) -> list[Signed]:
    joined = cast.join("a", "x")
    return [
        *(cast.invite("a", "x"), joined, cast.certificate("x")),
        *(cast.certificate("stranger"), cast.admission("stranger", joined, "x")),
    ]


def admitted_by_an_owner_key(cast: Cast) -> list[Signed]:
    joined = cast.join("a", "x")
    body = cast.admission("a", joined, "x").body
    return [
        *(cast.invite("a", "x"), joined, cast.certificate("x")),
        sign(cast.key("a"), "admission", cast.network, body),
    ]


def admitted_under_another_name(cast: Cast) -> list[Signed]:
    joined = cast.join("a", "x")
    return [cast.invite("a", "x"), joined, cast.certificate("x"), cast.admission("a", joined, "y")]


def admitted_too_late(cast: Cast) -> list[Signed]:
    joined = cast.join("a", "x")
    late = cast.admission("a", joined, "x", admitted=NOW + 11)
    return [cast.invite("a", "x", expires=NOW + 10), joined, cast.certificate("x"), late]


def invited_by_a_stranger(cast: Cast) -> list[Signed]:
    joined = cast.join("stranger", "x")
    return [cast.invite("stranger", "x"), joined, cast.certificate("x"), cast.admission("a", joined, "x")]


def invited_by_a_device(cast: Cast) -> list[Signed]:
    joined = cast.join("a", "x")
    body = cast.invite("a", "x").body
    return [
        *(sign(cast.device("a"), "grant", cast.network, body), joined),
        *(cast.certificate("x"), cast.admission("a", joined, "x")),
    ]


def joined_without_an_invite(cast: Cast) -> list[Signed]:
    joined = join(cast.key("a"), cast.key("x"), cast.network, created=NOW)
    return [joined, cast.certificate("x"), cast.admission("a", joined, "x")]


def invited_each_other(cast: Cast) -> list[Signed]:
    other = Cast("a")
    return [*other.bring("x", "y"), *other.bring("y", "x")]


@pytest.mark.parametrize(
    "attempt",
    [
        admitted_by_itself,
        admitted_by_a_stranger,
        admitted_by_an_owner_key,
        admitted_under_another_name,
        admitted_too_late,
        invited_by_a_stranger,
        invited_by_a_device,
        joined_without_an_invite,
        invited_each_other,
    ],
)
def test_nobody_comes_in_by(attempt: Callable[[Cast], list[Signed]]) -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.statements += attempt(cast)
    for statement in cast.statements:
        verify_statement(statement, cast.network)
    assert cast.members() == "a b"
    assert set(cast.roster().nodes) == {cast.node("a"), cast.node("b")}


def test_the_right_to_invite_can_be_withheld() -> None:
    cast = Cast("a")
    cast.bring("a", "b", may_invite=False)
    cast.bring("b", "c")
    assert cast.members() == "a b"
    cast.bring("a", "d", admitter="b")
    assert cast.members() == "a b d"


def test_the_founder_may_keep_inviting_to_itself() -> None:
    cast = Cast("a", members_invite=False)
    cast.bring("a", "b")
    cast.bring("b", "c")
    assert cast.members() == "a b"


def test_chains_end_at_their_bound() -> None:
    cast = Cast("0")
    for depth in range(CHAIN_DEPTH_MAX + 1):
        cast.bring(str(depth), str(depth + 1))
    assert len(cast.roster().members) == CHAIN_DEPTH_MAX + 1
    assert len(cast.roster().proof(cast.node(str(CHAIN_DEPTH_MAX)))) <= PROOF_STATEMENTS_MAX
    # A shorter way to somebody in the middle shortens everybody's behind.
    cast.statements += Cast("0").bring("0", "3")
    assert len(cast.roster().members) == CHAIN_DEPTH_MAX + 2


def test_a_shorter_way_found_late_counts() -> None:
    cast = Cast("0")
    for depth in range(CHAIN_DEPTH_MAX + 1):
        cast.bring(str(depth), str(depth + 1))
    outsider = cast.owner(str(CHAIN_DEPTH_MAX + 1))
    # Whoever admits 4 on the founder's invite comes in after a longer chain of admissions than 4's own.
    witnesses = ["0", *"abcdefghij"]
    for admitter, joiner in pairwise(witnesses):
        cast.bring("0", joiner, admitter=admitter)
    assert not cast.roster().is_member(outsider)
    cast.statements += Cast("0").bring("0", "4", admitter=witnesses[-1])
    assert cast.roster().is_member(outsider)


def test_the_founder_stays_what_it_is_whoever_invites_it() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    renamed = join(cast.one_time("b", "a"), cast.key("a"), cast.network, created=NOW + 1, name="A")
    cast.statements += [cast.invite("b", "a"), renamed, cast.admission("b", renamed, "a")]
    cast.revoke("b", cast.owner("a"))
    assert cast.members() == "a b"
    assert len(cast.roster().proof(cast.node("a"))) == 2


def test_an_owner_calls_itself_what_it_said_last() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    renamed = join(cast.one_time("a", "b"), cast.key("b"), cast.network, created=NOW + 1, name="Berta")
    cast.statements += [renamed, cast.admission("a", renamed, "b")]
    assert cast.roster().name_of(cast.owner("b")) == "Berta"
    assert cast.roster().alarms == ()


def test_one_invite_used_by_two_raises_an_alarm_and_both_stand() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    thief = cast.join("a", "thief", invited_as="b")
    cast.statements += [thief, cast.certificate("thief"), cast.admission("b", thief, "thief")]
    assert cast.members() == "a b thief"
    owners = tuple(sorted((cast.owner("b"), cast.owner("thief"))))
    assert cast.roster().alarms == (Alarm((cast.owner("a"),), owners),)


def test_an_alarm_needs_an_admission_by_a_member() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    thief = cast.join("a", "thief", invited_as="b")
    cast.statements += [thief, cast.certificate("thief"), cast.admission("thief", thief, "thief")]
    assert cast.roster().alarms == ()


# --- revocations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "subject", "left"),
    [
        ("a", "d", "a b c e"),
        ("c", "d", "a b c e"),  # its inviter
        ("b", "d", "a b c d e"),  # its inviter's inviter: not b's to say
        ("e", "d", "a b c d e"),
        ("d", "d", "a b c d e"),
        ("stranger", "d", "a b c d e"),
        ("a", "b", "a e"),  # and everybody whom b let in
        ("b", "c", "a b e"),
        ("b", "a", "a b c d e"),  # nobody revokes the founder
        ("a", "a", "a b c d e"),
        ("e", "stranger", "a b c d e"),
    ],
)
def test_who_may_revoke_whom(by: str, subject: str, left: str) -> None:
    cast = Cast("a")
    for inviter, joiner in ("ab", "bc", "cd", "ae"):
        cast.bring(inviter, joiner)
    cast.revoke(by, cast.owner(subject))
    assert cast.members() == left


def test_what_a_revocation_keeps_stays() -> None:
    cast = Cast("a")
    for inviter, joiner in ("ab", "bc", "bd"):
        cast.bring(inviter, joiner)
    cast.bring("a", "e", admitter="b")
    works = cast.roster().works_of(cast.owner("b"))
    assert len(works) == 5  # two invites, three admissions
    cast.revoke("a", cast.owner("b"), keeps=works)
    assert cast.members() == "a c d e"
    assert cast.roster().owner_of(cast.node("b")) is None
    assert cast.roster().was_admitted(cast.node("b"))
    assert cast.roster().name_of(cast.owner("b")) == "b"
    # What b states from now on is void, though it may date it back.
    cast.bring("b", "x")
    cast.bring("a", "y", admitter="b")
    cast.revoke("b", cast.owner("c"))
    assert cast.members() == "a c d e"
    # The founder's newest word decides, whichever arrives first.
    cast.revoke("a", cast.owner("b"), created=NOW - 1)
    assert cast.members() == "a c d e"
    cast.revoke("a", cast.owner("b"), created=NOW + 1)
    assert cast.members() == "a"


def test_a_kept_invitee_that_its_inviter_had_revoked_stays_out() -> None:
    cast = Cast("a")
    for inviter, joiner in ("ab", "bc", "cd", "be"):
        cast.bring(inviter, joiner)
    cast.revoke("b", cast.owner("c"), keeps=cast.roster().works_of(cast.owner("c")))
    assert cast.members() == "a b d e"
    cast.revoke("a", cast.owner("b"), keeps=cast.roster().works_of(cast.owner("b")))
    assert cast.members() == "a d e"


def test_an_owner_invited_by_two_is_out_when_both_say_so() -> None:
    cast = Cast("a")
    for inviter, joiner in ("ab", "ac", "bx", "cx"):
        cast.bring(inviter, joiner)
    cast.revoke("b", cast.owner("x"))
    assert cast.members() == "a b c x"
    cast.revoke("c", cast.owner("x"))
    assert cast.members() == "a b c"


def test_whom_the_founder_revoked_nobody_brings_back() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.bring("a", "c")
    cast.revoke("a", cast.owner("c"))
    cast.bring("b", "c")
    assert cast.members() == "a b"


def test_members_who_revoke_each_other_do_not_loop() -> None:
    cast = Cast("a")
    for inviter, joiner in ("ab", "bc", "cb"):
        cast.bring(inviter, joiner)
    cast.revoke("b", cast.owner("c"))
    cast.revoke("c", cast.owner("b"))
    assert cast.members() == "a b"


def test_a_revoked_owner_cannot_readmit_itself_with_its_old_invite() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.revoke("a", cast.owner("b"), keeps=cast.roster().works_of(cast.owner("b")))
    again = cast.join("a", "new b", invited_as="b")
    cast.statements += [again, cast.certificate("new b"), cast.admission("b", again, "new b")]
    assert cast.members() == "a"


def test_a_device_is_revoked_by_its_owner_alone() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    phone = DeviceKey(seed("phone of b"))
    cast.statements.append(certify(cast.key("b"), phone, cast.network, created=NOW, name="phone"))
    cast.bring("a", "c", admitter="b")
    assert cast.roster().owner_of(phone.node) == cast.owner("b")
    cast.revoke("c", phone.public)
    cast.revoke("a", phone.public)
    assert cast.roster().owner_of(phone.node) == cast.owner("b")
    cast.revoke("b", phone.public)
    assert cast.roster().owner_of(phone.node) is None
    assert cast.roster().was_admitted(phone.node)
    assert cast.members() == "a b c"


@pytest.mark.parametrize(("keep", "left"), [(True, "a b c"), (False, "a b")])
def test_admissions_by_a_revoked_device_stay_if_kept(keep: bool, left: str) -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.bring("a", "c", admitter="b")
    works = cast.roster().works_of(cast.node("b"))
    cast.revoke("b", cast.node("b"), keeps=works if keep else ())
    assert cast.members() == left
    cast.bring("a", "x", admitter="b")
    assert cast.members() == left


def test_nobody_else_can_claim_a_device() -> None:
    """A certificate needs the device's consent; a device that gives it twice is one owner's all the same."""
    cast = Cast("a")
    cast.bring("a", "b")
    cast.bring("a", "c")
    cast.statements.append(certify(cast.key("c"), cast.device("b"), cast.network, created=NOW))
    owners = {Roster.evaluate(cast.network, order).owner_of(cast.node("b")) for order in permutations(cast.statements)}
    assert len(owners) == 1


def permutations(statements: list[Signed]) -> list[list[Signed]]:
    return [statements, statements[::-1], statements[3:] + statements[:3]]


# --- proofs --------------------------------------------------------------------------------------


def assert_proof_holds(cast: Cast, roster: Roster, name: str) -> tuple[Signed, ...]:
    proof = roster.proof(cast.node(name))
    assert len(proof) <= PROOF_STATEMENTS_MAX
    for statement in proof:
        verify_statement(statement, cast.network)
    assert Roster.evaluate(cast.network, proof).owner_of(cast.node(name)) == cast.owner(name)
    return proof


def test_a_proof_is_small_and_every_statement_in_it_is_needed() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.bring("b", "c", admitter="a")
    for stranger in "defgh":
        cast.bring("a", stranger)
    proof = assert_proof_holds(cast, cast.roster(), "c")
    assert len(proof) == 2 + 3 + 4  # founding, a's device; b's three; c's four: b's own device is not needed
    for left_out in range(1, len(proof)):
        rest = proof[:left_out] + proof[left_out + 1 :]
        assert Roster.evaluate(cast.network, rest).owner_of(cast.node("c")) is None


def test_a_proof_rests_on_few_when_many_admitted() -> None:
    cast = Cast("a")
    for name in "bcdefgh":
        cast.bring("a", name)
    cast.bring("b", "x")
    cast.statements += [cast.admission(name, cast.join("b", "x"), "x") for name in "cdefgh"]
    proof = assert_proof_holds(cast, cast.roster(), "x")
    assert len(proof) == 2 + 4 + 4  # founding, a's device; b with its device; x with its own


def test_a_proof_holds_for_those_whom_a_revocation_kept() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.bring("b", "c")
    cast.revoke("a", cast.owner("b"), keeps=cast.roster().works_of(cast.owner("b")))
    assert_proof_holds(cast, cast.roster(), "c")


def test_no_proof_without_membership() -> None:
    cast = Cast("a")
    cast.bring("a", "b")
    cast.revoke("a", cast.owner("b"))
    for name in ("b", "stranger"):
        with pytest.raises(NotMemberError):
            cast.roster().proof(cast.node(name))


def test_a_proof_that_grew_too_long_is_mended_by_another_admission() -> None:
    cast = Cast("0")
    for number in range(1, 25):
        cast.bring("0", str(number), admitter=str(number - 1))
    assert len(cast.roster().members) == 25
    with pytest.raises(NotMemberError, match="too long"):
        cast.roster().proof(cast.node("24"))
    cast.statements.append(cast.admission("0", cast.join("0", "24"), "24"))
    assert len(assert_proof_holds(cast, cast.roster(), "24")) == 6


# --- only the set matters ------------------------------------------------------------------------

NAMES = "abcdefg"
NAME = st.sampled_from(NAMES)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("bring"), NAME, NAME, NAME),
        st.tuples(st.just("revoke"), NAME, NAME, st.sampled_from(["", "all", "half"])),
        st.tuples(st.just("revoke device"), NAME, NAME, st.sampled_from(["", "all"])),
        st.tuples(st.just("share invite"), NAME, NAME, NAME),
    ),
    min_size=3,
    max_size=16,
)


def play(acts: list[tuple[str, str, str, str]]) -> Cast:
    cast = Cast("a")
    for when, (act, one, two, three) in enumerate(acts):
        if act == "bring":
            cast.bring(one, two, admitter=three)
        elif act == "share invite":
            joined = cast.join(one, three, invited_as=two)
            cast.statements += [joined, cast.certificate(three), cast.admission(one, joined, three)]
        else:
            subject = cast.owner(two) if act == "revoke" else cast.node(two)
            works = cast.roster().works_of(subject)
            keeps = {"": (), "all": works, "half": works[::2]}[three]
            cast.revoke(one, subject, keeps=keeps, created=NOW + when)
    return cast


def everything(roster: Roster) -> object:
    return (
        roster.members,
        roster.nodes,
        roster.alarms,
        [roster.name_of(owner) for owner in sorted(roster.members)],
        [[encode_signed(each) for each in roster.proof(node)] for node in sorted(roster.nodes)],
        [roster.works_of(owner) for owner in sorted(roster.members)],
    )


@given(ACTS, st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(acts: list[tuple[str, str, str, str]], random: Random) -> None:
    cast = play(acts)
    shuffled = [*cast.statements, *cast.statements[:3]]
    random.shuffle(shuffled)
    assert everything(Roster.evaluate(cast.network, shuffled)) == everything(cast.roster())


@given(ACTS)
def test_every_proof_holds(acts: list[tuple[str, str, str, str]]) -> None:
    cast = play(acts)
    roster = cast.roster()
    for node, owner in roster.nodes.items():
        proof = roster.proof(node)
        assert Roster.evaluate(cast.network, proof).owner_of(node) == owner


@given(ACTS)
def test_a_revocation_that_keeps_all_works_costs_only_its_subject(acts: list[tuple[str, str, str, str]]) -> None:
    cast = play(acts)
    roster = cast.roster()
    for name in NAMES[1:]:
        subject = cast.owner(name)
        revoked = cast.revoke("a", subject, keeps=roster.works_of(subject), created=NOW + 100)
        assert cast.roster().members == roster.members - {subject}
        cast.statements.remove(revoked)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8), st.data())
def test_revocations_in_a_tree_follow_a_simple_model(revocations: list[tuple[int, int]], data: st.DataObject) -> None:
    """In a tree of invites, an owner is in if nobody on its branch, itself included, was revoked by who may."""
    parents = {child: data.draw(st.integers(0, child - 1)) for child in range(1, 6)}
    cast = Cast("0")
    for child, parent in parents.items():
        cast.bring(str(parent), str(child))
    for by, subject in revocations:
        cast.revoke(str(by), cast.owner(str(subject)))

    put_out = {subject for by, subject in revocations if by == 0 and subject}
    cut = {subject for by, subject in revocations if by not in put_out and parents.get(subject) == by}

    def is_in(owner: int) -> bool:
        return owner == 0 or (owner not in put_out | cut and is_in(parents[owner]))

    assert cast.members() == " ".join(str(owner) for owner in range(6) if is_in(owner))


def test_unknown_kinds_are_carried_along() -> None:
    cast = Cast("a")
    oath = sign(cast.device("a"), "oath", cast.network, b"\x90")
    cast.statements.append(oath)
    roster = cast.roster()
    assert oath in roster.statements
    assert roster.vouches_for(oath.signer)
    assert not roster.vouches_for(cast.device("stranger").public)
    assert roster.network == NetworkId(digest(cast.founding))
