"""What a command says: JSON or text on stdout, one-sentence errors and notes on stderr."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping
from typing import Final, TextIO, TypeAlias

from capsa.errors import CapsaError

Json: TypeAlias = Mapping[str, object]

_RED: Final = "\x1b[31m"
_PLAIN: Final = "\x1b[0m"
_TURNING: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Characters that show what follows in the other direction: `gpj.exe` could pass as `exe.jpg`."""


class OutputClosedError(Exception):
    """Whoever read our stdout reads no more, as `head` does."""


class Screen:
    """Where a command speaks. With `json`, stdout holds nothing but JSON; with `quiet`, only results and errors."""

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self.gathers = False
        """Whether lines may wait for others: see `capsa.faces.cli.gathering`."""

    def document(self, value: Json) -> None:
        """One JSON document on a line of its own, at once; nothing without `--json`."""
        if self.json:
            _write_line(_encoded(value), flush=not self.gathers)

    def result(self, text: str) -> None:
        """A line that was asked for; nothing with `--json`."""
        if not self.json:
            _write_line(printable(text), flush=not self.gathers)

    def drawn(self, line: str) -> None:
        """As `result`, for a line that may be painted: what in it is from outside was made printable before."""
        if not self.json:
            _write_line(line, flush=not self.gathers)

    def say(self, text: str) -> None:
        """A line on what was done; nothing with `--json` or `--quiet`."""
        if not self.quiet:
            self.result(text)

    def flush(self) -> None:
        """Let go out what was gathered."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise OutputClosedError from None

    def note(self, text: str) -> None:
        """A remark on stderr; nothing with `--quiet`."""
        if not self.quiet:
            _remark(printable(text))

    def complain(self, error: CapsaError, about: str = "") -> None:
        """What went wrong and what to do, on one line of stderr."""
        _remark(f"{_label()}{printable(sentence(error, about))}")

    def fail(self, error: CapsaError) -> None:
        """The end of a command that failed: told on stderr, and with `--json` also as the last document."""
        self.complain(error)
        self.document({"error": describe(error)})


def describe(error: CapsaError) -> Json:
    """An error as `--json` tells it."""
    return {"kind": error.kind, "message": error.message, "hint": error.hint, "retryable": error.retryable}


def sentence(error: CapsaError, about: str = "") -> str:
    """An error as people read it."""
    return " ".join(part for part in (about, error.message, error.hint) if part)


def printable(text: str) -> str:
    """The text without what could move the cursor, turn the line around or does not encode; line breaks stay."""
    if text.isprintable():  # none of what is unsafe is
        return text
    return "".join(character if _is_safe(character) else _escaped(character) for character in text)


def one_line(text: str) -> str:
    """The text without line breaks, as a file's name may have them."""
    return text.replace("\n", "\\x0a")


def safe_line(text: str) -> str:
    """A name from outside as it may stand within a line."""
    return one_line(printable(text))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody watches this stream."""
    return stream is not None and stream.isatty()


def wants_colour(stream: TextIO | None) -> bool:
    """Whether somebody watches this stream who sees colours, and did not ask for none (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_safe(character: str) -> bool:
    if character == "\n":
        return True
    return unicodedata.category(character) not in {"Cc", "Cs"} and unicodedata.bidirectional(character) not in _TURNING


def _escaped(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file's name that is not UTF-8 (PEP 383)
        number -= 0xDC00
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"


def _label() -> str:
    return f"{_RED}capsa:{_PLAIN} " if wants_colour(sys.stderr) else "capsa: "


def _remark(line: str) -> None:
    """A line on stderr. Where nobody can read it any more, as after a terminal was closed, the work goes on."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        forget(sys.stderr)


def forget(stream: TextIO) -> None:
    """Let what a stream still holds, and all that follows, go nowhere: Python flushes it once more at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _encoded(value: Json) -> str:
    """As `json.dumps` writes it: by way of msgspec, which takes a quarter of the time, where that comes to the same."""
    from msgspec import json as quick

    try:
        encoded = quick.format(quick.encode(value), indent=0)
    except UnicodeEncodeError:  # a file's name that is not UTF-8
        return json.dumps(value)
    return encoded.decode("ascii") if encoded.isascii() else json.dumps(value)


def _write_line(line: str, *, flush: bool) -> None:
    try:
        print(line, flush=flush)
    except BrokenPipeError:
        raise OutputClosedError from None
