"""How wide text is on a terminal, in cells, and text cut and filled to a width."""

from __future__ import annotations

import unicodedata
from typing import Final

CUT: Final = "…"
_NOTHING: Final = {"Mn", "Me", "Cf"}
"""Categories of characters that lie on the one before them, or are not shown."""
_AS_PICTURE: Final = "\ufe0f"
"""Asks for the coloured form of what comes before, which may be twice as wide."""


def cells(text: str) -> int:
    """How many cells a line takes: never less than it does on a terminal, in rare cases (joined emoji) more.

    For text without escape sequences. Widths are those of Unicode's East Asian Width (UAX 11); what is ambiguous
    there counts as narrow.
    """
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def cut(text: str, width: int) -> str:
    """As much of a line as fits into so many cells; an ellipsis says that something is missing."""
    if cells(text) <= width:
        return text
    kept, left = [], width - 1
    for character in text:
        left -= _cells_of(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + CUT if width > 0 else ""


def left(text: str, width: int) -> str:
    """A line cut or filled to so many cells, from the left."""
    text = cut(text, width)
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    """A line cut or filled to so many cells, against the right."""
    text = cut(text, width)
    return " " * (width - cells(text)) + text


def _cells_of(character: str) -> int:
    if character == _AS_PICTURE:
        return 1
    if unicodedata.category(character) in _NOTHING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
