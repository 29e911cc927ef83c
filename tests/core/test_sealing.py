"""Sealing: frozen blocks, refused blocks, and padding."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.ids import block_id
from capsa.core.keys import Label
from capsa.core.sealing import (
    BLOCK_SIZE_MAX,
    pad,
    padme,
    reseal_into,
    seal,
    seal_into,
    sealed_size,
    unpad,
    unseal,
    unseal_into,
)
from capsa.errors import FormatError, IntegrityError, from_wire

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "sealing.json").read_text())
SECRET = bytes(range(32))


@pytest.mark.parametrize("vector", VECTORS["seal"])
def test_blocks_are_frozen(vector: dict[str, Any]) -> None:
    label, plaintext = Label[vector["label"]], bytes.fromhex(vector["plaintext"])
    block, key = seal(bytes.fromhex(vector["secret"]), label, plaintext, vector["suite"])
    assert (block.hex(), key.hex(), block_id(block).hex()) == (vector["block"], vector["key"], vector["id"])
    assert unpad(unseal(key, label, block), len(plaintext)) == plaintext


def test_a_full_chunk_is_full() -> None:
    vector = VECTORS["full_chunk"]
    chunk = (bytes(range(251)) * 4178)[: 1024 * 1024]
    block = memoryview(bytearray(vector["size"]))
    key = seal_into(block, bytes.fromhex(vector["secret"]), Label[vector["label"]], chunk, vector["suite"])
    assert sealed_size(len(chunk)) == vector["size"]
    assert (key.hex(), block_id(block).hex()) == (vector["key"], vector["id"])
    again = memoryview(bytearray(len(block)))
    reseal_into(again, key, Label[vector["label"]], chunk, vector["suite"])
    assert again == block


@pytest.mark.parametrize("vector", VECTORS["unseal_fails"], ids=lambda vector: vector["why"])
def test_damaged_blocks_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(IntegrityError) as caught:
        unseal(bytes.fromhex(vector["key"]), Label[vector["label"]], bytes.fromhex(vector["block"]))
    assert type(caught.value) is type(from_wire(vector["kind"], ""))


def test_impossible_lengths_are_refused_before_anything_else() -> None:
    block, key = seal(SECRET, Label.SEAL_CHUNK, bytes(100))
    with pytest.raises(FormatError):
        unseal_into(memoryview(bytearray(len(block))), key, Label.SEAL_CHUNK, block)
    with pytest.raises(FormatError):
        unseal(key, Label.SEAL_CHUNK, bytes(BLOCK_SIZE_MAX + 1))


@pytest.mark.parametrize("vector", VECTORS["unpad_fails"], ids=lambda vector: vector["why"])
def test_wrong_padding_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        unpad(bytes.fromhex(vector["padded"]), vector["size"])


def test_secret_label_and_suite_all_enter_the_key() -> None:
    keys = {
        seal(secret, label, b"same", suite)[1]
        for secret in (SECRET, bytes(32))
        for label in (Label.SEAL_CHUNK, Label.SEAL_PAGE, Label.SEAL_CATALOG_PAGE)
        for suite in (1, 2)
    }
    assert len(keys) == 12


@pytest.mark.parametrize(("size", "padded"), VECTORS["padme"])
def test_padme_table(size: int, padded: int) -> None:
    assert padme(size) == padded


@given(st.integers(2, 2**62))
def test_padme_is_idempotent_and_costs_at_most_an_eighth(size: int) -> None:
    padded = padme(size)
    assert size <= padded <= size + size // 8 + 1
    assert padme(padded) == padded
    bits = size.bit_length() - 1
    assert padded % (1 << max(0, bits - math.floor(math.log2(max(bits, 1))) - 1)) == 0


@given(st.binary(max_size=2000))
def test_padding_comes_off_again(plaintext: bytes) -> None:
    assert unpad(pad(plaintext), len(plaintext)) == plaintext
