"""Heads: their frozen form, what is refused, forks, floors, and which ones a member keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.catalog.pages import PageRef
from capsa.core.heads import (
    HEADS_KEPT_MAX,
    SEEN_MAX,
    Floors,
    Head,
    HeadRef,
    Relation,
    compare,
    keep,
    make_head,
    newest,
    open_root,
)
from capsa.core.ids import BlockId, ClaimId, NetworkId, NodeId
from capsa.core.keys import OwnerKeys
from capsa.errors import FormatError, IntegrityError, SignatureError, from_wire

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "heads.json").read_text("utf-8"))

KEYS = OwnerKeys.from_entropy(bytes(range(32)))
OTHERS_KEYS = OwnerKeys.from_entropy(bytes(range(1, 33)))
NETWORK = NetworkId(b"\x0a" * 32)
LAPTOP, DESKTOP = NodeId(b"\x01" * 32), NodeId(b"\x02" * 32)
ROOT = PageRef(BlockId(b"\x03" * 32), b"\x04" * 32, ClaimId(b"\x05" * 16))


def head(
    sequence: int,
    *,
    complete: HeadRef | None = None,
    keys: OwnerKeys = KEYS,
    device: NodeId = LAPTOP,
    seen: dict[NodeId, int] | None = None,
    created: int = 1_700_000_000,
    root: PageRef | None = ROOT,
) -> Head:
    return make_head(
        keys,
        NETWORK,
        device=device,
        sequence=sequence,
        lamport=sequence,
        previous=HeadRef(sequence - 1, b"\x06" * 32) if sequence > 1 else None,
        root=root,
        entries=1 if root else 0,
        complete=complete,
        seen=seen or {},
        created=created,
    )


def a_ref(fields: list[Any] | None) -> HeadRef | None:
    return HeadRef(fields[0], bytes.fromhex(fields[1])) if fields else None


@pytest.mark.parametrize("vector", VECTORS["heads"], ids=lambda vector: vector["why"])
def test_vectors(vector: dict[str, Any]) -> None:
    keys = OwnerKeys.from_entropy(bytes.fromhex(vector["entropy"]))
    network = NetworkId(bytes.fromhex(vector["network"]))
    ids = [bytes.fromhex(part) for part in vector["root"]] if vector["root"] else []
    root = PageRef(BlockId(ids[0]), ids[1], ClaimId(ids[2])) if ids else None
    made = make_head(
        keys,
        network,
        device=NodeId(bytes.fromhex(vector["device"])),
        sequence=vector["sequence"],
        lamport=vector["lamport"],
        previous=a_ref(vector["previous"]),
        root=root,
        entries=vector["entries"],
        complete=a_ref(vector["complete"]),
        seen={NodeId(bytes.fromhex(device)): sequence for device, sequence in vector["seen"].items()},
        created=vector["created"],
    )
    assert made.signed.hex() == vector["signed"]
    assert made.digest.hex() == vector["digest"]
    assert Head.parse(made.signed, network) == made
    assert open_root(made, keys) == root


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_refused(vector: dict[str, str]) -> None:
    with pytest.raises(type(from_wire(vector["error"], ""))):
        Head.parse(bytes.fromhex(vector["signed"]), NETWORK)


def test_another_networks_head_is_refused() -> None:
    with pytest.raises(SignatureError):
        Head.parse(head(1).signed, NetworkId(bytes(32)))


def test_no_byte_of_a_head_may_change() -> None:
    signed = head(3, complete=HeadRef(2, b"\x06" * 32), seen={DESKTOP: 4}).signed
    for place in range(len(signed)):
        changed = bytearray(signed)
        changed[place] ^= 1
        with pytest.raises(IntegrityError):
            Head.parse(changed, NETWORK)


def test_the_root_opens_for_its_owner_only() -> None:
    assert open_root(head(1), KEYS) == ROOT
    assert open_root(head(1, root=None), KEYS) is None
    with pytest.raises(IntegrityError, match="another owner"):
        open_root(head(1), OTHERS_KEYS)


def test_the_roots_key_stays_hidden() -> None:
    made = head(1)
    assert ROOT.key not in made.signed
    assert ROOT.key.hex() not in repr(made) and repr(ROOT.key) not in repr(made)


def test_one_root_under_two_claims_is_sealed_alike() -> None:
    """The AEAD key and nonce are those of the root id, so what they encrypt may depend on nothing else."""
    again = PageRef(ROOT.id, ROOT.key, ClaimId(b"\x07" * 16))
    one, other = head(1), head(2, root=again)
    assert open_root(other, KEYS) == again
    sealed_size = 32 + 16
    at = one.signed.index(ROOT.id) + 32
    assert one.signed[at : at + 2 + sealed_size] in other.signed


def test_own_device_is_left_out_of_what_was_seen() -> None:
    assert head(2, seen={LAPTOP: 1, DESKTOP: 5}).seen == head(2, seen={DESKTOP: 5}).seen


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        (head(2), head(2), Relation.SAME),
        (head(3), head(2), Relation.NEWER),
        (head(2), head(3), Relation.OLDER),
        (head(2), head(2, created=1), Relation.FORK),
        (head(2), head(2, device=DESKTOP), Relation.UNRELATED),
        (head(2), head(2, keys=OTHERS_KEYS), Relation.UNRELATED),
    ],
)
def test_compare(one: Head, other: Head, relation: Relation) -> None:
    assert compare(one, other) is relation


def test_newest() -> None:
    forked = sorted([head(3), head(3, created=1)], key=lambda one: one.digest)
    desktop = head(1, device=DESKTOP)
    expected = {(KEYS.owner, LAPTOP): forked[1], (KEYS.owner, DESKTOP): desktop}
    assert newest([head(2), *forked, desktop]) == newest([desktop, *reversed(forked), head(2)]) == expected
    assert newest([]) == {}


def test_members_keep_heads_back_to_the_complete_one() -> None:
    one, two, three = head(1), head(2), head(3)
    four = head(4, complete=two.ref)
    stranger = head(1, keys=OTHERS_KEYS)
    kept = keep([three, one, stranger, four, two, four])
    assert [h for h in kept if h.owner == KEYS.owner] == [four, three, two]
    assert stranger in kept
    assert keep([one, two, three]) == [three, two, one]
    assert keep([]) == []


def test_members_keep_both_sides_of_a_fork() -> None:
    fork = [head(3), head(3, created=1)]
    assert set(keep([head(2), *fork])) == {head(2), *fork}


def test_a_home_that_never_completes_costs_bounded_memory() -> None:
    heads = [head(sequence) for sequence in range(1, HEADS_KEPT_MAX + 50)]
    assert keep(heads) == list(reversed(heads))[:HEADS_KEPT_MAX]
    last = head(HEADS_KEPT_MAX + 50, complete=heads[4].ref)
    kept = keep([*heads, last])
    assert len(kept) == HEADS_KEPT_MAX + 1
    assert (kept[0], kept[-1]) == (last, heads[4])


SOME = [head(1), head(2), head(3), head(3, created=1), head(4, complete=head(2).ref), head(1, device=DESKTOP)]


@given(st.lists(st.sampled_from(SOME)), st.lists(st.sampled_from(SOME)))
def test_keeping_in_between_loses_nothing(some: Sequence[Head], more: Sequence[Head]) -> None:
    assert keep([*keep(some), *keep(more)]) == keep([*more, *some])


def test_floors_refuse_what_is_older_than_seen() -> None:
    floors = Floors().raised([head(5), head(4)])
    floors.check(head(5))
    floors.check(head(6))
    floors.check(head(1, device=DESKTOP))
    floors.check(head(1, keys=OTHERS_KEYS))
    with pytest.raises(IntegrityError, match="older"):
        floors.check(head(4))


def test_floors_rise_with_what_other_devices_have_seen() -> None:
    floors = Floors().raised([head(2, seen={DESKTOP: 7})])
    with pytest.raises(IntegrityError):
        floors.check(head(6, device=DESKTOP))
    floors.check(head(6, device=DESKTOP, keys=OTHERS_KEYS))
    assert Floors(floors.sequences) == floors == floors.raised([])


def test_an_impossible_head_is_not_signed() -> None:
    with pytest.raises(FormatError):
        head(3, complete=HeadRef(3, bytes(32)))
    with pytest.raises(FormatError):
        head(0)
    with pytest.raises(FormatError):
        head(2, seen={NodeId(number.to_bytes(32, "big")): 1 for number in range(SEEN_MAX + 1)})
