"""Totals and rates, from what is told again and again of something that grows."""

from __future__ import annotations

from collections import deque
from typing import Final

_WINDOW_SECONDS: Final = 5.0


class Rate:
    """Bytes a second over the last `window` seconds or so. Times are the caller's, in seconds."""

    def __init__(self, window: float = _WINDOW_SECONDS) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def at(self, now: float, done: int) -> float:
        """Note how much is done by now; the rate since the window began, 0 while unknown."""
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= self._window:
            self._samples.popleft()
        then, before = self._samples[0]
        return (done - before) / (now - then) if now > then else 0.0


class Meter:
    """A node's total and its rate, from `start` on. A total that shrank was begun anew, by a node that restarted."""

    def __init__(self, start: int = 0, window: float = _WINDOW_SECONDS) -> None:
        self.total = 0
        self.rate = 0.0
        self._last = start
        self._rate = Rate(window)

    def note(self, now: float, value: int) -> None:
        """What the node says by now."""
        self.total += value - self._last if value >= self._last else value
        self._last = value
        self.rate = self._rate.at(now, self.total)
