"""Claims, releases and receipts: frozen vectors, bounds, and who may have signed what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from blake3 import blake3

from capsa.core.claims import (
    COPIES_MAX,
    PART_BLOCKS_MAX,
    PART_ITEMS_MAX,
    RELEASE_CLAIMS_MAX,
    RETAIN_UNTIL_MAX,
    ClaimItem,
    ClaimPart,
    ReleaseNote,
    check_receipt,
    make_part,
    make_receipt,
    make_release,
)
from capsa.core.ids import BlockId, ClaimId, NetworkId, NodeId
from capsa.core.keys import DeviceKey, Ed25519Key
from capsa.core.sealing import BLOCK_SIZE_MAX
from capsa.core.signing import SIGNED_SIZE_MAX, encode_signed, sign
from capsa.errors import FormatError, IntegrityError, SignatureError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "claims.json").read_text())
OWNER = Ed25519Key(bytes.fromhex(VECTORS["owner_seed"]))
DEVICE = DeviceKey(bytes.fromhex(VECTORS["device_seed"]))
NETWORK = NetworkId(bytes.fromhex(VECTORS["network"]))
OTHER_NETWORK = NetworkId(bytes(32))
HOME = NodeId(bytes.fromhex(VECTORS["part"]["home"]))


def vector_items() -> list[ClaimItem]:
    return [
        ClaimItem(
            ClaimId(bytes.fromhex(item["claim"])),
            item["copies"],
            item["retain_until"],
            tuple(BlockId(bytes.fromhex(block)) for block in item["ids"]),
            tuple(item["sizes"]),
        )
        for item in VECTORS["part"]["items"]
    ]


def claim_id(number: int) -> ClaimId:
    return ClaimId(number.to_bytes(16, "big"))


def block(number: int) -> BlockId:
    return BlockId(number.to_bytes(32, "big"))


def item(number: int = 0, blocks: int = 1, *, copies: int = 3, retain_until: int = 0, size: int = 5) -> ClaimItem:
    ids = tuple(block(index) for index in range(blocks))
    return ClaimItem(claim_id(number), copies, retain_until, ids, (size,) * blocks)


def test_the_part_vector_is_made_and_read() -> None:
    vector = VECTORS["part"]
    part = make_part(OWNER, NETWORK, HOME, vector["number"], vector_items())
    assert part.signed.hex() == vector["signed"]
    assert part.digest.hex() == vector["digest"] == blake3(part.signed).hexdigest()
    assert ClaimPart.parse(memoryview(part.signed), NETWORK) == part
    assert (part.owner, part.home, part.number) == (OWNER.public, HOME, 7)


def test_blocks_are_indexed_across_claims() -> None:
    first, second = vector_items()
    part = make_part(OWNER, NETWORK, HOME, 0, [first, second])
    assert part.blocks == (
        (first.ids[0], first.sizes[0], first),
        (first.ids[1], first.sizes[1], first),
        (second.ids[0], second.sizes[0], second),
    )


@pytest.mark.parametrize("vector", VECTORS["part_must_fail"], ids=lambda vector: vector["why"])
def test_parts_that_must_fail(vector: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        ClaimPart.parse(bytes.fromhex(vector["signed"]), NETWORK)


def test_every_flipped_byte_of_a_part_is_refused() -> None:
    signed = bytes.fromhex(VECTORS["part"]["signed"])
    for position in range(len(signed)):
        bad = bytearray(signed)
        bad[position] ^= 0x01
        with pytest.raises(IntegrityError):
            ClaimPart.parse(bad, NETWORK)


def test_the_largest_part_fits_what_is_signed() -> None:
    ids = [BlockId(blake3(index.to_bytes(2, "big")).digest()) for index in range(PART_ITEMS_MAX)]
    items = [ClaimItem(ClaimId(each[:16]), COPIES_MAX, RETAIN_UNTIL_MAX, (each,), (BLOCK_SIZE_MAX,)) for each in ids]
    part = make_part(OWNER, NETWORK, HOME, 2**32 - 1, items)
    assert len(part.signed) <= SIGNED_SIZE_MAX
    assert ClaimPart.parse(part.signed, NETWORK).items == tuple(items)
    one = make_part(OWNER, NETWORK, HOME, 0, [item(blocks=PART_BLOCKS_MAX)])
    assert len(ClaimPart.parse(one.signed, NETWORK).blocks) == PART_BLOCKS_MAX


@pytest.mark.parametrize(
    "items",
    [
        [],
        [item(n) for n in range(PART_ITEMS_MAX + 1)],
        [item(0, 600), item(1, 600)],
        [item(0, PART_BLOCKS_MAX + 1)],
        [item(0), item(0)],
        [item(0, 0)],
        [ClaimItem(claim_id(0), 1, 0, (block(0), block(1)), (5,))],
        [item(copies=COPIES_MAX + 1)],
        [item(copies=-1)],
        [item(retain_until=-1)],
        [item(retain_until=RETAIN_UNTIL_MAX + 1)],
        [item(size=0)],
        [item(size=BLOCK_SIZE_MAX + 1)],
    ],
)
def test_nothing_is_signed_that_no_peer_would_take(items: list[ClaimItem]) -> None:
    with pytest.raises(FormatError):
        make_part(OWNER, NETWORK, HOME, 0, items)


def test_blocks_of_all_claims_together_are_bounded_when_parsed() -> None:
    def wire(claim: int) -> tuple[bytes, int, int, bytes, tuple[int, ...]]:
        return claim_id(claim), 1, 0, bytes(32) * 600, (1,) * 600

    body = msgspec.msgpack.encode((1, bytes(32), 0, (wire(0), wire(1))))
    with pytest.raises(FormatError, match="1200 blocks"):
        ClaimPart.parse(encode_signed(sign(OWNER, "claim", NETWORK, body)), NETWORK)


def test_a_part_longer_than_its_bound_is_refused_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="at most"):
        ClaimPart.parse(bytes(SIGNED_SIZE_MAX + 1), NETWORK)


def test_the_release_vector_is_made_and_read() -> None:
    vector = VECTORS["release"]
    claims = [ClaimId(bytes.fromhex(claim)) for claim in vector["claims"]]
    note = make_release(OWNER, NETWORK, claims)
    assert (note.signed.hex(), note.digest.hex()) == (vector["signed"], vector["digest"])
    assert ReleaseNote.parse(note.signed, NETWORK) == note
    assert note.owner == OWNER.public and note.claims == tuple(claims)


@pytest.mark.parametrize("vector", VECTORS["release_must_fail"], ids=lambda vector: vector["why"])
def test_releases_that_must_fail(vector: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        ReleaseNote.parse(bytes.fromhex(vector["signed"]), NETWORK)


def test_a_release_names_a_bounded_number_of_claims() -> None:
    most = make_release(OWNER, NETWORK, [claim_id(n) for n in range(RELEASE_CLAIMS_MAX)])
    assert len(ReleaseNote.parse(most.signed, NETWORK).claims) == RELEASE_CLAIMS_MAX
    for count in (0, RELEASE_CLAIMS_MAX + 1):
        with pytest.raises(FormatError):
            make_release(OWNER, NETWORK, [claim_id(n) for n in range(count)])
    body = msgspec.msgpack.encode((1, bytes(16 * (RELEASE_CLAIMS_MAX + 1))))
    with pytest.raises(FormatError):
        ReleaseNote.parse(encode_signed(sign(OWNER, "release", NETWORK, body)), NETWORK)


def test_the_receipt_vector_is_made_and_holds() -> None:
    vector = VECTORS["receipt"]
    part, nonce = bytes.fromhex(vector["part"]), bytes.fromhex(vector["nonce"])
    ids = [BlockId(bytes.fromhex(each)) for each in vector["ids"]]
    receipt = make_receipt(DEVICE, NETWORK, part, ids, nonce)
    assert receipt.hex() == vector["signed"]
    check_receipt(receipt, network=NETWORK, holder=DEVICE.node, part_digest=part, ids=ids, nonce=nonce)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"network": OTHER_NETWORK}, SignatureError),
        ({"holder": NodeId(OWNER.public)}, SignatureError),
        ({"part_digest": bytes(32)}, SignatureError),
        ({"ids": [block(1)]}, SignatureError),
        ({"ids": [block(2), block(1)]}, SignatureError),
        ({"ids": []}, SignatureError),
        ({"nonce": bytes(16)}, SignatureError),
    ],
)
def test_a_receipt_counts_only_for_what_was_asked(changed: dict[str, Any], error: type[Exception]) -> None:
    asked: dict[str, Any] = {
        "network": NETWORK,
        "holder": DEVICE.node,
        "part_digest": bytes(range(32)),
        "ids": [block(1), block(2)],
        "nonce": b"n" * 16,
    }
    receipt = make_receipt(DEVICE, NETWORK, asked["part_digest"], asked["ids"], asked["nonce"])
    check_receipt(receipt, **asked)
    with pytest.raises(error):
        check_receipt(receipt, **asked | changed)


def test_every_flipped_byte_of_a_receipt_is_refused() -> None:
    receipt = make_receipt(DEVICE, NETWORK, bytes(32), [block(1)], b"n" * 16)
    for position in range(len(receipt)):
        bad = bytearray(receipt)
        bad[position] ^= 0x01
        with pytest.raises(IntegrityError):
            check_receipt(
                bad, network=NETWORK, holder=DEVICE.node, part_digest=bytes(32), ids=[block(1)], nonce=b"n" * 16
            )
