"""What a command was given: numbers, and secrets that come by file or stdin rather than as arguments."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from capsa.errors import UsageError, from_os_error

STDIN: Final = "-"
_READ_WHERE_STDIN: Final = (
    *("paths", "what", "cap_file", "invite", "invite_file", "card", "kit", "phrase_file"),
    *("passphrase_file", "new_passphrase_file"),
)
"""Options and arguments that read stdin where they are `-`."""
_STDIN_WITHOUT: Final = (("invite", "invite_file"), ("card", "kit"))
"""Options of which one must be given: without any, stdin is read."""


def check_stdin(options: Namespace) -> None:
    """Raise `UsageError` if these options of one command would read two things from stdin."""
    given = vars(options)
    readers = sum(STDIN in _as_list(given.get(name)) for name in _READ_WHERE_STDIN)
    readers += sum(all(given.get(name, STDIN) is None for name in names) for names in _STDIN_WITHOUT)
    if readers > 1:
        raise UsageError("Stdin cannot be two things at once.", "Give one of them in a file.")


def whole_number(text: str, what: str) -> int:
    """A whole number of at most nine digits; `UsageError`. `what` is the option that it was given to."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UsageError(f"{what} takes a whole number, not {text!r}.", "Write it in digits.")
    return int(text)


def read_text(source: str, *, size_max: int) -> str:
    """The text in a file, or on stdin for `-`; `UsageError` if it is no text or has more than `size_max` bytes."""
    try:
        if source == STDIN:
            if sys.stdin is None:
                raise UsageError("There is no stdin to read.", "Name a file, or feed one in with a pipe.")
            data = sys.stdin.buffer.read(size_max + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(size_max + 1)
    except IsADirectoryError:
        raise UsageError(f"{source} is a folder, not a file.", "Name the file itself.") from None
    except OSError as error:
        where = "Stdin" if source == STDIN else source
        raise from_os_error(error, f"{where} cannot be read", "Check the path.") from None
    if len(data) > size_max:
        raise UsageError(f"More than {size_max} bytes are too long for this.", "Check that it is the right file.")
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError("What was given is not text.", "Check that it is the right file.") from None


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
