"""`peers` and `status`: the network, and this node in it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final

from capsa.core.commands import Peers, PeersTold, Status, StatusTold
from capsa.core.ids import format_id
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import Screen
from capsa.faces.cli.putting import SETTLE_SECONDS
from capsa.faces.cli.quantities import rfc3339, show_seconds, show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home

_NO_NODE: Final = "No node runs in this home: start it with 'capsa up'."


def peers(options: Namespace, screen: Screen) -> int:
    """Every node that this one knows, itself first."""
    return run(_peers(home_root(options), screen))


async def _peers(root: Path, screen: Screen) -> int:
    async with at_home(root, settle=SETTLE_SECONDS) as context:
        lines = (await context.link.ask(Peers(), PeersTold)).nodes
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
    for line in lines:
        seen = f"seen {show_seconds(line.seen_seconds_ago)} ago" if line.seen_seconds_ago >= 0 else "never seen"
        room = f"{show_size(line.free)} of {show_size(line.capacity)} free"
        where = ", ".join(line.addresses) or "does not listen"
        zone = f", zone {line.zone}" if line.zone else ""
        screen.result(f"{format_id(line.node)[:12]}  {line.state:8} {line.name}: {room}, {seen}{zone}, {where}")
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
            "health": health,
            "reasons": reasons,
            "as_of": rfc3339(now),
        }
    )
    screen.result(f"{health}{': ' if reasons else ''}{'; '.join(reasons)}")
    screen.result(f"  node {format_id(home.node)}")
    screen.result(
        f"  {told.blocks} blocks, {show_size(told.size_bytes)}; {told.underreplicated} claims short of copies"
    )
    screen.result(f"  peers: {told.alive} alive, {told.suspect} suspect, {told.gone} gone")
    screen.result(f"  can be reached from outside: {told.reachable}")
    if not told.serving:
        screen.note(_NO_NODE)
    return Exit.DONE


def judge_health(told: StatusTold) -> tuple[str, list[str]]:
    """One word, `ok`, `degraded` or `alone`, and what is amiss."""
    reasons = []
    if not told.admitted:
        reasons.append("not admitted to the network yet")
    if told.underreplicated:
        reasons.append(f"{told.underreplicated} claims are short of copies")
    if told.damaged:
        reasons.append(f"{told.damaged} blocks on this disk are damaged")
    if told.alarms:
        reasons.append(f"{told.alarms} invites let in more than one owner each")
    if told.forks:
        reasons.append(f"{told.forks} devices signed two catalogs of one number: their keys may be in two places")
    if told.suspect or told.gone:
        reasons.append(f"{told.suspect + told.gone} other nodes do not answer")
    if not told.alive:
        return "alone", [*reasons, "no other node answers: what is stored now lies here only"]
    return ("degraded" if reasons else "ok"), reasons
