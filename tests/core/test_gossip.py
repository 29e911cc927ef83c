"""Gossip: what is believed, what is passed over, whom a lie is laid to, and that any two nodes become equal."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from capsa.core import gossip as gossip_module
from capsa.core.gossip import Gossip, Record
from capsa.core.heads import Head, HeadRef, make_head
from capsa.core.ids import NodeId
from capsa.core.keys import DeviceKey, OwnerKeys
from capsa.core.messages import BODY_SIZE_MAX, LIST_MAX, Sync
from capsa.core.signing import Signed, encode_signed, sign
from capsa.core.statements import (
    NodeRecord,
    admit,
    certify,
    digest,
    found,
    invite,
    join,
    network_id,
    record,
    revoke,
)
from capsa.core.trust import Roster
from capsa.errors import FormatError, IntegrityError, ProtocolError


def seed(name: str) -> bytes:
    return blake3(name.encode()).digest()


FOUNDER, GUEST, STRANGER = (OwnerKeys.from_entropy(seed(name)) for name in ("founder", "guest", "stranger"))
FOUNDER_DEVICE, GUEST_DEVICE, STRANGER_DEVICE = (DeviceKey(seed(f"device of {n}")) for n in ("f", "g", "s"))
ONE_TIME = DeviceKey(seed("one-time"))

FOUNDING = found(FOUNDER.signing, nonce=bytes(16), created=1)
NETWORK = network_id(FOUNDING)
INVITE = invite(FOUNDER.signing, NETWORK, one_time=ONE_TIME.public, created=2)
JOIN = join(ONE_TIME, GUEST.signing, NETWORK, created=3)
MEMBERSHIP = [
    FOUNDING,
    certify(FOUNDER.signing, FOUNDER_DEVICE, NETWORK, created=1),
    INVITE,
    JOIN,
    admit(FOUNDER_DEVICE, NETWORK, join_digest=digest(JOIN), owner=GUEST.owner, admitted=4),
    certify(GUEST.signing, GUEST_DEVICE, NETWORK, created=5),
]
STRANGERS = [certify(STRANGER.signing, STRANGER_DEVICE, NETWORK, created=1)]
GUEST_OUT = revoke(FOUNDER.signing, NETWORK, subject=GUEST.owner, created=9)
DEVICE_OUT = revoke(GUEST.signing, NETWORK, subject=GUEST_DEVICE.node, created=9)


def bytes_of(signed: Iterable[Signed]) -> list[bytes]:
    return [encode_signed(each) for each in signed]


def record_of(owner: OwnerKeys, device: DeviceKey, incarnation: int = 1) -> bytes:
    values = NodeRecord(owner.owner, ("tcp://host:4747",), 10**9, 10**9, "", False, incarnation, "n")
    return encode_signed(record(device, NETWORK, values))


def chain_of(owner: OwnerKeys, device: NodeId, length: int, complete: int = 0) -> list[Head]:
    """Heads 1 to `length` of a device; each names as complete the one `complete` before it, if there is one."""
    heads: list[Head] = []
    for sequence in range(1, length + 1):
        whole = heads[-complete] if complete and len(heads) >= complete else None
        heads.append(
            make_head(
                owner,
                NETWORK,
                device=device,
                sequence=sequence,
                lamport=sequence,
                previous=heads[-1].ref if heads else None,
                root=None,
                entries=0,
                complete=HeadRef(whole.sequence, whole.digest) if whole else None,
                seen={},
                created=sequence,
            )
        )
    return heads


def signed_heads(heads: Iterable[Head]) -> list[bytes]:
    return [head.signed for head in heads]


def unknown(key: DeviceKey, number: int = 0, size: int = 10) -> bytes:
    return encode_signed(sign(key, "hologram", NETWORK, number.to_bytes(4, "big") + bytes(size)))


def node() -> Gossip[Roster]:
    return Gossip(encode_signed(FOUNDING), Roster.evaluate)


def full_node() -> Gossip[Roster]:
    gossip = node()
    gossip.learn(statements=bytes_of(MEMBERSHIP))
    return gossip


def contents(gossip: Gossip[Roster]) -> tuple[list[Signed], list[Record], list[Head]]:
    return gossip.statements(), gossip.records(), gossip.heads()


def over_the_wire(sync: Sync) -> Sync:
    """The message as the other side decodes it, so that its bounds are proven too."""
    body = msgspec.msgpack.encode(sync)
    assert len(body) <= BODY_SIZE_MAX
    return msgspec.msgpack.decode(body, type=Sync)


def exchange(one: Gossip[Roster], other: Gossip[Roster], first: Sync | None = None) -> Sync:
    """One request and its reply, both absorbed; returns the reply's answer, which is the next request."""
    request = over_the_wire(first or one.offer())
    other.absorb(request)
    reply = over_the_wire(other.answer(request))
    one.absorb(reply)
    return one.answer(reply)


