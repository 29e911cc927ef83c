"""`up`: the home's node, in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from capsa.core.ids import format_id
from capsa.core.statements import check_name
from capsa.errors import CapsaError, UsageError
from capsa.faces.cli.addresses import advertised_addresses, listen_addresses, peer_addresses
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.options import not_available
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import parse_size, show_size
from capsa.faces.cli.remembered import Remembered, read_remembered, write_remembered
from capsa.faces.cli.start import LOCK_SECONDS, UpOptions, run_node
from capsa.node.app import Ready
from capsa.node.home import Home

DEFAULT_LISTEN: Final = "tcp://0.0.0.0:4747"
_OFF: Final = "off"
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def up(options: Namespace, screen: Screen) -> int:
    """Run the node until SIGTERM or SIGINT, or until its terminal is closed."""
    if options.http not in (None, _OFF):
        raise not_available(f"--http {options.http}")
    given = _given(options)
    _start_logging()
    root = home_root(options)
    Home.open(root)
    remembered = _completed(_merged(given, read_remembered(root)), root)
    _note_absurd(remembered, root, screen)
    asyncio.run(
        run_node(
            root,
            _up_options(remembered),
            lambda ready: _ready(ready, root, remembered, screen),
            lambda held: screen.note(f"{held.message} Waiting for it to end, {LOCK_SECONDS:g} seconds at most."),
        )
    )
    return Exit.DONE


def _given(options: Namespace) -> Remembered:
    """What was typed, checked."""
    return Remembered(
        listen=None if options.listen is None else listen_addresses(options.listen, "--listen"),
        peers=None if options.peer is None else peer_addresses(options.peer, "--peer"),
        advertise=None if options.advertise is None else advertised_addresses(options.advertise, "--advertise"),
        capacity=None if options.capacity is None else parse_size(options.capacity),
        zone=None if options.zone is None else check_name(options.zone),
    )


def _merged(given: Remembered, before: Remembered) -> Remembered:
    """What was given now, else what was given before."""
    names = [field.name for field in fields(Remembered)]
    said = {name: value for name in names if (value := getattr(given, name)) is not None}
    return replace(before, **said)


def _completed(options: Remembered, root: Path) -> Remembered:
    """Where nothing was ever said: half of the space that is free now."""
    if options.capacity is None:
        return replace(options, capacity=shutil.disk_usage(root).free // 2)
    return options


def _note_absurd(options: Remembered, root: Path, screen: Screen) -> None:
    """More than the disk has may be meant for a disk to come; whoever mistyped should know."""
    total = shutil.disk_usage(root).total
    if options.capacity is not None and options.capacity > total:
        screen.note(
            f"A capacity of {show_size(options.capacity)} is more than the whole disk, which has {show_size(total)}: "
            "this node takes no more than fits."
        )


def _up_options(options: Remembered) -> UpOptions:
    assert options.capacity is not None
    listen = (DEFAULT_LISTEN,) if options.listen is None else options.listen
    return UpOptions(listen, options.peers or (), options.capacity, options.zone or "", options.advertise)


def _ready(ready: Ready, root: Path, options: Remembered, screen: Screen) -> None:
    """Say so; and remember the options now that they have proved to work.

    A node that cannot write them down, as on a full disk, serves all the same.
    """
    try:
        write_remembered(root, options)
    except CapsaError as error:
        screen.note(f"The options are not remembered: {error.message}")
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
