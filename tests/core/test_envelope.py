"""Envelopes and bodies: frozen messages, refused ones, and fields of a later version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsa.core.envelope import Codec, Envelope, Type, parse_envelope
from capsa.core.messages import PEER_MESSAGES, Ping, Pong
from capsa.errors import ProtocolError, UnknownKindError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "envelope.json").read_text())
CODEC = Codec(PEER_MESSAGES)


def body(code: int, data: bytes) -> Envelope:
    return Envelope(Type.REQUEST, code, 0, memoryview(data), memoryview(b""))


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["kind"])
def test_messages_are_frozen(vector: dict[str, Any]) -> None:
    message = bytes.fromhex(vector["message"])
    envelope = parse_envelope(memoryview(message))
    assert (envelope.type, envelope.request, envelope.payload.hex()) == (
        vector["type"],
        vector["request"],
        vector["payload"],
    )
    decoded = CODEC.decode(envelope)
    assert type(decoded).__name__ == vector["kind"]
    head = CODEC.encode(envelope.type, envelope.request, decoded, len(envelope.payload))
    assert bytes(head) + bytes(envelope.payload) == message


@pytest.mark.parametrize("vector", VECTORS["must_fail"], ids=lambda vector: vector["why"])
def test_envelopes_that_break_the_rules(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        parse_envelope(memoryview(bytes.fromhex(vector["message"])))


@pytest.mark.parametrize("vector", VECTORS["bodies_must_fail"], ids=lambda vector: vector["why"])
def test_bodies_that_break_the_rules(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        CODEC.decode(body(vector["code"], bytes.fromhex(vector["body"])))


def test_fields_of_a_later_version_are_ignored() -> None:
    assert CODEC.decode(body(Pong.code, msgspec.msgpack.encode([5, "new", {}]))) == Pong(5)


def test_a_code_that_is_not_ours() -> None:
    with pytest.raises(UnknownKindError):
        CODEC.decode(body(60_000, b"\x90"))
    with pytest.raises(UnknownKindError):
        Codec((Ping,)).decode(body(Pong.code, b"\x90"))


def test_every_message_has_a_code_of_its_own() -> None:
    assert len({message.code for message in PEER_MESSAGES}) == len(PEER_MESSAGES)
