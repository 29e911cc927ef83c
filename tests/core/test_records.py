"""Records: frozen bytes, and what must not open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsa.core import records
from capsa.core.records import PLAINTEXT_SIZE_MAX, RECORD_OVERHEAD, RECORD_SIZE_MAX, NoiseOpener, NoiseSealer
from capsa.errors import ProtocolError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "records.json").read_text())
KEY = bytes.fromhex(VECTORS["key"])


def seal(sealer: NoiseSealer, plaintext: bytes) -> bytes:
    out = bytearray(len(plaintext) + RECORD_OVERHEAD)
    assert sealer.seal_into(memoryview(out), memoryview(plaintext)) == len(out)
    return bytes(out)


def open_record(opener: NoiseOpener, record: bytes) -> bytes:
    out = bytearray(max(0, len(record) - RECORD_OVERHEAD))
    opener.open_into(memoryview(out), memoryview(record)[2:])
    return bytes(out)


def test_records_are_frozen() -> None:
    sealer, opener = NoiseSealer(KEY), NoiseOpener(KEY)
    for vector in VECTORS["records"]:
        plaintext, record = bytes.fromhex(vector["plaintext"]), bytes.fromhex(vector["record"])
        assert seal(sealer, plaintext) == record
        assert open_record(opener, record) == plaintext


@pytest.mark.parametrize("vector", VECTORS["must_fail"], ids=lambda vector: vector["why"])
def test_records_that_must_not_open(vector: dict[str, Any]) -> None:
    opener = NoiseOpener(KEY)
    for earlier in VECTORS["records"][: vector["count"]]:
        open_record(opener, bytes.fromhex(earlier["record"]))
    with pytest.raises(ProtocolError):
        open_record(opener, bytes.fromhex(vector["record"]))


def test_the_largest_record_fills_its_length() -> None:
    record = seal(NoiseSealer(KEY), bytes(PLAINTEXT_SIZE_MAX))
    assert len(record) == RECORD_SIZE_MAX and record[:2] == b"\xff\xff"


def test_a_key_is_used_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORDS_MAX", 2)
    sealer, opener = NoiseSealer(KEY), NoiseOpener(KEY)
    for _ in range(2):
        open_record(opener, seal(sealer, b"x"))
    with pytest.raises(ProtocolError):
        seal(sealer, b"x")
    with pytest.raises(ProtocolError):
        open_record(opener, bytes(20))
