"""Caps: a root block id and the key that opens it. Whoever has a cap can read that one file."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from capsa.core.ids import ID_SIZE, BlockId, format_block_id
from capsa.core.sealing import KEY_SIZE
from capsa.core.text import SCHEME_CAP, armour, has_scheme, unarmour
from capsa.errors import UsageError

CAP_VERSION: Final = 1
_CAP_SIZE: Final = 1 + ID_SIZE + KEY_SIZE


class Cap(Struct, frozen=True, gc=False):
    """The right to read one file; its representation shows the public half only."""

    root: BlockId
    key: bytes

    def __repr__(self) -> str:
        return f"Cap(root={format_block_id(self.root)})"


def format_cap(cap: Cap) -> str:
    """The text of a cap. It is a secret: never in argv, request lines or logs."""
    assert len(cap.root) == ID_SIZE and len(cap.key) == KEY_SIZE
    return armour(SCHEME_CAP, bytes((CAP_VERSION,)) + cap.root + cap.key)


def looks_like_cap(text: str) -> bool:
    """Whether the text is meant as a cap rather than as the key of a file."""
    return has_scheme(SCHEME_CAP, text)


def parse_cap(text: str) -> Cap:
    """The cap in a text that `format_cap` made; `UsageError` if it is malformed or of another version."""
    data = unarmour(SCHEME_CAP, text, size_max=_CAP_SIZE)
    if data[:1] != bytes((CAP_VERSION,)):
        raise UsageError("This cap is of an unknown version.", "A newer capsa may read it.")
    if len(data) != _CAP_SIZE:
        raise UsageError("This cap has the wrong length.", "Copy it again, whole.")
    return Cap(root=BlockId(data[1 : 1 + ID_SIZE]), key=data[1 + ID_SIZE :])
