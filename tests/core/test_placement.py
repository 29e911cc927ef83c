"""Placement: frozen orders, shares in proportion to weight, little movement, and who is picked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.ids import BlockId, NodeId, OwnerId
from capsa.core.placement import ORDERS_KEPT_MAX, Candidate, Orders, group_of, order, picks

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "placement.json").read_text())
GB = 10**9
HOME, ME, HERE = NodeId(b"h" * 32), OwnerId(b"m" * 32), "here"


def node(name: str) -> NodeId:
    return NodeId(blake3(name.encode()).digest())


def candidate(name: str, owner: str = "", zone: str = "", capacity: int = GB, *, full: bool = False) -> Candidate:
    return Candidate(node(name), OwnerId(blake3((owner or name).encode()).digest()), zone, capacity, full)


def shares(candidates: list[Candidate], groups: range = range(6000)) -> Counter[NodeId]:
    orders = Orders(candidates)
    return Counter(orders.of_group(group)[0].node for group in groups)


def test_the_orders_are_frozen() -> None:
    candidates = [
        Candidate(
            NodeId(bytes.fromhex(c["node"])), OwnerId(bytes.fromhex(c["owner"])), c["zone"], c["capacity"], c["full"]
        )
        for c in VECTORS["candidates"]
    ]
    orders = Orders(reversed(candidates))
    for group, expected in VECTORS["orders"].items():
        wanted = [candidates[index] for index in expected]
        assert order(int(group), candidates) == wanted
        assert list(orders.of_group(int(group))) == wanted


def test_a_group_is_the_first_16_bits() -> None:
    assert group_of(BlockId(bytes((0xAB, 0xCD)) + bytes(30))) == 0xABCD
    block = BlockId(b"\x12\x34" + b"\xff" * 30)
    assert Orders([candidate("a"), candidate("b")]).of(block) == tuple(order(0x1234, [candidate("a"), candidate("b")]))


def test_shares_follow_weights() -> None:
    """Weights 1, 2, 4: a node is first in proportion, however its capacity lies within its power of two."""
    candidates = [candidate("a", capacity=1024), candidate("b", capacity=4095), candidate("c", capacity=4096)]
    found = shares(candidates)
    for each, weight in zip(candidates, (1, 2, 4), strict=True):
        assert found[each.node] == pytest.approx(6000 * weight / 7, rel=0.08)


def test_a_giant_weighs_at_most_four_times_the_median() -> None:
    candidates = [*(candidate(name, capacity=1024) for name in "abcd"), candidate("giant", capacity=2**62)]
    assert shares(candidates)[node("giant")] == pytest.approx(6000 * 4 / 8, rel=0.08)


def test_a_node_without_capacity_is_no_candidate() -> None:
    assert order(1, [candidate("a", capacity=0)]) == []
    assert order(1, []) == []
    assert [c.node for c in order(1, [candidate("a", capacity=0), candidate("b", capacity=1)])] == [node("b")]


def test_the_median_ignores_nodes_without_capacity() -> None:
    idle = [candidate(f"idle {n}", capacity=0) for n in range(10)]
    some = [candidate("a", capacity=1024), candidate("b", capacity=1024), candidate("c", capacity=2048)]
    assert shares([*idle, *some]) == shares(some)


def test_a_new_node_moves_only_its_share() -> None:
    before = [candidate(name) for name in "abcd"]
    old, new = Orders(before), Orders([*before, candidate("e")])
    moved = 0
    for group in range(4000):
        after = new.of_group(group)
        assert [c for c in after if c.node != node("e")] == list(old.of_group(group))
        moved += after[0].node == node("e")
    assert moved == pytest.approx(4000 / 5, rel=0.1)


def test_memory_of_orders_is_bounded_and_forgetting_changes_nothing() -> None:
    orders = Orders([candidate("a"), candidate("b")])
    first = orders.of_group(0)
    for group in range(ORDERS_KEPT_MAX + 1):
        orders.of_group(group)
    again = orders.of_group(0)
    assert again == first and again is not first
    assert orders.of_group(ORDERS_KEPT_MAX) is orders.of_group(ORDERS_KEPT_MAX)


A, B, C = candidate("a", "ann", "x"), candidate("b", "bob", "x"), candidate("c", "cid", "y")
A2, A3 = candidate("a2", "ann", "x"), candidate("a3", "ann", "z")
FULL = candidate("f", "fay", "x", full=True)
MINE, MINE_AFAR = candidate("m", "m"), candidate("m2", "m", "afar")


@pytest.mark.parametrize(
    ("why", "ordered", "copies", "options", "expected"),
    [
        ("by order", [A, B, C], 2, {}, [A, B]),
        ("new owners first", [A, A2, B], 2, {}, [A, B]),
        ("then new zones", [A, A2, A3, B], 3, {}, [A, B, A3]),
        ("then new nodes", [A, A2, A3, B], 4, {}, [A, B, A3, A2]),
        ("fewer than asked", [A], 3, {}, [A]),
        ("none asked", [A], 0, {}, []),
        ("never the home", [Candidate(HOME, ME, HERE, GB), A], 2, {}, [A]),
        ("the home's owner is used", [MINE, A], 1, {"home_owner": MINE.owner}, [A]),
        ("the home's zone is used", [A, B, C], 1, {"home_owner": A.owner, "home_zone": "x"}, [B]),
        ("of the home's owner, another zone first", [A2, A3], 1, {"home_owner": A.owner, "home_zone": "x"}, [A3]),
        ("own nodes at last", [MINE_AFAR, A], 2, {"home_owner": MINE_AFAR.owner}, [A, MINE_AFAR]),
        ("full ones get nothing new", [FULL, A], 2, {}, [A]),
        ("full ones keep what they hold", [FULL, A], 2, {"holds": {FULL.node}}, [FULL, A]),
        ("the next takes its place", [A, B, C], 2, {"avoid": {A.node}}, [B, C]),
    ],
)
def test_picks(
    why: str, ordered: list[Candidate], copies: int, options: dict[str, Any], expected: list[Candidate]
) -> None:
    asked = {"home": HOME, "home_owner": ME, "home_zone": HERE} | options
    assert picks(ordered, copies=copies, **asked) == [each.node for each in expected], why


candidates_strategy = st.lists(
    st.builds(
        candidate,
        name=st.sampled_from("abcdefghij"),
        owner=st.sampled_from("uvw"),
        zone=st.sampled_from("xyz"),
        capacity=st.integers(0, 2**63 - 1),
        full=st.booleans(),
    ),
    unique_by=lambda each: each.node,
)


@given(candidates_strategy, st.integers(0, 12))
def test_picks_for_fewer_copies_are_a_prefix(candidates: list[Candidate], copies: int) -> None:
    def pick(count: int) -> list[NodeId]:
        return picks(ordered, copies=count, home=node("a"), home_owner=ME, home_zone="x")

    ordered = order(7, candidates)
    all_of_them = pick(len(ordered))
    assert pick(copies) == all_of_them[:copies]
    assert set(all_of_them) == {c.node for c in ordered if c.node != node("a") and not c.full}


@given(candidates_strategy, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_candidates_are_listed(candidates: list[Candidate], random: Any) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert order(9, shuffled) == order(9, candidates)
