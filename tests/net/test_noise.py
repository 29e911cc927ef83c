"""The handshake against the official vectors, our own, and what must fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.records import RECORD_OVERHEAD, NoiseOpener, NoiseSealer
from capsa.errors import CapsaError, NotMemberError, ProtocolError
from capsa.net.noise import PATTERN, Handshake, static_public

OFFICIAL = Path(__file__).parents[3] / "shared" / "vectors" / "noise_xx.json"
OURS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "handshake.json").read_text())


def sides(**changes: Any) -> tuple[Handshake, Handshake]:
    """Initiator and responder with the keys of our vectors; `changes` are to the responder."""
    initiator: dict[str, Any] = {
        "static_private": bytes.fromhex(OURS["initiator_static"]),
        "ephemeral_private": bytes.fromhex(OURS["initiator_ephemeral"]),
        "secret": bytes.fromhex(OURS["secret"]),
        "prologue": bytes.fromhex(OURS["prologue"]),
    }
    responder = initiator | {
        "static_private": bytes.fromhex(OURS["responder_static"]),
        "ephemeral_private": bytes.fromhex(OURS["responder_ephemeral"]),
    }
    return Handshake(True, **initiator), Handshake(False, **(responder | changes))


def test_our_own_vectors() -> None:
    assert OURS["pattern"] == PATTERN
    initiator, responder = sides()
    for number, vector in enumerate(OURS["messages"]):
        writer, reader = (initiator, responder) if number % 2 == 0 else (responder, initiator)
        message = writer.write(bytes.fromhex(vector["payload"]))
        assert message.hex() == vector["message"]
        assert reader.read(message).hex() == vector["payload"]
    assert initiator.finished and responder.finished
    assert initiator.remote_static.hex() == OURS["responder_public"]
    assert responder.remote_static.hex() == OURS["initiator_public"]
    assert static_public(bytes.fromhex(OURS["initiator_static"])).hex() == OURS["initiator_public"]
    keys = (OURS["initiator_sends"], OURS["responder_sends"])
    assert tuple(key.hex() for key in initiator.split()) == keys
    assert tuple(key.hex() for key in responder.split()) == keys[::-1]


def official_side(vector: dict[str, Any], side: str) -> Handshake:
    return Handshake(
        side == "init",
        pattern=vector["protocol_name"],
        static_private=bytes.fromhex(vector[f"{side}_static"]),
        ephemeral_private=bytes.fromhex(vector[f"{side}_ephemeral"]),
        secret=tuple(map(bytes.fromhex, vector.get(f"{side}_psks", ()))),
        prologue=bytes.fromhex(vector[f"{side}_prologue"]),
    )


def run_official(vector: dict[str, Any]) -> None:
    initiator, responder = official_side(vector, "init"), official_side(vector, "resp")
    for number, message in enumerate(vector["messages"][:3]):
        writer, reader = (initiator, responder) if number % 2 == 0 else (responder, initiator)
        ciphertext = writer.write(bytes.fromhex(message["payload"]))
        assert ciphertext.hex() == message["ciphertext"]
        assert reader.read(ciphertext).hex() == message["payload"]
    if "AESGCM" not in vector["protocol_name"]:
        return
    # What follows the handshake are records, which are ours and know AES-GCM alone.
    sealers = [NoiseSealer(initiator.split()[0]), NoiseSealer(responder.split()[0])]
    openers = [NoiseOpener(responder.split()[1]), NoiseOpener(initiator.split()[1])]
    for number, message in enumerate(vector["messages"][3:], start=3):
        plaintext = bytes.fromhex(message["payload"])
        record = bytearray(len(plaintext) + RECORD_OVERHEAD)
        sealers[number % 2].seal_into(memoryview(record), memoryview(plaintext))
        assert record[2:].hex() == message["ciphertext"]
        opened = bytearray(len(plaintext))
        openers[number % 2].open_into(memoryview(opened), memoryview(record)[2:])
        assert opened == plaintext


def test_official_vectors() -> None:
    if not OFFICIAL.exists():
        pytest.skip(f"the official vectors are not beside the checkout ({OFFICIAL})")
    vectors = json.loads(OFFICIAL.read_text())["vectors"]
    names = [vector["protocol_name"] for vector in vectors]
    assert "Noise_XX_25519_AESGCM_SHA256" in names
    assert any("XXpsk0" in name and "AESGCM_SHA256" in name for name in names)
    for vector in vectors:
        run_official(vector)


@pytest.mark.parametrize(
    "changes", [{"secret": bytes(32)}, {"prologue": b"another network"}], ids=["another secret", "another network"]
)
def test_strangers_fail_at_the_first_message(changes: dict[str, Any]) -> None:
    initiator, responder = sides(**changes)
    with pytest.raises(NotMemberError):
        responder.read(initiator.write())


@pytest.mark.parametrize("number", [0, 1, 2])
@given(data=st.data())
def test_any_change_on_the_way_is_noticed(number: int, data: st.DataObject) -> None:
    initiator, responder = sides()
    for earlier in range(number):
        writer, reader = (initiator, responder) if earlier % 2 == 0 else (responder, initiator)
        reader.read(writer.write(b"proof"))
    writer, reader = (initiator, responder) if number % 2 == 0 else (responder, initiator)
    message = bytearray(writer.write(b"proof"))
    if data.draw(st.booleans()):
        del message[data.draw(st.integers(0, len(message) - 1)) :]
    else:
        # The top bit of a Curve25519 point is ignored (RFC 7748), but hashed: it fails too.
        message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CapsaError):
        reader.read(message)


def test_a_point_of_low_order_is_refused() -> None:
    initiator, responder = sides()
    responder.read(initiator.write())
    message = bytearray(responder.write())
    message[:32] = bytes(32)
    with pytest.raises((ProtocolError, NotMemberError)):
        initiator.read(message)


def test_no_secret_in_its_representation() -> None:
    initiator, _ = sides()
    assert OURS["secret"] not in repr(initiator) and repr(initiator) == "Handshake(finished=False)"
