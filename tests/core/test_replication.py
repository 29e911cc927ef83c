"""What a part still lacks, who is sent it, and how many copies there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.claims import ClaimItem, ClaimPart, make_part
from capsa.core.ids import BlockId, ClaimId, NetworkId, NodeId
from capsa.core.keys import Ed25519Key
from capsa.core.replication import Copies, Push, count_copies, least, plan

A, B, C, D, E = NODES = tuple(NodeId(name.encode() * 32) for name in "abcde")
FIRST, SECOND = ClaimId(b"1" * 16), ClaimId(b"2" * 16)


def part(*copies: int) -> ClaimPart:
    """A claim of one block for each number of copies wanted."""
    items = [
        ClaimItem(ClaimId(index.to_bytes(16, "big")), wanted, 0, (BlockId(index.to_bytes(32, "big")),), (9,))
        for index, wanted in enumerate(copies)
    ]
    return make_part(Ed25519Key(bytes(32)), NetworkId(bytes(32)), NodeId(bytes(32)), 0, items)


@pytest.mark.parametrize(
    ("why", "copies", "holders", "reachable", "expected"),
    [
        ("a new block goes to all picks", 3, "", "abcde", "abc"),
        ("holders are sent nothing", 3, "b", "abcde", "ac"),
        ("nothing is left to do", 3, "abc", "abcde", ""),
        ("the next stands in", 3, "", "bcde", "bcd"),
        ("two stand in, in order", 3, "", "cde", "cde"),
        ("one is enough for each", 2, "", "acde", "ac"),
        ("whoever stands in counts", 3, "d", "bcde", "bc"),
        ("it hands off when the pick is back", 3, "bcd", "abcde", "a"),
        ("an unreachable pick that holds it needs no stand-in", 3, "a", "bcde", "bc"),
        ("an unreachable stand-in counts too", 3, "e", "bcd", "bc"),
        ("nobody is there", 3, "", "", ""),
        ("fewer than asked", 3, "", "d", "d"),
        ("no copies wanted", 0, "", "abcde", ""),
        ("more copies than nodes", 9, "", "abcde", "abcde"),
    ],
)
def test_who_is_sent_a_block(why: str, copies: int, holders: str, reachable: str, expected: str) -> None:
    def nodes(names: str) -> set[NodeId]:
        return {NodeId(name.encode() * 32) for name in names}

    pushes = plan(part(copies), preferences=[NODES], holders={0: nodes(holders)}, reachable=nodes(reachable))
    assert [push.node for push in pushes] == sorted(nodes(expected)), why
    assert all(push.indexes == (0,) for push in pushes)


def test_pushes_are_gathered_by_node() -> None:
    pushes = plan(
        part(2, 1, 2),
        preferences=[(A, B, C), (B, C, A), (C, A, B)],
        holders={0: {A}, 2: {C}},
        reachable=set(NODES),
    )
    assert pushes == [Push(B, (0, 1)), Push(A, (2,))]


@given(st.integers(0, 5), st.sets(st.sampled_from(NODES)), st.sets(st.sampled_from(NODES)), st.permutations(NODES))
def test_a_carried_out_plan_leaves_nothing_that_could_be_done(
    copies: int, holders: set[NodeId], reachable: set[NodeId], preferred: list[NodeId]
) -> None:
    one = part(copies)
    pushes = plan(one, preferences=[preferred], holders={0: holders}, reachable=reachable)
    sent_to = {push.node for push in pushes}
    assert sent_to <= reachable - holders
    after = holders | sent_to
    assert len(after) >= min(copies, len(holders | reachable))
    assert {node for node in preferred[:copies] if node in reachable} <= after
    assert plan(one, preferences=[preferred], holders={0: after}, reachable=reachable) == []


def test_a_claim_has_as_many_copies_as_its_worst_block() -> None:
    items = [
        ClaimItem(FIRST, 3, 0, (BlockId(bytes(32)), BlockId(b"x" * 32)), (9, 9)),
        ClaimItem(SECOND, 1, 0, (BlockId(b"y" * 32),), (9,)),
    ]
    both = make_part(Ed25519Key(bytes(32)), NetworkId(bytes(32)), A, 0, items)
    holders = {0: {B, C, D}, 1: {B}, 2: {E}}
    assert count_copies(both, holders, home_holds=True) == {FIRST: Copies(2, 4), SECOND: Copies(2, 2)}
    assert count_copies(both, {}, home_holds=False) == {FIRST: Copies(0, 4), SECOND: Copies(0, 2)}


def test_copies_are_complete_when_all_wanted_ones_are_there() -> None:
    assert [Copies(durable, 4).complete for durable in (3, 4, 5)] == [False, True, True]


def test_the_least_is_the_furthest_short() -> None:
    assert least([Copies(2, 2), Copies(3, 4), Copies(4, 4)]) == Copies(3, 4)
    assert least(iter([Copies(1, 1)])) == Copies(1, 1)
