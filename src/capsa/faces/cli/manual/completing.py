"""`completion`: a script for a shell; and, when that asks, the stored keys that may follow what is typed."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from contextlib import suppress
from importlib import import_module
from typing import Final

from capsa.client.link import HomeLink
from capsa.client.snapshot import Owner, Snapshot
from capsa.core.catalog.siblings import Siblings
from capsa.core.commands import COMMAND_MESSAGES, Heads, HeadsTold
from capsa.core.names import check_prefix
from capsa.errors import CapsaError
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.running import run
from capsa.net.local import connect
from capsa.net.session import Session
from capsa.net.transports.unix import UnixTransport
from capsa.node.home import Home

_KEYS_MAX: Final = 1000
_PATIENCE_SECONDS: Final = 2.0
"""Somebody has pressed a key, and waits."""


def completion(options: Namespace, screen: Screen) -> int:
    """Print a shell's script, or keys for it."""
    if options.keys is not None:
        with suppress(CapsaError, OSError, TimeoutError):  # a shell that completes wants no complaints
            run(_keys(options, screen))
        return Exit.DONE
    script: str = import_module(f"capsa.faces.cli.manual.shells.{options.shell}").script()
    screen.document({"shell": options.shell, "script": script})
    screen.result(script.rstrip("\n"))
    return Exit.DONE


async def _keys(options: Namespace, screen: Screen) -> None:
    """Keys and folders that begin with what was typed, one a line. Only while the home's node runs."""
    prefix = check_prefix(options.keys)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        home = Home.open(home_root(options))
        link = HomeLink(lambda: _connect(home), patience=0.0)
        try:
            # Nobody is asked for a passphrase in the middle of a line.
            given = Namespace(**{**vars(options), "passphrase_file": None, "no_passphrase": True})
            keys = await unlock_of(given)(home, link)
            heads = (await link.ask(Heads(), HeadsTold)).heads
            snapshot = Snapshot(link, Owner(keys, home.network, home.node, 0), heads, {})
            names = Siblings(snapshot.roots.values(), prefix)
            for _ in range(_KEYS_MAX):
                name = await snapshot.drive(names.next_name())
                if name is None:
                    break
                if not name.startswith("-"):  # it would be taken for an option
                    screen.document({"key": name})
                    screen.result(name)
        finally:
            link.close()


async def _connect(home: Home) -> Session:
    return await connect(UnixTransport(), home.socket, COMMAND_MESSAGES)