def test_a_node_that_knows_the_founding_learns_all_in_one_exchange() -> None:
    knows = full_node()
    heads = chain_of(GUEST, GUEST_DEVICE.node, 3)
    knows.learn(records=[record_of(GUEST, GUEST_DEVICE)], heads=signed_heads(heads))
    new = node()
    exchange(new, knows)
    assert contents(new) == contents(knows)
    assert new.roster.is_member(GUEST.owner)
    assert [each.node for each in new.records()] == [GUEST_DEVICE.node]
    assert {head.digest for head in new.heads()} == {head.digest for head in heads}


def test_what_is_learnt_is_told_once() -> None:
    gossip = full_node()
    record_blob, head = record_of(GUEST, GUEST_DEVICE), chain_of(GUEST, GUEST_DEVICE.node, 1)[0]
    learned = gossip.learn(records=[record_blob], heads=[head.signed], statements=bytes_of([DEVICE_OUT]))
    assert (len(learned.statements), len(learned.records), len(learned.heads)) == (1, 0, 1)
    assert not gossip.learn(records=[record_blob], heads=[head.signed], statements=bytes_of([DEVICE_OUT]))


def test_the_highest_incarnation_stays() -> None:
    gossip = full_node()
    for incarnation, news in ((2, 1), (1, 0), (2, 0), (3, 1)):
        assert len(gossip.learn(records=[record_of(GUEST, GUEST_DEVICE, incarnation)]).records) == news
    assert [each.values.incarnation for each in gossip.records()] == [3]


def test_heads_before_the_complete_one_go() -> None:
    gossip = full_node()
    heads = chain_of(GUEST, GUEST_DEVICE.node, 6, complete=2)
    for head in heads:
        gossip.learn(heads=[head.signed])
    assert {head.sequence for head in gossip.heads()} == {4, 5, 6}
    assert not gossip.learn(heads=[heads[0].signed])


@pytest.mark.parametrize(
    "sync",
    [
        Sync(records=(record_of(STRANGER, STRANGER_DEVICE),)),
        Sync(records=(record_of(FOUNDER, GUEST_DEVICE),)),
        Sync(heads=(chain_of(STRANGER, STRANGER_DEVICE.node, 1)[0].signed,)),
        Sync(heads=(chain_of(GUEST, FOUNDER_DEVICE.node, 1)[0].signed,)),
        Sync(statements=(unknown(STRANGER_DEVICE),)),
    ],
    ids=[
        "a stranger's record",
        "another owner's device",
        "a stranger's head",
        "a head for another's device",
        "unknown",
    ],
)
def test_what_no_member_says_is_passed_over(sync: Sync) -> None:
    gossip = full_node()
    before = contents(gossip)
    assert not gossip.absorb(sync)
    assert contents(gossip) == before


def damaged(blob: bytes) -> bytes:
    return blob[:-1] + bytes((blob[-1] ^ 1,))


OTHER_FOUNDING = found(STRANGER.signing, nonce=bytes(16), created=1)
GOOD = Sync(
    statements=tuple(bytes_of(MEMBERSHIP)),
    records=(record_of(GUEST, GUEST_DEVICE),),
    heads=tuple(signed_heads(chain_of(GUEST, GUEST_DEVICE.node, 1))),
)


@pytest.mark.parametrize("group", ["statements", "records", "heads"])
@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"garbage",
        damaged(record_of(GUEST, GUEST_DEVICE)),
        damaged(encode_signed(DEVICE_OUT)),
        damaged(GOOD.heads[0]),
        encode_signed(OTHER_FOUNDING),
        encode_signed(certify(GUEST.signing, GUEST_DEVICE, network_id(OTHER_FOUNDING), created=1)),
        encode_signed(sign(GUEST.signing, "claim", NETWORK, b"")),
    ],
)
def test_whoever_passes_on_a_lie_is_named_and_nothing_is_learnt(group: str, lie: bytes) -> None:
    gossip = node()
    before = contents(gossip)
    with pytest.raises(ProtocolError, match="other side"):
        gossip.absorb(msgspec.structs.replace(GOOD, **{group: (*getattr(GOOD, group), lie)}))
    assert contents(gossip) == before
    assert gossip.absorb(GOOD)


def test_our_own_mistakes_are_not_laid_to_a_peer() -> None:
    with pytest.raises(FormatError):
        node().learn(statements=[b"garbage"])
    with pytest.raises(IntegrityError):
        Gossip(encode_signed(INVITE), Roster.evaluate)


