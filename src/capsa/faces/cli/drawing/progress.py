"""How far a command is: how much is done, how fast, how long it will take, and where the copies are.

On stderr, only to a terminal, in a few lines that vanish at the end. What is drawn is a `picture`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

from capsa.client.link import HomeLink
from capsa.core.ids import NodeId, format_id
from capsa.core.inquiries import NodeTransfers, Peers, PeersTold, Transfers, TransfersTold
from capsa.errors import CapsaError, leading
from capsa.faces.cli.drawing.meters import Meter, Rate
from capsa.faces.cli.drawing.picture import Facts, Share, picture
from capsa.faces.cli.drawing.terminal import Region, Terminal
from capsa.faces.cli.output import Screen, safe_line

_REDRAW_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 0.2
_RETURN_SECONDS: Final = 0.02
"""After a line was told: sooner than the next drawing would be due, so that a picture between many lines is seen."""


class _Ledger:
    """What one node has done of this command's work, by its meters."""

    def __init__(self, start: NodeTransfers | None) -> None:
        self.copies = Meter(start.copies if start else 0)
        self.copied = Meter(start.copies_size if start else 0)
        self.promises = Meter(start.promised if start else 0)
        self.promised = Meter(start.promised_size if start else 0)
        self.fetched = Meter(start.fetched_size if start else 0)

    def note(self, now: float, line: NodeTransfers) -> None:
        self.copies.note(now, line.copies)
        self.copied.note(now, line.copies_size)
        self.promises.note(now, line.promised)
        self.promised.note(now, line.promised_size)
        self.fetched.note(now, line.fetched_size)

    @property
    def blocks(self) -> int:
        """Blocks that it has; one that it had before is told by its receipt alone."""
        return max(self.copies.total, self.promises.total)

    @property
    def size(self) -> int:
        """Bytes of them."""
        return max(self.copied.total, self.promised.total)


class Progress:
    """Use as a context around the work, and call it with each number of further bytes done; from one thread."""

    def __init__(
        self, screen: Screen, label: str, total: int | None, clock: Callable[[], float], *, files: int | None = None
    ) -> None:
        """`clock` gives seconds that never go back; `total` bytes and `files` are None where nobody knows them."""
        self._terminal = None if screen.quiet else Terminal.on(sys.stderr)
        self._region = Region(self._terminal) if self._terminal is not None else None
        self._label = label
        self._clock = clock
        self._rate = Rate()
        self._done = 0
        self._total = total
        self._current = ""
        self._files = files
        self._files_done = 0
        self._home: NodeId | None = None
        self._wanted = 0
        self._ledgers: dict[NodeId, _Ledger] = {}
        self._names: dict[NodeId, str] = {}
        self._next = clock() + _REDRAW_SECONDS

    def __call__(self, size: int) -> None:
        self._done += size
        self._draw()

    def begin(self, name: str) -> None:
        """This is the file that is worked on now. From any thread."""
        self._current = safe_line(name)

    def end(self) -> None:
        """One more file is done."""
        self._files_done += 1

    def clear(self) -> None:
        """Make room for another line; the picture comes again below it."""
        if self._region is not None and self._region.drawn:
            self._region.erase()
            self._next = min(self._next, self._clock() + _RETURN_SECONDS)

    @asynccontextmanager
    async def watching(self, link: HomeLink, home: NodeId, *, wanted: int = 0) -> AsyncIterator[None]:
        """Within, the picture has a line for each node that copies go to, or blocks come from.

        `wanted` copies, the home counted, are what a put is to come to; 0 for a get. While the line is lost, so is
        the picture, until the node is back.
        """
        if self._region is None:
            yield
            return
        self._home, self._wanted = home, wanted
        before, link.on_lost = link.on_lost, self._above(link.on_lost)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(link))
                try:
                    yield
                finally:
                    watch.cancel()
        except BaseExceptionGroup as errors:
            raise leading(errors) from None
        finally:
            link.on_lost = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    # --- what the node says

    def _above(self, say: Callable[[], None]) -> Callable[[], None]:
        """The same, said above the picture."""

        def say_above() -> None:
            self.clear()
            say()

        return say_above

    async def _watch(self, link: HomeLink) -> None:
        """Look and draw until cancelled. The work does not depend on it: what goes wrong here ends the looking."""
        try:
            start = {NodeId(line.node): line for line in (await link.ask(Transfers(), TransfersTold)).nodes}
            self._ledgers = {node: _Ledger(line) for node, line in start.items()}
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                told = await link.ask(Transfers(), TransfersTold)
                if any(NodeId(line.node) not in self._names for line in told.nodes):
                    self._names |= _names(await link.ask(Peers(), PeersTold))
                for line in told.nodes:
                    node = NodeId(line.node)
                    self._names.setdefault(node, format_id(node)[:12])
                    self._ledgers.setdefault(node, _Ledger(None)).note(self._clock(), line)
                self._draw()
        except CapsaError:
            self._ledgers = {}

    # --- drawing

    def _draw(self) -> None:
        now = self._clock()
        if self._region is None or self._terminal is None or now < self._next:
            return
        self._next = now + _REDRAW_SECONDS
        self._region.draw(picture(self._facts(now), self._region.room()[0], self._terminal.style))

    def _facts(self, now: float) -> Facts:
        nodes = self._shares()
        here = self._ledgers[self._home].size if self._home in self._ledgers else 0
        stored = sum(node.size for node in nodes)
        return Facts(
            label=self._label,
            done=self._done,
            total=self._total,
            rate=self._rate.at(now, self._done),
            current=self._current,
            files=(self._files_done, self._files),
            copies=(min(stored / here, self._wanted), self._wanted) if self._wanted and here else None,
            nodes=nodes,
        )

    def _shares(self) -> list[Share]:
        """The nodes that take part, the home first."""
        shares = []
        for node, ledger in self._ledgers.items():
            home = node == self._home
            name = self._names.get(node, "")
            if self._wanted and ledger.blocks:
                share = Share("here" if home else name, ledger.size, ledger.copied.rate, ledger.blocks, home=home)
                shares.append(share)
            elif not self._wanted and ledger.fetched.total:
                shares.append(Share(name, ledger.fetched.total, ledger.fetched.rate))
        return sorted(shares, key=lambda share: (not share.home, share.name))


def _names(told: PeersTold) -> dict[NodeId, str]:
    """What to call each node; those of one name are told apart by their ids."""
    names = [line.name for line in told.nodes]
    return {
        NodeId(line.node): safe_line(line.name)
        if line.name and names.count(line.name) == 1
        else f"{safe_line(line.name)} {format_id(line.node)[-6:]}".strip()
        for line in told.nodes
    }
