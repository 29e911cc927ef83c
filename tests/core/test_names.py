"""Keys: their normal form, what is refused, and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.names import check_key, check_prefix, folders_of, last_part
from capsa.errors import UsageError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "names.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["keys"], ids=lambda vector: vector["why"])
def test_keys(vector: dict[str, str]) -> None:
    assert check_key(vector["in"]).encode().hex() == vector["utf8"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_refused_keys(vector: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        check_key(vector["in"])
    assert caught.value.hint


@given(st.text(max_size=40))
def test_the_normal_form_is_its_own(text: str) -> None:
    try:
        key = check_key(text)
    except UsageError:
        return
    assert check_key(key) == key
    assert check_key("/".join((*list(folders_of(key))[-1:], last_part(key)))) == key


def test_a_huge_text_is_refused_without_being_normalised() -> None:
    with pytest.raises(UsageError, match="longer"):
        check_key("e\u0301" * 100_000)


@pytest.mark.parametrize(("text", "prefix"), [("", ""), ("a", "a"), ("a/", "a/"), ("e\u0301/", "\u00e9/")])
def test_prefixes(text: str, prefix: str) -> None:
    assert check_prefix(text) == prefix


@pytest.mark.parametrize("text", ["/", "a//", "..", "../", "a\n"])
def test_refused_prefixes(text: str) -> None:
    with pytest.raises(UsageError):
        check_prefix(text)


def test_folders() -> None:
    assert list(folders_of("a/b/c")) == ["a", "a/b"]
    assert list(folders_of("a")) == []
    assert last_part("a/b/c") == "c"
