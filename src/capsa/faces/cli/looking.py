"""`ls` and `info`: what is stored, and where."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from capsa.client.holdings import find_holdings
from capsa.core.caps import format_cap
from capsa.core.catalog.entries import VersionEntry
from capsa.core.commands import Peers, PeersTold
from capsa.core.ids import format_id
from capsa.core.names import check_key, check_prefix
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.finding import find_version
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import Screen
from capsa.faces.cli.passphrases import Unlock, unlock_of
from capsa.faces.cli.putting import SETTLE_SECONDS
from capsa.faces.cli.quantities import rfc3339, show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home


def ls(options: Namespace, screen: Screen) -> int:
    """List the keys that begin with a prefix, in order."""
    return run(_ls(home_root(options), unlock_of(options), check_prefix(options.prefix), screen))


async def _ls(root: Path, unlock: Unlock, prefix: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock) as context:
        snapshot = await context.files().catalog.snapshot()
        async for view in snapshot.scan(prefix):
            version = view.versions[0]
            screen.document(_line(version))
            screen.result(f"{show_size(version.size):>9}  {_mtime(version)}  {version.key}")
    return Exit.DONE


def info(options: Namespace, screen: Screen) -> int:
    """One file: what it is, in how many copies it lies where."""
    return run(_info(home_root(options), unlock_of(options), check_key(options.key), screen))


async def _info(root: Path, unlock: Unlock, key: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context:
        version = await find_version(context, key)
        holdings = await find_holdings(context.link, version.cap)
        names = {line.node: line.name for line in (await context.link.ask(Peers(), PeersTold)).nodes}
    wanted = version.copies + 1
    screen.document(
        {
            **_line(version),
            "blocks": holdings.blocks,
            "copies": {"least": holdings.least, "wanted": wanted},
            "holders": {format_id(node): count for node, count in holdings.holders.items()},
        }
    )
    screen.result(f"{version.key}\n  {version.media_type}, {show_size(version.size)}, {_mtime(version)}")
    screen.result(f"  {holdings.blocks} blocks, each in {holdings.least} copies or more; {wanted} are wanted")
    for node, count in sorted(holdings.holders.items(), key=lambda item: -item[1]):
        here = " (this home)" if node == context.home.node else ""
        screen.result(f"  {count:6} on {format_id(node)[:12]} {names.get(node, '')}{here}")
    return Exit.DONE


def _line(version: VersionEntry) -> dict[str, object]:
    return {
        "key": version.key,
        "size": version.size,
        "media_type": version.media_type,
        "mtime": _mtime(version),
        "cap": format_cap(version.cap),
    }


def _mtime(version: VersionEntry) -> str:
    return rfc3339(version.mtime_ns / 1e9)