def test_a_revoked_owner_is_heard_no_more_but_a_revoked_devices_heads_stay() -> None:
    record_blob, heads = record_of(GUEST, GUEST_DEVICE), signed_heads(chain_of(GUEST, GUEST_DEVICE.node, 2))
    for out, heads_left in ((DEVICE_OUT, 2), (GUEST_OUT, 0)):
        gossip = full_node()
        gossip.learn(records=[record_blob], heads=heads)
        gossip.learn(statements=bytes_of([out]))
        assert gossip.records() == []
        assert len(gossip.heads()) == heads_left
        behind = full_node()
        behind.learn(records=[record_blob], heads=heads)
        exchange(behind, gossip)
        assert contents(behind) == contents(gossip)


def test_unknown_kinds_of_members_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossip_module, "UNKNOWN_SIZE_MAX", 3 * len(unknown(GUEST_DEVICE)))
    gossip = full_node()
    learned = gossip.learn(statements=[unknown(GUEST_DEVICE, number) for number in range(5)])
    assert len(learned.statements) == 3
    assert len(gossip.learn(statements=[unknown(FOUNDER_DEVICE)]).statements) == 1
    new = node()
    exchange(new, gossip)
    assert contents(new) == contents(gossip)


def test_statements_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossip_module, "STATEMENTS_SIZE_MAX", sum(map(len, bytes_of(MEMBERSHIP))))
    gossip = full_node()
    assert not gossip.learn(statements=bytes_of([DEVICE_OUT]))
    assert len(gossip.statements()) == len(MEMBERSHIP)


def test_sets_larger_than_a_message_converge_shard_by_shard() -> None:
    one, other = full_node(), full_node()
    blobs = [unknown(GUEST_DEVICE, number) for number in range(LIST_MAX + 200)]
    one.learn(statements=blobs[: LIST_MAX + 100])
    other.learn(statements=blobs[LIST_MAX:])
    request = one.offer()
    for _ in range(6):
        request = exchange(one, other, request)
    assert contents(one) == contents(other)
    assert len(one.statements()) == len(blobs) + len(MEMBERSHIP)
    offers = [one.offer() for _ in range(2)]
    assert {(offer.shard, offer.shards) for offer in offers} == {(0, 2), (1, 2)}
    assert [other.answer(offer).statements for offer in offers] == [(), ()]


def test_blobs_larger_than_a_message_come_in_several() -> None:
    one, other = full_node(), full_node()
    signers = [DeviceKey(seed(f"device {n}")) for n in range(8)]
    certificates = bytes_of(certify(GUEST.signing, key, NETWORK, created=1) for key in signers)
    one.learn(statements=[*certificates, *(unknown(key, n, 40_000) for key in signers for n in range(5))])
    first = one.answer(other.offer())
    assert 700_000 < len(msgspec.msgpack.encode(first)) <= BODY_SIZE_MAX
    request = other.offer()
    for _ in range(4):
        request = exchange(other, one, request)
    assert contents(one) == contents(other) and len(one.statements()) == len(MEMBERSHIP) + 48


GUEST_HEADS = signed_heads(chain_of(GUEST, GUEST_DEVICE.node, 6, complete=3))
FOUNDER_HEADS = signed_heads(chain_of(FOUNDER, FOUNDER_DEVICE.node, 3))
THINGS = [
    *(("statements", blob) for blob in bytes_of([*MEMBERSHIP[1:], *STRANGERS, GUEST_OUT, DEVICE_OUT])),
    *(("statements", unknown(GUEST_DEVICE, number)) for number in range(2)),
    *(("records", record_of(GUEST, GUEST_DEVICE, incarnation)) for incarnation in (1, 2, 3)),
    *(("records", record_of(FOUNDER, FOUNDER_DEVICE, incarnation)) for incarnation in (1, 2)),
    *(("heads", blob) for blob in (*GUEST_HEADS, *FOUNDER_HEADS)),
]
subsets = st.builds(
    lambda things, knows_members: [*(("statements", b) for b in bytes_of(MEMBERSHIP) if knows_members), *things],
    st.lists(st.sampled_from(THINGS), unique=True),
    st.booleans(),
)


@given(subsets, subsets)
def test_two_rounds_make_any_two_nodes_equal(first: list[tuple[str, bytes]], second: list[tuple[str, bytes]]) -> None:
    one, other = node(), node()
    for gossip, things in ((one, first), (other, second)):
        for group, blob in things:
            gossip.learn(**{group: [blob]})
    request = exchange(one, other)
    exchange(one, other, request)
    assert contents(one) == contents(other)
    last = one.answer(other.offer())
    assert (last.statements, last.records, last.heads) == ((), (), ())
