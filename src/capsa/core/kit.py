"""The recovery kit: the page that brings an owner's files back, as text, and what can be read from such a page again.

Readers are generous: people retype, reflow and photocopy. What the words and the card mean is checked elsewhere: the
phrase has a checksum, and so has the card.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import islice
from typing import Final

from capsa.core.cards import ContactCard, format_card, make_card, parse_card
from capsa.core.ids import OwnerId, format_id
from capsa.core.text import SCHEME_CARD
from capsa.errors import UsageError

PHRASE_WORDS: Final = 24
KIT_SIZE_MAX: Final = 1024 * 1024
"""Bytes of a kit that is read back: some fifty times what one has."""
WIDTH: Final = 80

_COLUMNS: Final = 4
_INDENT: Final = "    "
_WORD_WIDTH: Final = 12
_CARD_WIDTH: Final = 64
_CARD_PIECES_MAX: Final = 16384
"""Pieces into which white space may cut a card: room for the longest in groups of two."""
_FOLLOWING_MAX: Final = 64
"""Words after a card that may look like more of it."""
_CARDS_MAX: Final = 16
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+")
_SCHEME: Final = re.compile(re.escape(SCHEME_CARD) + r"\s*:", re.IGNORECASE)
_BASE32: Final = re.compile(r"[a-zA-Z2-7]+")

INTRODUCTION: Final = (
    "This page brings back everything that {name} keeps with capsa, on a new machine, when the old one is lost. "
    "Whoever has it can read all of it. Keep it where you keep your passport, and no copy of it on that machine."
)
LOST: Final = (
    ("Install capsa on the new machine, and type this page's words and card into a file, or copy them there.", ""),
    ("Bring everything back:", "capsa recover --kit FILE"),
    ("Or give the card on the command line, and type the 24 words when asked for them:", "capsa recover CARD"),
    ("See what is there, and fetch what you need:", "capsa ls"),
    ("", "capsa get -r FOLDER -o WHERE"),
    ("Keep the new node running, and delete the file:", "capsa up"),
)
"""What to do when the machine is lost: what, and the command for it."""
AFTERWORD: Final = (
    "The words stay true for ever. The card names where members of the network were reachable on the day above: where "
    "nobody answers there any more, ask any member for 'capsa card', or print a new kit now and then with 'capsa kit'."
)


@dataclass(frozen=True, slots=True, repr=False)
class Kit:
    """What a kit holds. `name` is the owner's, `network` that of who founded the network; `made` a date."""

    owner: OwnerId
    name: str
    network: str
    made: str
    words: tuple[str, ...]
    card: ContactCard

    def __post_init__(self) -> None:
        assert len(self.words) == PHRASE_WORDS

    @property
    def facts(self) -> tuple[tuple[str, str, str], ...]:
        """What the page is about: a noun, a name and an id for each."""
        return (
            ("owner", self.name, format_id(self.owner)),
            ("network", f"of {self.network}" if self.network else "", format_id(self.card.network)),
            ("made", self.made, ""),
        )

    @property
    def introduction(self) -> str:
        return INTRODUCTION.format(name=self.name or "this owner")


@dataclass(frozen=True, slots=True, repr=False)
class KitRead:
    """What was found in a text: runs of words, any of which may be the phrase, and the card."""

    phrases: tuple[tuple[str, ...], ...]
    card: ContactCard


def format_kit(kit: Kit, code: str) -> str:
    """The kit as text of at most `WIDTH` columns; `code` is a picture of the card, of any height."""
    sections = [
        "CAPSA RECOVERY KIT\n" + "=" * 18,
        textwrap.fill(kit.introduction, WIDTH),
        "\n".join(f"{_INDENT}{noun:8} {' '.join(filter(None, fact))}" for noun, *fact in kit.facts),
        "THE RECOVERY PHRASE, 24 words, to be read line by line\n\n" + _show_words(kit.words),
        "THE CONTACT CARD, in letters and as a picture of the same (with fewer addresses)\n\n"
        + textwrap.indent("\n".join(textwrap.wrap(format_card(kit.card), _CARD_WIDTH)), _INDENT)
        + f"\n{_INDENT}(here it ends)",
        code.rstrip("\n"),
        "WHEN THE MACHINE IS LOST\n\n" + _show_steps(),
        textwrap.fill(AFTERWORD, WIDTH),
    ]
    return "\n\n".join(sections) + "\n"


def shorten_card(card: ContactCard, length_max: int) -> ContactCard:
    """The card with as many of its members, the first ones, as its text of at most `length_max` characters allows.

    One without any member is the shortest there is, and may be longer.
    """
    for count in range(len(card.members), 0, -1):
        shorter = make_card(card.founding_statement, card.secret, card.members[:count])
        if len(format_card(shorter)) <= length_max:
            return shorter
    return make_card(card.founding_statement, card.secret, ())


