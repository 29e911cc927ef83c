"""Frames: frozen streams, refused ones, and that any cut of any messages gives the messages back."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.frames import FRAME_SIZE_MAX, MESSAGE_SIZE_MAX, SMALL_SIZE_MAX, FrameReader, FrameWriter, Outgoing
from capsa.core.records import PLAINTEXT_SIZE_MAX
from capsa.errors import ProtocolError
from capsa.testing.transports import pattern

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text())


def drain(writer: FrameWriter, limit: int = PLAINTEXT_SIZE_MAX) -> list[bytes]:
    plaintexts = []
    while plaintext := bytes(writer.next(limit)):
        assert len(plaintext) <= limit
        plaintexts.append(plaintext)
    assert not writer.pending
    return plaintexts


def read(*portions: bytes) -> list[bytes]:
    messages: list[bytes] = []
    reader = FrameReader(lambda message: messages.append(bytes(message)))
    for portion in portions:
        reader.feed(memoryview(portion))
    return messages


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: str(vector["sizes"]))
def test_streams_are_frozen(vector: dict[str, Any]) -> None:
    writer = FrameWriter()
    for size in vector["sizes"]:
        writer.send(Outgoing([pattern(size)]))
    stream = b"".join(drain(writer))
    assert (len(stream), stream[:24].hex()) == (vector["length"], vector["start"])
    assert hashlib.sha256(stream).hexdigest() == vector["sha256"]
    assert sorted(read(stream)) == sorted(pattern(size) for size in vector["sizes"])


@pytest.mark.parametrize("vector", VECTORS["must_fail"], ids=lambda vector: vector["why"])
def test_streams_that_break_the_rules(vector: dict[str, Any]) -> None:
    stream = bytes.fromhex(vector["stream"])
    for portions in ([stream], [bytes((byte,)) for byte in stream]):
        with pytest.raises(ProtocolError):
            read(*portions)


def test_no_memory_is_taken_for_a_length_out_of_bounds() -> None:
    stream = bytes.fromhex("02000001") + (2**32 - 1).to_bytes(4, "big")
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            read(stream)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@given(
    messages=st.lists(
        st.lists(st.sampled_from([0, 1, 50, 8_191, 8_192, 16_000, 70_000]), min_size=1, max_size=4).filter(any),
        max_size=6,
    ),
    limit=st.integers(64, PLAINTEXT_SIZE_MAX),
    cut=st.integers(1, 70_000),
)
def test_any_messages_in_any_portions_arrive(messages: list[list[int]], limit: int, cut: int) -> None:
    writer = FrameWriter()
    sent = []
    left: list[int] = []
    for number, sizes in enumerate(messages):
        parts = [pattern(size + number)[number:] for size in sizes]
        sent.append(b"".join(parts))
        writer.send(Outgoing(parts, lambda number=number: left.append(number)))  # type: ignore[misc]
    stream = b"".join(drain(writer, limit))
    arrived = read(*(stream[at : at + cut] for at in range(0, len(stream), cut)))
    assert sorted(arrived) == sorted(sent)
    assert [one for one in arrived if len(one) > SMALL_SIZE_MAX] == [one for one in sent if len(one) > SMALL_SIZE_MAX]
    assert sorted(left) == list(range(len(sent)))


def test_a_small_message_waits_for_one_frame_at_most() -> None:
    writer = FrameWriter()
    writer.send(Outgoing([pattern(1_000_000)]))
    sent = len(writer.next(PLAINTEXT_SIZE_MAX))
    sent += len(writer.next(PLAINTEXT_SIZE_MAX))
    writer.send(Outgoing([b"urgent"]))
    before_urgent = b"".join(drain(writer)).index(b"urgent")
    assert sent + before_urgent <= FRAME_SIZE_MAX + 16


def test_bulk_is_not_copied() -> None:
    payload = bytearray(pattern(200_000))
    writer = FrameWriter()
    writer.send(Outgoing([b"head", payload]))
    writer.next(PLAINTEXT_SIZE_MAX)
    piece = writer.next(PLAINTEXT_SIZE_MAX)
    assert len(piece) == PLAINTEXT_SIZE_MAX and piece.obj is payload


def test_bulk_lands_in_its_message() -> None:
    messages: list[memoryview] = []
    reader = FrameReader(messages.append)
    reader.feed(memoryview(bytes.fromhex("0200c350") + (50_000).to_bytes(4, "big")))
    assert len(reader.room) == 50_000
    reader.room[:50_000] = pattern(50_000)
    reader.advance(50_000)
    assert messages[0] == pattern(50_000)


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_message_that_has_not_begun_can_be_withdrawn(size: int) -> None:
    writer = FrameWriter()
    message = Outgoing([bytes(size)])
    writer.send(message)
    assert writer.withdraw(message) and not writer.pending and not writer.next(1000)


def test_a_message_that_has_begun_goes_on_from_a_copy() -> None:
    payload = bytearray(pattern(300_000))
    writer = FrameWriter()
    message = Outgoing([payload])
    writer.send(message)
    start = bytes(writer.next(1000)) + bytes(writer.next(1000))
    assert not writer.withdraw(message)
    payload[:] = bytes(300_000)
    assert read(start, *drain(writer)) == [pattern(300_000)]


def test_the_largest_message_passes() -> None:
    writer = FrameWriter()
    writer.send(Outgoing([bytes(MESSAGE_SIZE_MAX)]))
    assert [len(message) for message in read(*drain(writer))] == [MESSAGE_SIZE_MAX]
