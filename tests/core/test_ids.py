"""Ids and how they are printed, and that BLAKE3 here is the official one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from capsa.core.ids import (
    BlockId,
    block_id,
    format_block_id,
    format_id,
    from_base32,
    parse_block_id,
    parse_id,
    to_base32,
)
from capsa.errors import UsageError

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[1] / "vectors" / "ids.json").read_text())
OFFICIAL = Path(__file__).parents[2].parent / "shared" / "vectors" / "blake3.json"


@pytest.mark.parametrize("vector", VECTORS["block_ids"])
def test_a_block_id_is_blake3_printed_as_a_cid(vector: dict[str, str]) -> None:
    found = block_id(bytes.fromhex(vector["block"]))
    assert found.hex() == vector["id"]
    assert format_block_id(found) == vector["cid"]
    assert parse_block_id(vector["cid"]) == found


def test_a_cid_names_version_codec_hash_and_length() -> None:
    text = format_block_id(BlockId(bytes(32)))
    assert len(text) == 59
    assert base64.b32decode(text[1:].upper() + "======") == bytes((1, 0x55, 0x1E, 32)) + bytes(32)


@pytest.mark.parametrize("vector", VECTORS["block_id_fails"], ids=lambda vector: vector["why"])
def test_what_is_not_a_raw_blake3_cid_is_refused(vector: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        parse_block_id(vector["text"])


@pytest.mark.parametrize("vector", VECTORS["ids"])
def test_other_ids_are_plain_base32(vector: dict[str, str]) -> None:
    identifier = bytes.fromhex(vector["id"])
    assert format_id(identifier) == vector["text"]
    assert parse_id(vector["text"], len(identifier)) == identifier


@pytest.mark.parametrize("vector", VECTORS["id_fails"], ids=lambda vector: vector["why"])
def test_malformed_ids_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        parse_id(vector["text"], vector["size"])


@pytest.mark.parametrize("text", ["a", "abc", "ab", "ay======", "AY", "a-", "aé"])
def test_only_canonical_base32_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"base32|ASCII"):
        from_base32(text)


def test_base32_round_trip() -> None:
    for size in range(11):
        assert from_base32(to_base32(bytes(range(size)))) == bytes(range(size))


def test_base32_is_that_of_the_standard_library_whatever_the_size() -> None:
    for size in range(200):
        for data in (bytes(size), b"\xff" * size, bytes(index * 37 % 251 for index in range(size))):
            assert to_base32(data) == base64.b32encode(data).decode().rstrip("=").lower()


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official vectors lie beside the checkout in CI only")
def test_official_blake3_vectors() -> None:
    official = json.loads(OFFICIAL.read_text())
    key = official["key"].encode()
    assert official["cases"]
    for case in official["cases"]:
        data = bytes(index % 251 for index in range(case["input_len"]))
        size = len(case["hash"]) // 2
        assert block_id(data).hex() == case["hash"][:64]
        assert blake3(data).digest(length=size).hex() == case["hash"]
        assert blake3(data, key=key).digest(length=size).hex() == case["keyed_hash"]
        derived = blake3(data, derive_key_context=official["context_string"])
        assert derived.digest(length=size).hex() == case["derive_key"]
