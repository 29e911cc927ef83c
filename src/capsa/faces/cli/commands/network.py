"""`peers` and `status`: the network, and this node in it."""

from __future__ import annotations

import sys
import textwrap
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from capsa.core.ids import format_id
from capsa.core.inquiries import PeerLine, Peers, PeersTold, Status, StatusTold
from capsa.faces.cli.commands.unlocking import keys_as_told
from capsa.faces.cli.drawing.cells import cells, cut, left
from capsa.faces.cli.drawing.terminal import columns_of
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import Screen, safe_line
from capsa.faces.cli.quantities import count_of, rfc3339, show_age, show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, at_home

_NO_NODE: Final = "No node runs in this home: start it with 'capsa up'."


def peers(options: Namespace, screen: Screen) -> int:
    """Every node that this one knows, itself first."""
    return run(_peers(home_root(options), screen))


async def _peers(root: Path, screen: Screen) -> int:
    async with at_home(root, settle=SETTLE_SECONDS) as context:
        lines = in_order((await context.link.ask(Peers(), PeersTold)).nodes)
        now, serving = context.clock.now(), context.facts.serving
    nodes = [
        {
            "node": format_id(line.node),
            "owner": format_id(line.owner),
            "name": line.name,
            "zone": line.zone,
            "state": line.state,
            "addresses": list(line.addresses),
            "free": line.free,
            "capacity": line.capacity,
            "seen": rfc3339(now - line.seen_seconds_ago) if line.seen_seconds_ago >= 0 else None,
        }
        for line in lines
    ]
    screen.document({"nodes": nodes, "as_of": rfc3339(now)})
    screen.result("\n".join(peer_lines(lines, columns_of(sys.stdout))))
    if not serving:
        screen.note(_NO_NODE)
    return Exit.DONE


def status(options: Namespace, screen: Screen) -> int:
    """How this node is."""
    return run(_status(home_root(options), screen))


async def _status(root: Path, screen: Screen) -> int:
    async with at_home(root, settle=SETTLE_SECONDS) as context:
        told = await context.link.ask(Status(), StatusTold)
        now = context.clock.now()
        home = context.home
        keys = await keys_as_told(home, context.link, now)
    health, reasons = judge_health(told)
    screen.document(
        {
            "node": format_id(home.node),
            "owner": format_id(home.owner),
            "network": format_id(home.network),
            "running": told.serving,
            "admitted": told.admitted,
            "listening": list(told.listening),
            "blocks": told.blocks,
            "bytes": told.size_bytes,
            "peers": {"alive": told.alive, "suspect": told.suspect, "gone": told.gone},
            "underreplicated": told.underreplicated,
            "damaged": told.damaged,
            "reachable": told.reachable,
            "keys": keys,
            "health": health,
            "reasons": reasons,
            "as_of": rfc3339(now),
        }
    )
    screen.result("\n".join(status_lines(told, home.node, keys, columns_of(sys.stdout))))
    if not told.serving:
        screen.note(_NO_NODE)
    return Exit.DONE


def in_order(peers: Sequence[PeerLine]) -> list[PeerLine]:
    """The first, which is this node, and the others by name."""
    return [*peers[:1], *sorted(peers[1:], key=lambda line: (line.name.casefold(), line.node))]


def peer_lines(peers: Sequence[PeerLine], width: int) -> list[str]:
    """Two lines for each node, this one first: how it is, and where. Its space is left out where it is narrow."""
    names = [safe_line(line.name) or "-" for line in peers]
    if names:
        names[0] += " (here)"
    name_width = min(max(map(cells, names), default=0), width // 3)
    seen_width = max((cells(_seen(line)) for line in peers), default=0)
    lines = []
    for name, line in zip(names, peers, strict=True):
        known = f"{left(name, name_width)}  {line.state:7}  {left(_seen(line), seen_width)}"
        free = f"{show_size(line.free)} of {show_size(line.capacity)} free"
        room = f"  {free if line.capacity else 'keeps nothing for others'}"
        lines.append(cut(known + room if cells(known + room) <= width else known.rstrip(), width))
        zone = f"  zone {safe_line(line.zone)}" if line.zone else ""
        where = f"  {format_id(line.node)[:12]}{zone}  "
        lines.append(cut(where + _addresses(line.addresses, width - cells(where)), width))
    return lines


def _seen(line: PeerLine) -> str:
    age = show_age(line.seen_seconds_ago)
    return f"{age} seen" if age == "never" else f"seen {age}{'' if age == 'now' else ' ago'}"


def _addresses(addresses: Sequence[str], width: int) -> str:
    """As many as there is room for, and how many more there are."""
    if not addresses:
        return "does not listen"
    for shown in range(len(addresses), 1, -1):
        text = ", ".join(map(safe_line, addresses[:shown])) + _more(len(addresses) - shown)
        if cells(text) <= width:
            return text
    more = _more(len(addresses) - 1)
    return cut(safe_line(addresses[0]), width - cells(more)) + more


def _more(number: int) -> str:
    return f" and {number} more" if number else ""


def status_lines(told: StatusTold, node: bytes, keys: str, width: int) -> list[str]:
    """How a node is: in one word, what is amiss, and the figures."""
    health, reasons = judge_health(told)
    facts = (
        ("node", format_id(node)),
        ("stored", f"{count_of(told.blocks, 'block')}, {show_size(told.size_bytes)}"),
        ("peers", f"{told.alive} alive, {told.suspect} suspect, {told.gone} gone"),
        ("reachable", f"{told.reachable}, from outside" if told.reachable == "yes" else told.reachable),
        ("keys", keys),
        ("listens", ", ".join(map(safe_line, told.listening)) or "nowhere"),
    )
    verdict = f"{health}: {'; '.join(reasons)}" if reasons else health
    lines = textwrap.wrap(verdict, width, subsequent_indent="  ")
    for name, fact in facts:
        lines += textwrap.wrap(fact, width, initial_indent=f"  {name:10} ", subsequent_indent=" " * 13)
    return lines


def judge_health(told: StatusTold) -> tuple[str, list[str]]:
    """One word, `ok`, `degraded` or `alone`, and what is amiss."""
    reasons = []
    if told.duplicate:
        reasons.append("another process runs with a copy of this home: both store nothing new (see 'capsa doctor')")
    if not told.admitted:
        reasons.append("not admitted to the network yet")
    if told.full:
        reasons.append("the disk is full: nothing new is stored on it")
    if told.underreplicated:
        reasons.append(f"{count_of(told.underreplicated, 'claim is', 'claims are')} short of copies")
    if told.damaged:
        reasons.append(f"{count_of(told.damaged, 'block on this disk is', 'blocks on this disk are')} damaged")
    if told.alarms:
        reasons.append(f"{count_of(told.alarms, 'invite')} let in several owners")
    if told.forks:
        devices = count_of(told.forks, "device")
        reasons.append(f"{devices} signed two catalogs of one number: a key may be in two places")
    if told.suspect or told.gone:
        silent = count_of(told.suspect + told.gone, "other node does", "other nodes do")
        reasons.append(f"{silent} not answer")
    if not told.alive:
        return "alone", [*reasons, "no other node answers: what is stored now lies here only"]
    return ("degraded" if reasons else "ok"), reasons
