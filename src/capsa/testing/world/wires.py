"""How bytes travel between two simulated hosts: latency, bandwidth, order, loss and partitions.

A `Wire` is what all connections from one host to another share; a `Pipe` is one direction of one connection.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

WINDOW_BYTES: Final = 256 * 1024
"""Bytes that one direction of a connection takes before the reader has read any: about what kernels buffer."""

SEGMENT_BYTES_MAX: Final = 64 * 1024
_SHORT_SEGMENTS: Final = 1 / 16  # so many segments are cut somewhere, since readers must not rely on whole writes
_PATIENCE_SECONDS: Final = (15.0, 60.0)  # unanswered bytes end a connection after a while in this range


@dataclass(frozen=True, slots=True)
class Link:
    """What the way from one host to another is like."""

    latency_s: float
    jitter: float = 0.1
    """Up to this share of the latency is added by chance."""
    bandwidth_bytes_per_s: float | None = None
    """None: as much as comes."""
    reset_chance: float = 0.0
    """For each segment, how likely it is that its connection breaks."""


Tap = Callable[[str, str, bytes], None]
"""Sees what is sent: from which host, to which, and the bytes."""


class Mark(Enum):
    """What travels in a pipe besides bytes."""

    OPEN = "open"
    END = "end"
    RESET = "reset"


Item = bytes | Mark


class Wire:
    """The way from one host to another: the link, its chance, and whether it is cut."""

    def __init__(self, source: str, target: str, link: Link, chance: random.Random, tap: Tap) -> None:
        self.source = source
        self.target = target
        self.link = link
        self.cut = False
        self.tap = tap
        self._chance = chance
        self._free_at = 0.0

    def arrival(self, size: int) -> float:
        """When `size` bytes that leave now arrive; they occupy the wire for as long as its bandwidth says."""
        self._free_at = max(self._free_at, asyncio.get_running_loop().time())
        if self.link.bandwidth_bytes_per_s is not None:
            self._free_at += size / self.link.bandwidth_bytes_per_s
        return self._free_at + self.link.latency_s * (1 + self._chance.random() * self.link.jitter)

    def segment_size(self, size: int) -> int:
        """How many of `size` bytes travel together."""
        size = min(size, SEGMENT_BYTES_MAX)
        return self._chance.randint(1, size) if self._chance.random() < _SHORT_SEGMENTS else size

    def breaks(self) -> bool:
        """Whether a segment breaks its connection."""
        return self.link.reset_chance > 0 and self._chance.random() < self.link.reset_chance

    def patience(self) -> float:
        """After how many seconds unanswered bytes end a connection."""
        return self._chance.uniform(*_PATIENCE_SECONDS)


class Pipe:
    """One direction of one connection: items arrive in the order in which they were sent.

    While its wire is cut, items are held; they arrive after `resume`, or `give_up` is called when the sender's
    patience ends.
    """

    def __init__(self, wire: Wire, arrive: Callable[[Item], None], give_up: Callable[[], None]) -> None:
        self._wire = wire
        self._arrive = arrive
        self._give_up = give_up
        self._room = WINDOW_BYTES
        self._under_way: deque[tuple[float, Item]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._held: asyncio.TimerHandle | None = None

    def take(self, data: memoryview) -> memoryview:
        """Send as much of `data` as there is room for; return the rest."""
        while len(data) and self._room:
            size = self._wire.segment_size(min(len(data), self._room))
            segment, data = bytes(data[:size]), data[size:]
            self._room -= size
            self._send(segment, size)
            self._wire.tap(self._wire.source, self._wire.target, segment)
            if self._wire.breaks():
                asyncio.get_running_loop().call_soon(self._give_up)
        return data

    def mark(self, mark: Mark) -> None:
        """Send a mark behind the bytes."""
        self._send(mark, 0)

    def reset(self) -> None:
        """Drop what has not arrived and send a `RESET`."""
        self.stop()
        self.mark(Mark.RESET)

    def free(self, size: int) -> None:
        """The reader has taken `size` bytes."""
        self._room += size

    def resume(self) -> None:
        """The wire is whole again: what was held leaves anew."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
            self._await_head(self._wire.arrival(0))

    def stop(self) -> None:
        """Drop everything; nothing more arrives unless it is sent from now on."""
        for timer in (self._timer, self._held):
            if timer is not None:
                timer.cancel()
        self._timer = self._held = None
        self._under_way.clear()

    def _send(self, item: Item, size: int) -> None:
        last = self._under_way[-1][0] if self._under_way else 0.0
        self._under_way.append((max(last, self._wire.arrival(size)), item))
        if self._timer is None and self._held is None:
            self._await_head(self._under_way[0][0])

    def _await_head(self, when: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self._head_arrives)

    def _head_arrives(self) -> None:
        self._timer = None
        if self._wire.cut:
            self._held = asyncio.get_running_loop().call_later(self._wire.patience(), self._give_up)
            return
        _, item = self._under_way.popleft()
        if self._under_way:
            self._await_head(self._under_way[0][0])
        self._arrive(item)
