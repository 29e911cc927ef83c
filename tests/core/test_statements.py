"""Statements and node records: frozen vectors, what must be refused, and what makers refuse to make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from capsa.core.encoding import encode
from capsa.core.ids import NetworkId, OwnerId
from capsa.core.keys import DeviceKey, Ed25519Key
from capsa.core.signing import Signed, decode_signed, encode_signed, sign
from capsa.core.statements import (
    COPIES_MAX,
    KEEPS_MAX,
    NAME_LENGTH_MAX,
    STATEMENT_SIZE_MAX,
    NodeRecord,
    Revocation,
    admit,
    certify,
    check_name,
    digest,
    found,
    invite,
    join,
    network_id,
    read_statement,
    record,
    revoke,
    verify_record,
    verify_statement,
)
from capsa.errors import FormatError, IntegrityError, SignatureError, UsageError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "statements.json").read_text("utf-8"))
SEEDS = {name: bytes.fromhex(seed) for name, seed in VECTORS["seeds"].items()}
NETWORK = NetworkId(bytes.fromhex(VECTORS["network"]))
FOUNDER, JOINER, ONE_TIME = (Ed25519Key(SEEDS[name]) for name in ("founder", "joiner", "one_time"))
FOUNDER_DEVICE, JOINER_DEVICE = (DeviceKey(SEEDS[name]) for name in ("founder_device", "joiner_device"))
GOOD = {name: bytes.fromhex(vector["signed"]) for name, vector in VECTORS["statements"].items()}
T = 1_800_000_000

RECORD = NodeRecord(
    owner=JOINER.public,
    addresses=("tcp://192.0.2.7:4747", "tcp://[2001:db8::1]:4747"),
    capacity=200_000_000_000,
    free=150_000_000_000,
    zone="attic",
    full=False,
    incarnation=5,
    name="laptop",
)


def named(name: str) -> bytes:
    return digest(decode_signed(GOOD[name]))


MAKERS: dict[str, Callable[[], Signed]] = {
    "founding": lambda: found(FOUNDER, nonce=read_nonce(), created=T, name="Olga", copies=3),
    "invite": lambda: invite(
        FOUNDER, NETWORK, one_time=ONE_TIME.public, created=T + 1, expires=T + 172800, name="Änne 🐙"
    ),
    "join": lambda: join(ONE_TIME, JOINER, NETWORK, created=T + 2, name="Anna"),
    "certificate": lambda: certify(JOINER, JOINER_DEVICE, NETWORK, created=T + 2, name="laptop"),
    "admission": lambda: admit(
        FOUNDER_DEVICE, NETWORK, join_digest=named("join"), owner=OwnerId(JOINER.public), admitted=T + 3
    ),
    "revocation": lambda: revoke(
        FOUNDER, NETWORK, subject=JOINER.public, created=T + 4, keeps=(named("admission"), named("invite"))
    ),
    "record": lambda: record(JOINER_DEVICE, NETWORK, RECORD),
    "of a later version": lambda: sign(FOUNDER, "oath", NETWORK, b"\x93\x01\x02\x03"),
}


def read_nonce() -> bytes:
    return decode_signed(GOOD["founding"]).body[-16:]


def admit_to_set(data: bytes, network: NetworkId = NETWORK) -> Signed:
    """What happens to every statement or record that arrives."""
    signed = decode_signed(data)
    if signed.kind == "record":
        verify_record(signed, network)
    else:
        verify_statement(signed, network)
    return signed


@pytest.mark.parametrize("name", GOOD)
def test_statements_are_frozen(name: str) -> None:
    assert encode_signed(MAKERS[name]()) == GOOD[name]
    assert digest(admit_to_set(GOOD[name])).hex() == VECTORS["statements"][name]["digest"]


def test_the_network_is_named_by_its_founding() -> None:
    assert network_id(decode_signed(GOOD["founding"])) == NETWORK


@pytest.mark.parametrize("name", GOOD)
def test_no_statement_survives_a_changed_byte(name: str) -> None:
    for position in range(len(GOOD[name])):
        for flip in (0x01, 0x80):
            changed = bytearray(GOOD[name])
            changed[position] ^= flip
            with pytest.raises(IntegrityError):
                admit_to_set(bytes(changed))


@pytest.mark.parametrize("name", GOOD)
def test_no_statement_survives_being_cut(name: str) -> None:
    for size in range(len(GOOD[name])):
        with pytest.raises(IntegrityError):
            admit_to_set(GOOD[name][:size])


@pytest.mark.parametrize("name", GOOD)
def test_statements_belong_to_one_network(name: str) -> None:
    with pytest.raises(SignatureError, match="another network"):
        admit_to_set(GOOD[name], NetworkId(bytes(32)))


@pytest.mark.parametrize("vector", VECTORS["must_fail"], ids=lambda vector: str(vector["why"]))
def test_what_must_fail_fails(vector: dict[str, str]) -> None:
    with pytest.raises(IntegrityError) as caught:
        verify_statement(decode_signed(bytes.fromhex(vector["signed"])), NETWORK)
    assert caught.value.kind == vector["error"]


def test_an_unknown_kind_is_kept_unread_within_bounds() -> None:
    assert read_statement(decode_signed(GOOD["of a later version"])) is None
    largest = STATEMENT_SIZE_MAX - len(encode_signed(sign(FOUNDER, "oath", NETWORK, bytes(300)))) + 300
    verify_statement(sign(FOUNDER, "oath", NETWORK, bytes(largest)), NETWORK)
    with pytest.raises(FormatError, match="longer"):
        verify_statement(sign(FOUNDER, "oath", NETWORK, bytes(largest + 1)), NETWORK)


def test_a_revocation_of_the_most_kept_statements_fits() -> None:
    keeps = tuple(number.to_bytes(32, "big") for number in range(KEEPS_MAX))
    verify_statement(revoke(FOUNDER, NETWORK, subject=JOINER.public, created=T, keeps=keeps), NETWORK)
    with pytest.raises(UsageError):
        revoke(FOUNDER, NETWORK, subject=JOINER.public, created=T, keeps=(*keeps, b"\xff" * 32))
    forced = Revocation(JOINER.public, (*keeps, b"\xff" * 32), T)
    with pytest.raises(FormatError):
        verify_statement(sign(FOUNDER, "revocation", NETWORK, encode(forced)), NETWORK)


@pytest.mark.parametrize(
    "name", ["a" * (NAME_LENGTH_MAX + 1), "\x00", "a\nb", "\x1b[2J", "\x7f", "\x9b", "\u202e", "\u2028"]
)
def test_makers_refuse_names_that_others_would_refuse(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
    with pytest.raises(UsageError):
        found(FOUNDER, nonce=bytes(16), created=T, name=name)
    with pytest.raises(UsageError):
        record(JOINER_DEVICE, NETWORK, replace(RECORD, zone=name))


@pytest.mark.parametrize("name", ["", "Olga", "a" * NAME_LENGTH_MAX, "Zoë O’Neil-山田 👩‍🚀", "שלום"])
def test_names_of_people_are_taken(name: str) -> None:
    assert check_name(name) == name
    verify_statement(certify(JOINER, JOINER_DEVICE, NETWORK, created=T, name=name), NETWORK)


@pytest.mark.parametrize("copies", [-1, COPIES_MAX + 1])
def test_an_impossible_number_of_copies_is_refused(copies: int) -> None:
    with pytest.raises(UsageError):
        found(FOUNDER, nonce=bytes(16), created=T, copies=copies)


@pytest.mark.parametrize(
    "changed",
    [
        replace(RECORD, addresses=("tcp://192.0.2.7:4747",) * 17),
        replace(RECORD, addresses=("tcp://" + "a" * 256,)),
        replace(RECORD, addresses=("tcp://\x1b[2J",)),
        replace(RECORD, capacity=-1),
        replace(RECORD, free=2**63),
        replace(RECORD, owner=b"short"),
    ],
)
def test_a_record_out_of_bounds_is_refused(changed: NodeRecord) -> None:
    with pytest.raises(FormatError):
        verify_record(record(JOINER_DEVICE, NETWORK, changed), NETWORK)


def test_a_statement_is_no_record() -> None:
    with pytest.raises(FormatError):
        verify_record(decode_signed(GOOD["certificate"]), NETWORK)
