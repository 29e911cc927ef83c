"""Text armour: how caps, contact cards and invites look when people copy, print or paste them.

The form is `<scheme>:<base32 of the data and a 4-byte checksum>`. The checksum finds slips of the hand; it
proves nothing. What the data mean is told in `capsa.core.caps` and wherever cards and invites live.
"""

from __future__ import annotations

from typing import Final

from blake3 import blake3

from capsa.core.ids import from_base32, to_base32
from capsa.core.keys import Label, length_prefixed
from capsa.errors import UsageError

SCHEME_CAP: Final = "capsa-cap"
SCHEME_CARD: Final = "capsa-card"
SCHEME_INVITE: Final = "capsa-invite"
CHECKSUM_SIZE: Final = 4

_NOUNS: Final = {SCHEME_CAP: "a cap", SCHEME_CARD: "a contact card", SCHEME_INVITE: "an invite"}
_CHECKED: Final = {scheme: length_prefixed(Label.TEXT_CHECKSUM.encode(), scheme.encode()) for scheme in _NOUNS}
"""What stands before the data under a checksum."""
_WHITE_SPACE_FACTOR: Final = 2  # pasted text may be broken into lines and indented, within reason


def _checksum(scheme: str, data: bytes) -> bytes:
    return blake3(_CHECKED[scheme] + length_prefixed(data)).digest()[:CHECKSUM_SIZE]


def armour(scheme: str, data: bytes) -> str:
    """The text of `data` under one of the scheme words; one line, lower case."""
    assert scheme in _NOUNS
    return f"{scheme}:{to_base32(data + _checksum(scheme, data))}"


def has_scheme(scheme: str, text: str) -> bool:
    """Whether `text` begins like an armoured text of this scheme; says nothing about the rest."""
    return text.lstrip()[: len(scheme) + 1].lower() == scheme + ":"


def unarmour(scheme: str, text: str, *, size_max: int) -> bytes:
    """The data in an armoured text of at most `size_max` bytes of data.

    White space anywhere and upper case are forgiven, since people paste. Anything else that `armour` would
    not have written, a wrong checksum or another scheme raises `UsageError`.
    """
    noun = _NOUNS[scheme]
    for other, other_noun in _NOUNS.items():
        if other != scheme and has_scheme(other, text):
            raise UsageError(f"This is {other_noun}, not {noun}.", f"Give {noun}; it begins with {scheme}:.")
    if not has_scheme(scheme, text):
        raise UsageError(f"This is not {noun}.", f"One begins with {scheme}:.")
    characters_max = len(scheme) + 1 + ((size_max + CHECKSUM_SIZE) * 8 + 4) // 5
    if len(text) > _WHITE_SPACE_FACTOR * characters_max:
        raise UsageError(f"This is too long for {noun}.", "Check that nothing else was pasted with it.")
    body = "".join(text.split())[len(scheme) + 1 :]
    try:
        if not body.isascii():
            raise ValueError("not ASCII")
        data = from_base32(body.lower())
    except ValueError:
        data = b""
    data, checksum = data[:-CHECKSUM_SIZE], data[-CHECKSUM_SIZE:]
    if len(data) > size_max or checksum != _checksum(scheme, data):
        raise UsageError(f"This is {noun} with characters missing or mistyped.", "Copy it again, whole.")
    return data
