"""The picture that `put` and `get` draw while they work: facts in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from capsa.faces.cli.drawing.cells import cells, cut, left
from capsa.faces.cli.drawing.style import Column, Paint, Style, beside, ends, fitting, width_of
from capsa.faces.cli.quantities import count_of, show_seconds, show_size

NODES_MAX: Final = 8
"""Nodes with a line of their own."""
_BAR_MIN: Final = 8
_NAME_MAX: Final = 16
_SHARE: Final = "100 %"
_TOTAL: Final = "total"


@dataclass(frozen=True, slots=True)
class Share:
    """What one node has of the work, or gave of it; `blocks` where they are what is counted, else bytes are."""

    name: str
    size: int
    rate: float = 0.0
    blocks: int | None = None
    home: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """How the work stands. Sizes are bytes, rates bytes a second; None is what nobody knows."""

    label: str
    done: int
    total: int | None
    rate: float = 0.0
    current: str = ""
    files: tuple[int, int | None] | None = None
    """Files done, of so many if that is known; told where there are several."""
    copies: tuple[float, int] | None = None
    """How many copies there are of what is stored here so far, on average, of how many wanted; the home counted."""
    nodes: Sequence[Share] = ()


def picture(facts: Facts, width: int, style: Style) -> list[str]:
    """The lines; none takes more than `width` cells."""
    shown = facts.nodes if len(facts.nodes) <= NODES_MAX else facts.nodes[: NODES_MAX - 1]
    lines = [_title(facts, width, style), *_table(facts, shown, width, style)]
    if len(shown) < len(facts.nodes):
        lines.append(style.paint(left(f" and {len(facts.nodes) - len(shown)} more", width), Paint.FAINT))
    return lines


def _title(facts: Facts, width: int, style: Style) -> str:
    counts = []
    files_done, files = facts.files or (0, None)
    if files is not None and files > 1:
        counts.append(f"{files_done:,} of {count_of(files, 'file')}")
    elif files is None and files_done > 1:
        counts.append(f"{count_of(files_done, 'file')} done")
    if facts.copies is not None:
        counts.append(f"{facts.copies[0]:.1f} of {count_of(facts.copies[1], 'copy', 'copies')}")
    what, told = ends(f"{facts.label}  {facts.current}".rstrip(), counts, width)
    return style.paint(what, Paint.BOLD) + told


def _table(facts: Facts, nodes: Sequence[Share], width: int, style: Style) -> list[str]:
    """A row for the whole, and one for each node, with bars of one length."""
    share = facts.done / facts.total if facts.total else None
    names = [f"{100 * share:3.0f} %" if share is not None else _TOTAL, *(node.name for node in nodes)]
    name_width = min(max(map(cells, [_SHARE, *names])), _NAME_MAX, max(len(_SHARE), width // 3))
    amounts = [_amount(facts), *(_amount_at(node) for node in nodes)]
    rates = [_rate(facts.rate), *(_rate(node.rate) for node in nodes)]
    remaining = [_remaining(facts), *("" for _ in nodes)]
    before = 1 + name_width + 1
    columns = fitting(
        [
            Column(amounts, dropped=3, width_min=len("1,000 blocks") if nodes else 0),
            Column(rates, dropped=1, width_min=len("999 MB/s")),
            Column(remaining, dropped=2, width_min=len("59 s left") if facts.total else 0),
        ],
        width - before - _BAR_MIN,
    )
    bar_width = max(0, width - before - width_of(columns))
    whole = facts.total or max((node.size for node in nodes), default=0)
    shares = [share, *(node.size / whole if whole else None for node in nodes)]
    paints = [Paint.ACCENT, *(Paint.GOOD if node.home else Paint.ACCENT for node in nodes)]
    rows = []
    for row, name in enumerate(names):
        bar = " " * bar_width if shares[row] is None else style.bar(shares[row], bar_width, paints[row])
        rows.append((cut(f" {left(name, name_width)} ", width) + bar + beside(columns, row)).rstrip())
    return rows


def _amount(facts: Facts) -> str:
    return f"{show_size(facts.done)} of {show_size(facts.total)}" if facts.total else show_size(facts.done)


def _amount_at(node: Share) -> str:
    return show_size(node.size) if node.blocks is None else count_of(node.blocks, "block")


def _rate(rate: float) -> str:
    return f"{show_size(rate)}/s" if rate >= 1 else ""


def _remaining(facts: Facts) -> str:
    if not facts.total:
        return ""
    if facts.done >= facts.total:
        return "finishing"
    return f"{show_seconds((facts.total - facts.done) / facts.rate)} left" if facts.rate >= 1 else ""
