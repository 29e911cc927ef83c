"""`wait`: until all copies are there."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from capsa.client.copies import Standing, find_short, find_standings
from capsa.core.inquiries import Status, StatusTold, Unfinished, UnfinishedTold
from capsa.core.names import check_key
from capsa.faces.cli.commands.finding import find_view
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import count_of, parse_duration
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, HomeContext, at_home

_LOOK_SECONDS: Final = 0.2
_LOOK_SECONDS_MAX: Final = 5.0
_LOOK_GROWTH: Final = 1.5


def wait(options: Namespace, screen: Screen) -> int:
    """Wait for the copies of some files, or for all that is short here; `FEWER_COPIES` if the time is up before."""
    timeout = None if options.timeout is None else parse_duration(options.timeout)
    keys = list(dict.fromkeys(check_key(key) for key in options.keys))
    return run(_wait(home_root(options), unlock_of(options), keys, timeout, screen))


async def _wait(root: Path, unlock: Unlock, keys: Sequence[str], timeout: int | None, screen: Screen) -> int:
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context:
        short = await (_for_keys(context, keys, timeout, screen) if keys else _for_all(context, timeout, screen))
    screen.document({"short": short})
    if short:
        screen.note(f"The time is up: {count_of(short, 'file')} short of copies. Run 'capsa wait' again, or later.")
    return Exit.FEWER_COPIES if short else Exit.DONE


async def _for_keys(context: HomeContext, keys: Sequence[str], timeout: int | None, screen: Screen) -> int:
    """Tell of each file as soon as it is complete, and in the end of those that are not; how many these are."""
    snapshot = await context.snapshot()
    waiting = [(await find_view(snapshot, key)).versions[0] for key in keys]
    noted = False
    async for last in _looks(timeout):
        standings = await find_standings(context.link, waiting, home=context.home.node)
        for standing in standings:
            if not standing.short or last:
                _tell(standing, screen)
        wanted = max((standing.wanted for standing in standings if standing.short), default=0)
        waiting = [standing.version for standing in standings if standing.short]
        if not waiting:
            break
        if not noted:
            await _note_lacking(context, wanted, screen)
            noted = True
    return len(waiting)


async def _for_all(context: HomeContext, timeout: int | None, screen: Screen) -> int:
    """Wait until this home's node counts nothing as short; in the end how many versions are, each told of."""
    noted = False
    async for _ in _looks(timeout):
        claims = (await context.link.ask(Status(), StatusTold)).underreplicated
        if not claims:
            return 0
        if not noted:
            screen.note(f"{count_of(claims, 'claim is', 'claims are')} short of copies; waiting for them.")
            short_lines = (await context.link.ask(Unfinished(), UnfinishedTold)).short
            await _note_lacking(context, max((line.wanted for line in short_lines), default=0), screen)
            noted = True
    short = 0
    async for standing in find_short(context.link, await context.snapshot()):
        _tell(standing, screen)
        short += 1
    return max(short, 1)  # a page of the catalog is no file, and counts all the same


async def _note_lacking(context: HomeContext, wanted: int, screen: Screen) -> None:
    """Say so where no waiting helps: fewer nodes are there than copies are `wanted`."""
    nodes = (await context.link.ask(Status(), StatusTold)).alive + 1
    if wanted > nodes:
        there = f"only {count_of(nodes, 'node is', 'nodes are')} there"
        screen.note(f"{wanted} copies are wanted, and {there}: the rest comes when more members are up.")


async def _looks(timeout: int | None) -> AsyncIterator[bool]:
    """A moment to look, again and again, ever less often; true comes with the last one, when the time is up."""
    loop = asyncio.get_running_loop()
    end = float("inf") if timeout is None else loop.time() + timeout
    pause = _LOOK_SECONDS
    while True:
        last = loop.time() >= end
        yield last
        if last:
            return
        await asyncio.sleep(min(pause, max(0.0, end - loop.time())))
        pause = min(pause * _LOOK_GROWTH, _LOOK_SECONDS_MAX)


def _tell(standing: Standing, screen: Screen) -> None:
    key = standing.version.key
    screen.document({"key": key, "copies": {"durable": standing.durable, "wanted": standing.wanted}})
    screen.say(f"{key}: {standing.durable} of {count_of(standing.wanted, 'copy', 'copies')}")