def read_kit(text: str, wordlist: Collection[str]) -> KitRead:
    """What a kit holds, as text or as HTML; `wordlist` are the words that phrases are made of.

    Raises `UsageError` if there is no whole card, or nothing that could be a phrase.
    """
    if len(text) > KIT_SIZE_MAX:
        raise UsageError("This is too long for a recovery kit.", "Check that it is the right file.")
    plain = _Stripper.strip(text) if re.search(r"<\s*(?:!doctype|html|body)", text, re.IGNORECASE) else text
    card = _find_card(plain)
    phrases = tuple(dict.fromkeys(_find_phrases(_SCHEME.split(plain)[0], wordlist))) or tuple(
        dict.fromkeys(_find_phrases(plain, wordlist))
    )
    if not phrases:
        raise UsageError(
            f"This kit holds no recovery phrase of {PHRASE_WORDS} words.", "Give the phrase with --phrase-file."
        )
    return KitRead(phrases, card)


def split_phrase(text: str) -> tuple[str, ...]:
    """The words of a phrase as somebody typed it: numbers, signs and case do not matter."""
    return tuple(token for token in _tokens(text) if not token.isdecimal())


def _show_words(words: Sequence[str]) -> str:
    lines = (range(start, min(start + _COLUMNS, len(words))) for start in range(0, len(words), _COLUMNS))
    shown = ("".join(f"{index + 1:4}  {words[index]:{_WORD_WIDTH}}" for index in line).rstrip() for line in lines)
    return "\n".join(f"  {line}" for line in shown)


def _show_steps() -> str:
    lines: list[str] = []
    for what, command in LOST:
        if what:
            lines += textwrap.wrap(what, WIDTH, initial_indent="  - ", subsequent_indent=_INDENT)
        if command:
            lines.append(f"{_INDENT}{_INDENT}{command}")
    return "\n".join(lines)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKD", text).lower())


def _find_phrases(text: str, wordlist: Collection[str]) -> Iterator[tuple[str, ...]]:
    """All that could be the phrase: words with the numbers from 1 to 24 before them, then runs of 24 known words."""
    tokens = _tokens(text)
    known = frozenset(wordlist)
    yield from _numbered(tokens)
    run: list[str] = []
    for token in (*tokens, ""):
        if token in known:
            run.append(token)
            if len(run) >= PHRASE_WORDS:
                yield tuple(run[-PHRASE_WORDS:])
        elif not token.isdecimal():
            run = []


def _numbered(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Runs of a number and a word in turn, in which each number up to 24 comes once."""
    start = 0
    while start + 1 < len(tokens):
        found: dict[int, str] = {}
        while start + 1 < len(tokens) and tokens[start].isdecimal() and not tokens[start + 1].isdecimal():
            number = int(tokens[start]) if len(tokens[start]) < 3 else 0
            if not 1 <= number <= PHRASE_WORDS or number in found:
                break
            found[number] = tokens[start + 1]
            start += 2
        if len(found) == PHRASE_WORDS:
            yield tuple(found[number] for number in range(1, PHRASE_WORDS + 1))
        start += 0 if found else 1


def _find_card(text: str) -> ContactCard:
    """The longest whole card that the text holds: what follows one may look like more of it."""
    problem: UsageError | None = None
    best: ContactCard | None = None
    for found in islice(_SCHEME.finditer(text), _CARDS_MAX):
        pieces: list[str] = []
        for piece in text[found.end() :].split(maxsplit=_CARD_PIECES_MAX)[:_CARD_PIECES_MAX]:
            if not _BASE32.fullmatch(piece):
                break
            pieces.append(piece)
        for count in range(len(pieces), max(0, len(pieces) - _FOLLOWING_MAX), -1):
            try:
                card = parse_card(f"{SCHEME_CARD}:{''.join(pieces[:count])}")
            except UsageError as error:
                problem = problem or error
                continue
            if best is None or len(card.members) > len(best.members):
                best = card
            break
    if best is None:
        raise problem or UsageError("This kit holds no contact card.", "Ask a member for one, and give it as CARD.")
    return best


class _Stripper(HTMLParser):
    """Takes the text out of a page, and the places where elements meet as white space."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    @classmethod
    def strip(cls, page: str) -> str:
        stripper = cls()
        stripper.feed(page)
        stripper.close()
        return "".join(stripper.pieces)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in _UNSEEN
        self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _UNSEEN and self._hidden > 0
        self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


_UNSEEN: Final = {"style", "script", "title"}
