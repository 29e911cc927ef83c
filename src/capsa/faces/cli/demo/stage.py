"""The demo's live picture: its nodes, what each has of the file, and how fast it comes and goes.

It is drawn below the steps, by a thread of its own that asks the nodes themselves, while the demo does its work.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from capsa.client.link import HomeLink
from capsa.core.commands import COMMAND_MESSAGES
from capsa.core.ids import NodeId
from capsa.core.inquiries import NodeTransfers, Transfers, TransfersTold
from capsa.errors import CapsaError
from capsa.faces.cli.drawing.cells import cells, cut, left
from capsa.faces.cli.drawing.meters import Meter
from capsa.faces.cli.drawing.style import Column, Paint, Style, beside, fitting, width_of
from capsa.faces.cli.drawing.terminal import Region, Terminal
from capsa.faces.cli.quantities import show_size
from capsa.net.local import connect
from capsa.net.session import Session
from capsa.net.transports.unix import UnixTransport
from capsa.node.home import Home

_LOOK_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 1.0
_WINDOW_SECONDS: Final = 1.0
_BAR_MIN: Final = 8


@dataclass(frozen=True, slots=True)
class Actor:
    """One node of the demo as it is drawn; sizes are bytes, rates bytes a second."""

    name: str
    alive: bool = True
    kept: int = 0
    """What it keeps on its disk, of its own or for others."""
    fetched: int = 0
    """What it got from others, to read."""
    receiving: float = 0.0
    sending: float = 0.0


def stage(actors: Sequence[Actor], size: int, width: int, style: Style) -> list[str]:
    """The lines, one for each node; its bar is full when it has as much as the file's `size` bytes."""
    name_width = max((cells(actor.name) for actor in actors), default=0)
    columns = fitting(
        [
            Column([_had(actor) for actor in actors], dropped=1, width_min=len("99.9 MB fetched")),
            Column([_rate("in", actor.receiving) for actor in actors], dropped=2, width_min=len("in 99.9 MB/s")),
            Column([_rate("out", actor.sending) for actor in actors], dropped=2, width_min=len("out 99.9 MB/s")),
        ],
        width - name_width - 2 - _BAR_MIN,
    )
    bar_width = max(0, width - name_width - 2 - width_of(columns))
    lines = []
    for row, actor in enumerate(actors):
        head = cut(f" {left(actor.name, name_width)} ", width)
        if not actor.alive:
            lines.append(style.paint(cut(f"{head}is dead", width), Paint.BAD))
            continue
        share, paint = (actor.fetched, Paint.ACCENT) if actor.fetched > actor.kept else (actor.kept, Paint.GOOD)
        bar = style.bar(share / size if size else None, bar_width, paint)
        lines.append((head + bar + beside(columns, row)).rstrip())
    return lines


def _had(actor: Actor) -> str:
    if actor.fetched > actor.kept:
        return f"{show_size(actor.fetched)} fetched"
    return f"{show_size(actor.kept)} kept" if actor.kept else ""


def _rate(which: str, rate: float) -> str:
    return f"{which} {show_size(rate)}/s" if rate >= 1 else ""


@dataclass(slots=True)
class _Watched:
    """One node, and what it said."""

    home: Path
    link: HomeLink | None = None
    alive: bool = True
    kept: int = 0
    fetched: int = 0
    receiving: Meter = field(default_factory=lambda: Meter(window=_WINDOW_SECONDS))
    sending: Meter = field(default_factory=lambda: Meter(window=_WINDOW_SECONDS))

    def note(self, now: float, node: NodeId, lines: Sequence[NodeTransfers]) -> None:
        others = [line for line in lines if line.node != node]
        taken, self.fetched = sum(line.taken_size for line in others), sum(line.fetched_size for line in others)
        self.kept = taken + sum(line.copies_size for line in lines if line.node == node)
        self.receiving.note(now, taken + self.fetched)
        self.sending.note(now, sum(line.copies_size + line.served_size for line in others))

    def actor(self, name: str) -> Actor:
        return Actor(name, self.alive, self.kept, self.fetched, self.receiving.rate, self.sending.rate)


class Stage:
    """Draws the nodes that were added to it. All of it may be called from any thread."""

    def __init__(self, terminal: Terminal | None, size: int) -> None:
        """Without a terminal nothing is drawn, and nobody asked; `size` is that of the file."""
        self._terminal = terminal
        self._region = Region(terminal) if terminal is not None else None
        self._size = size
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def add(self, name: str, home: Path) -> None:
        """A node that runs."""
        with self._lock:
            self._watched[name] = _Watched(home)

    def dead(self, name: str) -> None:
        """A node that runs no more."""
        with self._lock:
            self._watched[name].alive = False

    def above(self, say: Callable[[], None]) -> None:
        """Say something above the picture."""
        with self._lock:
            if self._region is not None:
                self._region.erase()
            say()
            self._draw()

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Within, the picture is kept up to date; afterwards nothing of it is left."""
        if self._region is None:
            yield
            return
        with ThreadPoolExecutor(1) as pool:
            drawing = pool.submit(lambda: asyncio.run(self._watch()))
            try:
                yield
            finally:
                self._over.set()
                drawing.result()
                self._region.erase()

    async def _watch(self) -> None:
        try:
            while not self._over.is_set():
                with self._lock:
                    watched = [one for one in self._watched.values() if one.alive]
                for one in watched:
                    await self._look(one)
                with self._lock:
                    self._draw()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for one in self._watched.values():
                if one.link is not None:
                    one.link.close()

    async def _look(self, one: _Watched) -> None:
        """Ask a node; one that is dying or busy has its line stay as it is."""
        with suppress(CapsaError, OSError, TimeoutError):
            home = Home.open(one.home)
            if one.link is None:
                one.link = _link_to(home)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                told = await one.link.ask(Transfers(), TransfersTold)
            with self._lock:
                one.note(time.monotonic(), home.node, told.nodes)

    def _draw(self) -> None:
        """With the lock."""
        if self._region is None or self._terminal is None or not self._watched:
            return
        actors = [one.actor(name) for name, one in sorted(self._watched.items())]
        self._region.draw(["", *stage(actors, self._size, self._region.room()[0], self._terminal.style)])


def _link_to(home: Home) -> HomeLink:
    unix = UnixTransport()

    async def reach() -> Session:
        return await connect(unix, home.socket, COMMAND_MESSAGES)

    return HomeLink(reach, patience=0.0)
