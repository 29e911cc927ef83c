"""`info`: one file, and where its copies lie."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from capsa.client.holdings import find_holdings
from capsa.core.ids import format_id
from capsa.core.inquiries import Peers, PeersTold
from capsa.core.names import check_key
from capsa.core.pages import Kind
from capsa.faces.cli.commands.finding import find_version
from capsa.faces.cli.commands.showing import line_of, show_mtime, show_size_of, show_target
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import count_of, show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, at_home


def info(options: Namespace, screen: Screen) -> int:
    """One file: what it is, in how many copies it lies where."""
    return run(_info(home_root(options), unlock_of(options), check_key(options.key), screen))


async def _info(root: Path, unlock: Unlock, key: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context:
        version = await find_version(context, key)
        holdings = await find_holdings(context.link, version.cap)
        target = await show_target(context, version)
        names = {line.node: line.name for line in (await context.link.ask(Peers(), PeersTold)).nodes}
    wanted = version.copies + 1
    screen.document(
        {
            **line_of(version),
            "blocks": holdings.blocks,
            "copies": {"least": holdings.least, "wanted": wanted},
            "holders": {format_id(node): count for node, count in holdings.holders.items()},
        }
    )
    what = f"{version.media_type}, {show_size(version.size)}" if version.kind is Kind.FILE else show_size_of(version)
    screen.result(f"{version.key}{target}\n  {what}, {show_mtime(version)}")
    blocks, copies = count_of(holdings.blocks, "block"), count_of(holdings.least, "copy", "copies")
    screen.result(f"  {blocks}, {'each ' if holdings.blocks > 1 else ''}in {copies} or more; {wanted} wanted")
    for node, count in sorted(holdings.holders.items(), key=lambda item: -item[1]):
        here = " (this home)" if node == context.home.node else ""
        screen.result(f"  {count:6} on {format_id(node)[:12]} {names.get(node, '')}{here}")
    return Exit.DONE
