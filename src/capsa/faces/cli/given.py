"""What a command was given: numbers, and secrets that come by file or stdin rather than as arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from capsa.errors import UsageError, from_os_error

STDIN: Final = "-"


def whole_number(text: str, what: str) -> int:
    """A whole number of at most nine digits; `UsageError`. `what` is the option that it was given to."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UsageError(f"{what} takes a whole number, not {text!r}.", "Write it in digits.")
    return int(text)


def read_text(source: str, *, size_max: int) -> str:
    """The text in a file, or on stdin for `-`; `UsageError` if it is no text or has more than `size_max` bytes."""
    try:
        if source == STDIN:
            data = sys.stdin.buffer.read(size_max + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(size_max + 1)
    except OSError as error:
        where = "Stdin" if source == STDIN else source
        raise from_os_error(error, f"{where} cannot be read", "Check the path.") from None
    if len(data) > size_max:
        raise UsageError(f"More than {size_max} bytes are too long for this.", "Check that it is the right file.")
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError("What was given is not text.", "Check that it is the right file.") from None
