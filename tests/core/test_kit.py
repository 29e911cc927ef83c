"""Recovery kits: what a page holds is read back from it, however people treated it."""

from __future__ import annotations

import re
import textwrap

import pytest

from capsa.core import statements as st
from capsa.core.cards import Contact, ContactCard, format_card, make_card
from capsa.core.keys import OwnerKeys
from capsa.core.kit import KIT_SIZE_MAX, PHRASE_WORDS, WIDTH, Kit, format_kit, read_kit, shorten_card, split_phrase
from capsa.errors import UsageError
from capsa.faces.cli.commands.kitpage import kit_page

WORDS = tuple(f"{first}{second}ord" for first in "abcd" for second in "aeiouy")
"""Stand for the words that phrases are made of."""
WORDLIST = frozenset(WORDS)
KEYS = OwnerKeys.from_entropy(bytes(32))
CODE = "█▀▄\n" * 3


def card(contacts: int = 3) -> ContactCard:
    founding = st.found(KEYS.signing, nonce=bytes(16), created=1, name="Ann", copies=3)
    members = [Contact(bytes([n] * 32), bytes([n] * 32), (f"tcp://192.0.2.{n}:4747",)) for n in range(contacts)]
    return make_card(founding, bytes(range(32)), tuple(members))


KIT = Kit(OwnerKeys.from_entropy(bytes(32)).owner, "Ann <&> Co", "Ann", "2026-11-22", WORDS, card())
TEXT = format_kit(KIT, CODE)


def without_numbers(text: str) -> str:
    return re.sub(r"\b\d{1,2}  ", "", text)


def in_one_paragraph(text: str) -> str:
    return " ".join(text.split())


def in_columns_downwards(text: str) -> str:
    """As somebody copies it who reads each column down: the numbers put it right."""
    order = [place for column in range(4) for place in range(column, PHRASE_WORDS, 4)]
    return "\n".join(f"{place + 1}) {WORDS[place]}" for place in order) + "\n" + format_card(KIT.card)


def in_pieces(text: str) -> str:
    """The card in groups of four, as people type long codes."""
    groups = " ".join(textwrap.wrap(format_card(KIT.card).partition(":")[2], 4))
    return f"{' '.join(WORDS)}\ncapsa-card: {groups}\n(the end)"


def card_first(text: str) -> str:
    return f"{format_card(KIT.card)}\n\n{' '.join(WORDS)}\n"


@pytest.mark.parametrize(
    "treat",
    [str, str.upper, in_one_paragraph, without_numbers, in_columns_downwards, in_pieces, card_first],
)
def test_a_text_is_read_back(treat: object) -> None:
    assert callable(treat)
    read = read_kit(treat(TEXT), WORDLIST)
    assert read.phrases[0] == WORDS
    assert read.card == KIT.card


def test_a_page_is_read_back_and_shows_names_as_they_are() -> None:
    page = kit_page(KIT, "<svg></svg>")
    read = read_kit(page, WORDLIST)
    assert (read.phrases[0], read.card) == (WORDS, KIT.card)
    assert "Ann &lt;&amp;&gt; Co" in page
    assert not re.search(r"<script|https?://|src=", page)


def test_a_text_fits_a_page_of_eighty_columns() -> None:
    assert max(map(len, TEXT.splitlines())) <= WIDTH
    assert CODE.rstrip() in TEXT


def test_a_mistyped_word_is_still_taken_for_one_of_the_phrase() -> None:
    """So that its place can be told."""
    read = read_kit(TEXT.replace(WORDS[6], "xyzzy"), WORDLIST)
    assert read.phrases[0] == (*WORDS[:6], "xyzzy", *WORDS[7:])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no contact card"),
        ("capsa-card:", "no contact card"),
        (" ".join(WORDS), "no contact card"),
        (format_card(KIT.card), "no recovery phrase"),
        (f"{' '.join(WORDS[1:])} {format_card(KIT.card)}", "no recovery phrase"),
        (f"{' '.join(WORDS)} {format_card(KIT.card)[:-5]}", "missing or mistyped"),
        ("x" * (KIT_SIZE_MAX + 1), "too long"),
        ("capsa-card: " + "a " * 10_000, "missing or mistyped"),
        ("<html><script>" + " ".join(WORDS) + "</script>" + format_card(KIT.card), "no recovery phrase"),
    ],
)
def test_what_is_no_kit_is_refused_and_not_repeated(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        read_kit(text, WORDLIST)
    assert not WORDLIST & set(raised.value.message.split())


def test_a_shorter_card_has_the_first_members() -> None:
    whole = card(5)
    assert shorten_card(whole, 10_000) == whole
    shorter = shorten_card(whole, 700)
    assert 0 < len(shorter.members) < 5
    assert shorter.members == whole.members[: len(shorter.members)]
    assert len(format_card(shorter)) <= 700
    assert shorten_card(whole, 1).members == ()


@pytest.mark.parametrize("typed", [" ".join(WORDS), "\n".join(f"{n}. {word.upper()}," for n, word in enumerate(WORDS))])
def test_a_phrase_is_split_however_it_was_typed(typed: str) -> None:
    assert split_phrase(typed) == WORDS


def test_a_kit_shows_no_secret_by_accident() -> None:
    assert not WORDLIST & set(re.findall(r"\w+", f"{KIT!r} {read_kit(TEXT, WORDLIST)!r}"))
