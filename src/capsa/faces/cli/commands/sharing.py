"""`share`: the cap of one file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from capsa.core.caps import format_cap
from capsa.core.names import check_key
from capsa.core.pages import Kind
from capsa.errors import RefusedError
from capsa.faces.cli.commands.finding import find_view, is_folder
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home


def share(options: Namespace, screen: Screen) -> int:
    """Print the cap of a file's current version, and nothing else on stdout: it is to be piped on."""
    return run(_share(home_root(options), unlock_of(options), check_key(options.key), screen))


async def _share(root: Path, unlock: Unlock, key: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock) as context:
        snapshot = await context.snapshot()
        if await is_folder(snapshot, key):
            raise _only_files(f"{key} is a folder")
        version = (await find_view(snapshot, key)).versions[0]
    if version.kind is not Kind.FILE:
        raise _only_files(f"{key} is a {version.kind.name.lower()}")
    cap = format_cap(version.cap)
    screen.document({"key": version.key, "cap": cap})
    screen.result(cap)
    screen.note("Whoever has this cap can read this file, as it is now; that cannot be taken back.")
    return Exit.DONE


def _only_files(what: str) -> RefusedError:
    return RefusedError(f"{what}, and only single files can be shared.", "Share each file by itself.")
