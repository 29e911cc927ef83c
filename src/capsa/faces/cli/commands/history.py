"""`history`: all versions of one file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from capsa.client.copies import Standing, find_standings
from capsa.client.versions import Numbered, number_versions, version_id
from capsa.core.caps import format_cap
from capsa.core.ids import format_id
from capsa.core.names import check_key
from capsa.faces.cli.commands.finding import find_view
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Json, Screen
from capsa.faces.cli.quantities import rfc3339, show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, at_home

_ID_SHOWN = 10


def history(options: Namespace, screen: Screen) -> int:
    """The versions of a key, newest first."""
    return run(_history(home_root(options), unlock_of(options), check_key(options.key), screen))


async def _history(root: Path, unlock: Unlock, key: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context:
        view = await find_view(await context.snapshot(), key)
        standings = await find_standings(context.link, view.versions, home=context.home.node)
    for numbered, standing in zip(number_versions(view), standings, strict=True):
        current = numbered.version == view.current
        screen.document(_line(numbered, standing, current))
        screen.result(_text(numbered, standing, current))
    return Exit.DONE


def _line(numbered: Numbered, standing: Standing, current: bool) -> Json:
    version = numbered.version
    return {
        "key": version.key,
        "version": numbered.number,
        "id": version_id(version),
        "current": current,
        "size": version.size,
        "media_type": version.media_type,
        "mtime": rfc3339(version.mtime_ns / 1e9),
        "cap": format_cap(version.cap),
        "blocks": version.blocks,
        "copies": {"durable": standing.durable, "wanted": standing.wanted},
        "device": format_id(version.dot.device),
    }


def _text(numbered: Numbered, standing: Standing, current: bool) -> str:
    version = numbered.version
    columns = (
        f"{numbered.number:4}",
        version_id(version)[:_ID_SHOWN],
        f"{show_size(version.size):>9}",
        rfc3339(version.mtime_ns / 1e9),
        f"{standing.durable} of {standing.wanted} copies",
    )
    return "  ".join(columns) + ("  current" if current else "")
