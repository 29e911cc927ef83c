"""What drawn lines are made of: colours where they are wanted, bars, and rows of columns that fit a width."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from capsa.faces.cli.drawing.cells import cells, cut, left, right

_GAP: Final = "  "
_PAINTING: Final = re.compile(r"\x1b\[[0-9;]*m")


class Paint(StrEnum):
    """How text looks, as the parameter of the terminal's SGR sequence (ECMA-48, 8.3.117)."""

    BOLD = "1"
    FAINT = "2"
    BAD = "31"
    GOOD = "32"
    WARNING = "33"
    ACCENT = "36"


@dataclass(frozen=True, slots=True)
class Style:
    """What the terminal can show: colours, and more than ASCII."""

    colour: bool = False
    drawn: bool = True

    def paint(self, text: str, *paints: Paint) -> str:
        """The text in these colours; as it is without them."""
        return f"\x1b[{';'.join(paints)}m{text}\x1b[0m" if self.colour and text and paints else text

    def bar(self, share: float | None, width: int, paint: Paint = Paint.ACCENT) -> str:
        """A bar of so many cells, filled to a share between 0 and 1; None where that is unknown."""
        full, half, empty = ("━", "╸", "─") if self.drawn else ("=", "", "-")
        halves = round(2 * width * min(max(share or 0.0, 0.0), 1.0))
        if not halves and share and width > 0:
            halves = 1  # what has begun is seen to have begun
        filled = full * (halves // 2) + (half if halves % 2 else "")
        return self.paint(filled, paint) + self.paint(empty * (width - len(filled)), Paint.FAINT)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `dropped` is the order in which columns go where it is narrow: the highest first."""

    texts: Sequence[str]
    dropped: int = 0
    width_min: int = 0

    @property
    def width(self) -> int:
        """Cells that all of it takes."""
        return max(self.width_min, max(map(cells, self.texts), default=0))


def fitting(columns: Sequence[Column], room: int) -> list[Column]:
    """The columns for which there is room, with the gap before each; the ones to be dropped last stay longest."""
    kept = [column for column in columns if column.width]
    while kept and sum(column.width + len(_GAP) for column in kept) > room:
        kept.remove(max(kept, key=lambda column: column.dropped))
    return kept


def beside(columns: Sequence[Column], row: int) -> str:
    """One row of columns, right-aligned, each with its gap before it."""
    return "".join(_GAP + right(column.texts[row], column.width) for column in columns)


def width_of(columns: Sequence[Column]) -> int:
    """Cells that a row of `beside` takes."""
    return sum(column.width + len(_GAP) for column in columns)


def ends(first: str, last: Sequence[str], width: int) -> tuple[str, str]:
    """A line's beginning, and what stands at its right end: of `last`, as many of the latter as there is room for."""
    for start in range(len(last)):
        told = ", ".join(last[start:])
        room = width - cells(told) - len(_GAP)
        if room >= min(cells(first), width // 2):
            return left(first, room), _GAP + told
    return cut(first, width), ""


def plain(line: str) -> str:
    """A line without what paints it."""
    return _PAINTING.sub("", line)
