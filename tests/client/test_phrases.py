"""Recovery phrases: BIP-39, and errors that help without telling."""

from __future__ import annotations

import pytest

from capsa.client.phrases import entropy_of, phrase_of, wordlist
from capsa.core.kit import split_phrase
from capsa.errors import UsageError

ZERO = "abandon " * 23 + "art"
ONES = "zoo " * 23 + "vote"
"""The vectors of 256 bits that BIP-39 itself gives."""


@pytest.mark.parametrize(("phrase", "entropy"), [(ZERO, bytes(32)), (ONES, b"\xff" * 32)])
def test_official_vectors(phrase: str, entropy: bytes) -> None:
    assert entropy_of(phrase.split()) == entropy
    assert phrase_of(entropy) == phrase


@pytest.mark.parametrize(
    "typed",
    [
        ZERO.upper(),
        ZERO.replace(" ", "\n\t"),
        " ".join(f"{n}. {w}" for n, w in enumerate(ZERO.split())),
        "\uff41" + ZERO[1:],
    ],
)
def test_case_space_numbers_and_width_do_not_matter(typed: str) -> None:
    assert entropy_of(split_phrase(typed)) == bytes(32)


@pytest.mark.parametrize(
    ("phrase", "says"),
    [
        ("", "has 24 words, and this has 0"),
        ("abandon " * 12, "this has 12"),
        (ZERO + " art", "this has 25"),
        ("abandon " * 24, "checksum"),
        ("art " + "abandon " * 23, "checksum"),
        ("abandon " * 6 + "xyzzy " + "abandon " * 16 + "art", "^Word 7 of"),
        ("xyzzy " * 2 + "abandon " * 21 + "art", "^Words 1 and 2 of"),
    ],
)
def test_what_is_no_phrase_is_told_by_place_and_never_repeated(phrase: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        entropy_of(split_phrase(phrase))
    told = {word.strip(".,:").lower() for word in f"{raised.value.message} {raised.value.hint}".split()}
    assert not told & {"abandon", "art", "xyzzy"}


def test_the_wordlist_is_the_english_one() -> None:
    assert len(set(wordlist())) == 2048
