"""Caps and the text armour around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.caps import Cap, format_cap, looks_like_cap, parse_cap
from capsa.core.ids import BlockId
from capsa.core.text import SCHEME_CARD, SCHEME_INVITE, armour, unarmour
from capsa.errors import UsageError

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[1] / "vectors" / "caps.json").read_text())
CAP = Cap(BlockId(bytes.fromhex(VECTORS["caps"][0]["root"])), bytes.fromhex(VECTORS["caps"][0]["key"]))


@pytest.mark.parametrize("vector", VECTORS["caps"])
def test_caps_are_frozen(vector: dict[str, str]) -> None:
    cap = Cap(BlockId(bytes.fromhex(vector["root"])), bytes.fromhex(vector["key"]))
    assert format_cap(cap) == vector["text"]
    assert parse_cap(vector["text"]) == cap
    assert looks_like_cap(vector["text"])


@pytest.mark.parametrize("vector", VECTORS["pasted"], ids=lambda vector: vector["why"])
def test_people_paste(vector: dict[str, str]) -> None:
    assert looks_like_cap(vector["text"])
    assert parse_cap(vector["text"]) == CAP


@pytest.mark.parametrize("vector", VECTORS["fails"], ids=lambda vector: vector["why"])
def test_what_is_not_a_whole_cap_is_refused(vector: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cap(vector["text"])
    assert caught.value.hint


@pytest.mark.parametrize("vector", VECTORS["armour"])
def test_armour_is_frozen(vector: dict[str, str]) -> None:
    data = bytes.fromhex(vector["data"])
    assert armour(vector["scheme"], data) == vector["text"]
    assert unarmour(vector["scheme"], vector["text"], size_max=len(data)) == data


def test_the_size_bound_is_exact() -> None:
    text = armour(SCHEME_CARD, bytes(100))
    assert unarmour(SCHEME_CARD, text, size_max=100) == bytes(100)
    with pytest.raises(UsageError):
        unarmour(SCHEME_CARD, text, size_max=99)


def test_the_wrong_kind_of_text_is_named() -> None:
    with pytest.raises(UsageError, match="This is a contact card, not an invite"):
        unarmour(SCHEME_INVITE, armour(SCHEME_CARD, b"x"), size_max=100)


def test_the_key_is_not_shown() -> None:
    assert CAP.key.hex() not in repr(CAP)
    assert repr(CAP.key)[2:-1] not in repr(CAP)


def test_a_key_of_a_file_does_not_look_like_a_cap() -> None:
    assert not any(map(looks_like_cap, ("", "photos/x", "capsa-card:abc", "capsa-cap", "x capsa-cap:")))


@given(st.integers(10, 120), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_any_mistyped_letter_is_found(place: int, letter: str) -> None:
    text = format_cap(CAP)
    mistyped = text[:place] + letter + text[place + 1 :]
    if mistyped == text:
        assert parse_cap(mistyped) == CAP
    else:
        with pytest.raises(UsageError):
            parse_cap(mistyped)
