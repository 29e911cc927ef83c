"""What `top` draws: a look at the network in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from capsa.core.ids import format_id
from capsa.core.inquiries import PeerLine
from capsa.faces.cli.drawing.cells import cells, cut, left
from capsa.faces.cli.drawing.looks import Look, Traffic
from capsa.faces.cli.drawing.style import Column, Paint, Style, beside, ends, fitting
from capsa.faces.cli.output import safe_line
from capsa.faces.cli.quantities import count_of, show_age, show_size

_NAME_MAX: Final = 24
_NAME_MIN: Final = 12
_HEALTH: Final = {"ok": Paint.GOOD, "degraded": Paint.WARNING}
_STATES: Final = {"alive": Paint.GOOD, "suspect": Paint.WARNING}
_MINE: Final = " (here)"


@dataclass(frozen=True, slots=True)
class Window:
    """Where it is drawn: cells of a line, lines if there is a bound, and what the user chose."""

    width: int
    height: int | None = None
    by_traffic: bool = False
    keys: bool = False
    """Whether there is a keyboard to tell of."""


def dashboard(look: Look, window: Window, style: Style, *, lost: bool = False) -> list[str]:
    """The lines; `lost`: the node does not answer any more, and this is what it said last."""
    head = _head(look, window.width, style, lost=lost)
    foot = _foot(look, window, style)
    nodes = sorted(look.peers, key=lambda line: _order(look, line)) if window.by_traffic else list(look.peers)
    room = len(nodes) if window.height is None else max(1, window.height - len(head) - len(foot) - 1)
    shown = nodes if len(nodes) <= room else nodes[: max(0, room - 1)]
    lines = [*head, *_table(look, shown, window.width, style)]
    if len(shown) < len(nodes):
        lines.append(
            style.paint(cut(f"and {count_of(len(nodes) - len(shown), 'more node')}", window.width), Paint.FAINT)
        )
    lines += foot
    return lines if window.height is None else lines[: window.height]


def _order(look: Look, line: PeerLine) -> tuple[float, int]:
    """Those with whom most is exchanged now come first."""
    traffic = look.of(line.node)
    return -((traffic.receiving or 0.0) + (traffic.sending or 0.0)), -(traffic.received + traffic.sent)


def _head(look: Look, width: int, style: Style, *, lost: bool) -> list[str]:
    health, reasons = look.health
    mine = next((line.name for line in look.peers if line.node == look.node), "")
    title, node = ends(f"capsa top  {safe_line(mine)}".rstrip(), [f"node {format_id(look.node)[:12]}"], width)
    status = look.status
    states = [f"{status.alive} alive", f"{status.suspect} suspect", f"{status.gone} gone"]
    facts = [
        f"{count_of(status.blocks, 'block')}, {show_size(status.size_bytes)}",
        f"disk {show_size(look.disk_free)} of {show_size(look.disk_size)} free",
        f"peers {', '.join(states)}",
    ]
    said = (
        "the node does not answer; trying again" if lost else f"{health}{': ' if reasons else ''}{'; '.join(reasons)}"
    )
    paint = Paint.BAD if lost else _HEALTH.get(health, Paint.BAD)
    return [
        style.paint(title, Paint.BOLD) + node,
        style.paint(cut(said, width), paint),
        *_flowing(facts, width),
        "",
    ]


def _flowing(facts: Sequence[str], width: int) -> list[str]:
    """Facts on as few lines as they take."""
    lines: list[str] = []
    for fact in facts:
        if lines and cells(lines[-1]) + 3 + cells(fact) <= width:
            lines[-1] += f"   {fact}"
        else:
            lines.append(cut(fact, width))
    return lines


def _table(look: Look, nodes: Sequence[PeerLine], width: int, style: Style) -> list[str]:
    names = ["NODE", *(safe_line(line.name or format_id(line.node)[:12]) for line in nodes)]
    names = [name + (_MINE if index and nodes[index - 1].node == look.node else "") for index, name in enumerate(names)]
    name_width = min(max(map(cells, names)), _NAME_MAX)
    traffic = [look.of(line.node) for line in nodes]
    states = ["STATE", *(line.state for line in nodes)]
    zones = [safe_line(line.zone) for line in nodes]
    columns = fitting(
        [
            Column(states, dropped=0, width_min=len("suspect")),
            Column(["SEEN", *(show_age(line.seen_seconds_ago) for line in nodes)], dropped=3, width_min=len("59 s")),
            Column(["FREE", *(_room(line, line.free) for line in nodes)], dropped=4, width_min=len("999 MB")),
            Column(["OF", *(_room(line, line.capacity) for line in nodes)], dropped=5, width_min=len("999 MB")),
            Column(["IN", *(_rate(one.receiving) for one in traffic)], dropped=2, width_min=len("99.9 MB/s")),
            Column(["OUT", *(_rate(one.sending) for one in traffic)], dropped=1, width_min=len("99.9 MB/s")),
            Column(["SENDING", *(_blocks(one) for one in traffic)], dropped=6),
            Column(["ALL IN", *(_total(one.received) for one in traffic)], dropped=8, width_min=len("999 MB")),
            Column(["ALL OUT", *(_total(one.sent) for one in traffic)], dropped=7, width_min=len("999 MB")),
            Column(["ZONE", *zones] if any(zones) else [], dropped=9),
        ],
        width - min(name_width, _NAME_MIN),
    )
    name_width = min(name_width, max(width - sum(column.width + 2 for column in columns), 1))
    rows = []
    for row, name in enumerate(names):
        text = beside(columns, row)
        if row == 0:
            rows.append(style.paint(left(name, name_width) + text, Paint.FAINT))
        elif columns and columns[0].texts is states:
            state, rest = text[: columns[0].width + 2], text[columns[0].width + 2 :]
            paint = _STATES.get(states[row], Paint.BAD)
            rows.append(left(name, name_width) + style.paint(state, paint) + rest)
        else:
            rows.append(left(name, name_width) + text)
    return [row.rstrip() for row in rows]


def _foot(look: Look, window: Window, style: Style) -> list[str]:
    lines = [
        f"{count_of(line.claims, 'claim')} with {line.durable} of {line.wanted} copies so far"
        for line in look.short[:4]
    ]
    if len(look.short) > len(lines):
        lines.append(f"{count_of(sum(line.claims for line in look.short[4:]), 'claim')} with fewer copies than wanted")
    if look.refilling:
        lines.append("taking back from the others what this node should hold")
    if not lines:
        lines.append("no claim is short of copies")
    keys = "q quits, s sorts as listed" if window.by_traffic else "q quits, s sorts by traffic"
    told = [cut(line, window.width) for line in lines]
    if window.keys:
        return ["", *told, "", style.paint(cut(keys, window.width), Paint.FAINT)]
    return ["", *told]


def _room(line: PeerLine, size: int) -> str:
    return show_size(size) if line.capacity else "-"


def _rate(rate: float | None) -> str:
    return f"{show_size(rate)}/s" if rate is not None and rate >= 1 else ""


def _total(size: int) -> str:
    return show_size(size) if size else ""


def _blocks(traffic: Traffic) -> str:
    return str(traffic.under_way) if traffic.under_way else ""
