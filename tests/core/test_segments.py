"""The segment format is frozen, and refuses what it would not have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsa.core.segments import (
    RecordHeader,
    RecordKind,
    SegmentHeader,
    decode_record_header,
    decode_segment_header,
    encode_record_header,
    encode_segment_header,
    record_size,
)
from capsa.errors import FormatError, HomeError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "segments.json").read_text())
SEGMENT = SegmentHeader(VECTORS["segment"]["number"], bytes.fromhex(VECTORS["segment"]["secret"]))


def test_segment_header() -> None:
    header = bytes.fromhex(VECTORS["segment"]["header"])
    assert encode_segment_header(SEGMENT) == header
    assert decode_segment_header(header) == SEGMENT


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda vector: RecordKind(vector["kind"]).name)
def test_record_header(vector: dict[str, Any]) -> None:
    identifier, claim = bytes.fromhex(vector["id"]), bytes.fromhex(vector["claim"])
    header = RecordHeader(RecordKind(vector["kind"]), vector["length"], identifier, claim, vector["came"])
    encoded = bytes.fromhex(vector["header"])
    assert encode_record_header(SEGMENT, vector["offset"], header) == encoded
    assert decode_record_header(SEGMENT, vector["offset"], encoded) == header
    other_secret = SegmentHeader(SEGMENT.number, bytes(32))
    other_number = SegmentHeader(SEGMENT.number + 1, SEGMENT.secret)
    assert decode_record_header(other_secret, vector["offset"], encoded) is None
    assert decode_record_header(other_number, vector["offset"], encoded) is None


@pytest.mark.parametrize("vector", VECTORS["must_fail"]["segments"], ids=lambda vector: vector["why"])
def test_refused_segment_headers(vector: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        decode_segment_header(bytes.fromhex(vector["header"]))


@pytest.mark.parametrize("vector", VECTORS["must_fail"]["records"], ids=lambda vector: vector["why"])
def test_refused_record_headers(vector: dict[str, Any]) -> None:
    assert decode_record_header(SEGMENT, vector["offset"], bytes.fromhex(vector["header"])) is None


def test_every_bit_of_a_record_header_counts() -> None:
    vector = VECTORS["records"][0]
    for at in range(88):
        flipped = bytearray.fromhex(vector["header"])
        flipped[at] ^= 0x80
        assert decode_record_header(SEGMENT, vector["offset"], flipped) is None


def test_a_newer_segment_is_told_from_a_damaged_one() -> None:
    with pytest.raises(HomeError, match="newer"):
        decode_segment_header(bytes.fromhex(VECTORS["newer"]))


@pytest.mark.parametrize(("length", "size"), [(0, 88), (1, 96), (8, 96), (1_048_593, 1_048_688)])
def test_records_are_aligned(length: int, size: int) -> None:
    assert record_size(length) == size


def test_the_secret_stays_out_of_sight() -> None:
    assert SEGMENT.secret.hex() not in repr(SEGMENT) and repr(SEGMENT.secret) not in repr(SEGMENT)
