"""`ls`: what is stored. The command that people type most: it imports no more than it needs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from capsa.core.names import check_prefix
from capsa.core.pages import Kind
from capsa.faces.cli.commands.showing import line_of, show_mtime, show_size_of, show_target
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.gathering import gathering
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home


def ls(options: Namespace, screen: Screen) -> int:
    """List the keys that begin with a prefix, in order."""
    return run(_ls(home_root(options), unlock_of(options), check_prefix(options.prefix), screen))


async def _ls(root: Path, unlock: Unlock, prefix: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock) as context:
        snapshot = await context.snapshot()
        async with gathering(screen):
            async for view in snapshot.scan(prefix):
                version = view.versions[0]
                if screen.json:
                    screen.document(line_of(version))
                    continue
                target = "" if version.kind is Kind.FILE else await show_target(context, version)
                screen.result(f"{show_size_of(version):>9}  {show_mtime(version)}  {version.key}{target}")
    return Exit.DONE
