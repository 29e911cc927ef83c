"""`up`: the home's node, in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from capsa.core.ids import format_id
from capsa.core.statements import ADDRESSES_MAX, check_name
from capsa.errors import UsageError
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.options import not_available
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import parse_size, show_size
from capsa.faces.cli.remembered import Remembered, read_remembered, write_remembered
from capsa.faces.cli.start import UpOptions, run_node
from capsa.net.transports.tcp import parse_address
from capsa.node.app import Ready
from capsa.node.home import Home

DEFAULT_LISTEN: Final = "tcp://0.0.0.0:4747"
_NOWHERE: Final = "none"
_OFF: Final = "off"
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def up(options: Namespace, screen: Screen) -> int:
    """Run the node until SIGTERM or SIGINT."""
    if options.http not in (None, _OFF):
        raise not_available(f"--http {options.http}")
    given = _given(options)
    _start_logging()
    root = home_root(options)
    Home.open(root)
    remembered = _completed(_merged(given, read_remembered(root)), root)
    asyncio.run(run_node(root, _up_options(remembered), lambda ready: _ready(ready, root, remembered, screen)))
    return Exit.DONE


def _given(options: Namespace) -> Remembered:
    """What was typed, checked."""
    return Remembered(
        listen=None if options.listen is None else _listen_addresses(options.listen),
        peers=None if options.peer is None else _addresses(options.peer, "--peer"),
        capacity=None if options.capacity is None else parse_size(options.capacity),
        zone=None if options.zone is None else check_name(options.zone),
    )


def _listen_addresses(urls: Sequence[str]) -> tuple[str, ...]:
    if _NOWHERE not in urls:
        return _addresses(urls, "--listen")
    if len(urls) > 1:
        raise UsageError("--listen none stands alone.", "Leave out either it or the addresses.")
    return ()


def _addresses(urls: Sequence[str], what: str) -> tuple[str, ...]:
    if len(urls) > ADDRESSES_MAX:
        raise UsageError(f"{what} takes at most {ADDRESSES_MAX} addresses.", "Give fewer.")
    for url in urls:
        parse_address(url)
    return tuple(dict.fromkeys(urls))


def _merged(given: Remembered, before: Remembered) -> Remembered:
    """What was given now, else what was given before, which a person may have edited since."""
    if before.listen is not None:
        _addresses(before.listen, "listen")
    if before.peers is not None:
        _addresses(before.peers, "peers")
    if before.zone is not None:
        check_name(before.zone)
    return Remembered(
        listen=before.listen if given.listen is None else given.listen,
        peers=before.peers if given.peers is None else given.peers,
        capacity=before.capacity if given.capacity is None else given.capacity,
        zone=before.zone if given.zone is None else given.zone,
    )


def _completed(options: Remembered, root: Path) -> Remembered:
    """Where nothing was ever said: half of the space that is free now."""
    if options.capacity is None:
        return replace(options, capacity=shutil.disk_usage(root).free // 2)
    return options


def _up_options(options: Remembered) -> UpOptions:
    assert options.capacity is not None
    listen = (DEFAULT_LISTEN,) if options.listen is None else options.listen
    return UpOptions(listen, options.peers or (), options.capacity, options.zone or "")


def _ready(ready: Ready, root: Path, options: Remembered, screen: Screen) -> None:
    """Say so; and remember the options now that they have proved to work."""
    write_remembered(root, options)
    node, listen = format_id(ready.node), list(ready.listen)
    screen.document({"event": "ready", "node": node, "listen": listen, "http": None, "pid": os.getpid()})
    where = f"listens on {', '.join(listen)}" if listen else "does not listen"
    room = f"up to {show_size(options.capacity)}" if options.capacity else "nothing"
    screen.say(f"Node {node} is up: {where}, keeps {room} for others.")


def _start_logging() -> None:
    """Log to stderr, from the level that CAPSA_LOG names."""
    level = os.environ.get("CAPSA_LOG", "").lower() or "warning"
    if level not in _LOG_LEVELS:
        raise UsageError(f"CAPSA_LOG is {level!r}.", f"Choose one of {', '.join(_LOG_LEVELS)}.")
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
