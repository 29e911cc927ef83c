"""Text in the language of man(7), as groff and mandoc both read it. What a page says does not live here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SPECIAL: Final = {
    "\\": r"\(rs",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
}
"""Characters that the formatter would take for its own, or show as a prettier one (groff_char(7))."""
_OPTION: Final = re.compile(r"(?<![\w-])-[\w-]*")
_UNDERLINED: Final = re.compile(r"\b[A-Z][A-Z|]*\b")


def escape(text: str) -> str:
    """Running text: hyphens stay hyphens, but an option's are minus signs that can be copied."""
    return _OPTION.sub(lambda found: found[0].replace("-", r"\-"), _characters(text))


def literal(text: str) -> str:
    """What is typed or stored as it stands: each hyphen is a minus sign."""
    return _characters(text).replace("-", r"\-")


def bold(text: str) -> str:
    """Something literal, in bold."""
    return rf"\fB{literal(text)}\fR"


def placeholder(text: str) -> str:
    """The words in capitals that stand for values, in italics; the rest, in bold, is typed as it stands."""
    return _UNDERLINED.sub(lambda found: rf"\fI{found[0]}\fR", literal(text))


def line(text: str) -> str:
    """A line of text that is safe at the beginning of a line, where `.` and `'` would begin a request."""
    return rf"\&{text}" if text.startswith((".", "'")) else text


def heading(title: str) -> str:
    """The heading of a section."""
    return f".SH {escape(title)}"


def paragraph(text: str) -> list[str]:
    """A paragraph of running text."""
    return [".PP", line(escape(text))]


def tagged(tag: str, text: str) -> list[str]:
    """A term, formatted already, and beside or below it what it means."""
    return [".TP", line(tag), line(escape(text))]


def document(title: str, source: str, lines: Iterable[str]) -> str:
    """A whole page of section 1. It has no date, so that the same capsa always makes the same page."""
    head = rf'.TH {literal(title.upper())} 1 "" "{literal(source)}" "capsa manual"'
    # Neither hyphenated nor stretched: what stands in a manual is copied.
    return "\n".join((head, ".nh", ".ad l", *lines)) + "\n"


def _characters(text: str) -> str:
    return "".join(_SPECIAL.get(c) or (c if c.isascii() else rf"\[u{ord(c):04X}]") for c in text)
