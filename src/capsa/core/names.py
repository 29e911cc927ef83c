"""The keys of files: path-like names, checked and brought to one form (docs/format.md)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from capsa.errors import UsageError

KEY_SIZE_MAX: Final = 1024
"""Bytes of a key in UTF-8."""
SEPARATOR: Final = "/"

_CHARACTERS_MAX: Final = 4 * KEY_SIZE_MAX
"""No shorter text is turned away unseen: a normal form is at most four times shorter than what it came from."""


def check_key(text: str) -> str:
    """The key in Unicode's normal form C, or `UsageError`.

    A key is UTF-8, its parts are separated by `/`, none is empty, `.` or `..`, none has a control character
    (category Cc), and the whole has at most `KEY_SIZE_MAX` bytes.
    """
    if len(text) > _CHARACTERS_MAX:
        raise _too_long()
    plain = text.isascii() and text.isprintable()  # as nearly all are: no need to look at each character
    key = text if plain else _normal(text)
    if len(key) > KEY_SIZE_MAX:
        raise _too_long()
    framed = f"/{key}/"
    if "//" in framed or "/./" in framed or "/../" in framed:
        raise UsageError(
            f"The key {key!r} has an empty part, or one that is `.` or `..`.",
            "Write keys like photos/2024/sea.jpg, without a slash at either end.",
        )
    return key


def _normal(text: str) -> str:
    """The key in normal form; `UsageError` on what is no text, too long, or has control characters."""
    key = unicodedata.normalize("NFC", text)
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        raise UsageError("This key is not valid Unicode.", "Rename it to a name that is UTF-8.") from None
    if size_bytes > KEY_SIZE_MAX:
        raise _too_long()
    if any(unicodedata.category(character) == "Cc" for character in key if not " " <= character <= "~"):
        raise UsageError("This key has a control character in it.", "Leave out line breaks, tabs and the like.")
    return key


def check_prefix(text: str) -> str:
    """The beginning of keys that a user asks for, in normal form: empty, a key, or a key and a `/`; `UsageError`."""
    stem = text.removesuffix(SEPARATOR)
    return check_key(stem) + text[len(stem) :] if text else ""


def last_part(key: str) -> str:
    """The name of the file itself: what follows the last `/`."""
    return key.rpartition(SEPARATOR)[2]


def folders_of(key: str) -> Iterator[str]:
    """The folders that a key lies in, outermost first: `a` and `a/b` for `a/b/c`."""
    end = key.find(SEPARATOR)
    while end >= 0:
        yield key[:end]
        end = key.find(SEPARATOR, end + 1)


def _too_long() -> UsageError:
    return UsageError(f"This key is longer than {KEY_SIZE_MAX} bytes.", "Use shorter folder or file names.")
