"""`top`: the network and what is on its way, live."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol, Self

from capsa.errors import UnreachableError, UsageError
from capsa.faces.cli.drawing.dashboard import Window, dashboard
from capsa.faces.cli.drawing.keyboard import keys
from capsa.faces.cli.drawing.looks import Look, Observer, look_as_json
from capsa.faces.cli.drawing.style import Style
from capsa.faces.cli.drawing.terminal import Canvas, Terminal
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.given import whole_number
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import OutputClosedError, Screen
from capsa.faces.cli.quantities import parse_duration, rfc3339
from capsa.faces.cli.running import run
from capsa.faces.cli.start import beside_node

_QUIT: Final = b"qQ\x03\x1b"
"""Keys that end it: q, Ctrl-C, Escape."""
_SORT: Final = b"sS"
_PLAIN_COLUMNS: Final = 79


def top(options: Namespace, screen: Screen) -> int:
    """Look at the running node again and again; Ctrl-C and q end it in order."""
    interval = parse_duration(options.interval)
    count = None if options.count is None else whole_number(options.count, "--count")
    if count == 0:
        raise UsageError("--count takes at least 1.", "Leave it out to look until q is pressed.")
    return run(_top(home_root(options), interval, count, screen))


async def _top(root: Path, interval: int, count: int | None, screen: Screen) -> int:
    async with beside_node(root) as context:
        observer = Observer(
            context.link, context.home.node, root, clock=context.clock.now, steady=asyncio.get_running_loop().time
        )
        terminal = None if screen.json else Terminal.on(sys.stdout)
        if terminal is not None:
            with _FullScreen(terminal) as view:
                await _look_on(observer, view, interval, count)
        else:
            await _look_on(observer, _Lines(screen), interval, count or 1)
    return Exit.DONE


class _View(Protocol):
    """Where looks are shown."""

    def show(self, look: Look | None) -> None:
        """Show a look; None where the node does not answer."""

    async def pause(self, seconds: float) -> bool:
        """Wait until the next look is due; false if there is to be none."""


async def _look_on(observer: Observer, view: _View, interval: float, count: int | None) -> None:
    """Look, at once and then whenever `interval` seconds have gone by."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    looks = 0
    while True:
        try:
            view.show(await observer.look())
        except UnreachableError:
            view.show(None)
        looks += 1
        due = max(due + interval, loop.time())
        if looks == count or not await view.pause(due - loop.time()):
            return


class _Lines:
    """Looks told one after the other, for scripts and files."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def show(self, look: Look | None) -> None:
        if look is None:
            self._screen.document({"as_of": rfc3339(time.time()), "running": False})
            self._screen.result("The node does not answer.\n")
            return
        self._screen.document(look_as_json(look))
        self._screen.result("\n".join(dashboard(look, Window(_PLAIN_COLUMNS), Style())) + "\n")

    async def pause(self, seconds: float) -> bool:
        await asyncio.sleep(seconds)
        return True


class _FullScreen:
    """Looks drawn on the whole window, which is as it was before when the context is left."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._canvas = Canvas(terminal)
        self._look: Look | None = None
        self._lost = False
        self._by_traffic = False
        self._over = False
        self._keys = False
        self._left = ExitStack()
        self._stirred = asyncio.Event()
        """A key was pressed, or the window resized."""

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            self._keys = stack.enter_context(keys(self._pressed))
            loop.add_signal_handler(signal.SIGWINCH, self._stirred.set)
            stack.callback(loop.remove_signal_handler, signal.SIGWINCH)
            stack.callback(self._canvas.close)
            self._canvas.open()
            self._left = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._left.close()

    def show(self, look: Look | None) -> None:
        self._lost = look is None
        self._look = look or self._look
        self._draw()

    async def pause(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not self._over:
                    await self._stirred.wait()
                    self._stirred.clear()
                    self._draw()
        except TimeoutError:
            pass
        return not self._over

    def _pressed(self, keys: bytes) -> None:
        if not keys or any(key in _QUIT for key in keys):
            self._over = True
        elif any(key in _SORT for key in keys):
            self._by_traffic = not self._by_traffic
        self._stirred.set()

    def _draw(self) -> None:
        if self._look is None:
            self._canvas.draw(["The node does not answer."])
            return
        columns, lines = self._canvas.room()
        window = Window(columns, lines, by_traffic=self._by_traffic, keys=self._keys)
        self._canvas.draw(dashboard(self._look, window, self._terminal.style, lost=self._lost))
        if not self._terminal.open:
            raise OutputClosedError
