"""The progress line: how much is done, how fast, how long it will take. On stderr, and only to a terminal."""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from capsa.faces.cli.output import Screen, is_terminal
from capsa.faces.cli.quantities import show_seconds, show_size

_REDRAW_SECONDS: Final = 0.1
_WINDOW_SECONDS: Final = 5.0
_CLEAR: Final = "\r\x1b[K"


class Rate:
    """Bytes a second over the last few seconds. Times are the caller's, in seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def at(self, now: float, done: int) -> float:
        """Note how much is done by now; the rate since about `_WINDOW_SECONDS` ago, 0 while unknown."""
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _WINDOW_SECONDS:
            self._samples.popleft()
        then, before = self._samples[0]
        return (done - before) / (now - then) if now > then else 0.0


def progress_text(done: int, total: int | None, rate: float) -> str:
    """The line itself; `total` is None where nobody knows it."""
    parts = [show_size(done)]
    if total:
        parts = [f"{100 * done // total:3} %", f"{show_size(done)} of {show_size(total)}"]
    if rate:
        parts.append(f"{show_size(rate)}/s")
        if total and done < total:
            parts.append(f"{show_seconds((total - done) / rate)} left")
    return "  ".join(parts)


class Progress:
    """Use as a context around the work, and call it with each number of further bytes done; from one thread."""

    def __init__(self, screen: Screen, label: str, total: int | None, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never go back."""
        self._shown = is_terminal(sys.stderr) and not screen.quiet
        self._label = label
        self._total = total
        self._clock = clock
        self._rate = Rate()
        self._done = 0
        self._next = clock() + _REDRAW_SECONDS

    def __call__(self, size: int) -> None:
        self._done += size
        now = self._clock()
        if self._shown and now >= self._next:
            self._next = now + _REDRAW_SECONDS
            text = f"{self._label}  {progress_text(self._done, self._total, self._rate.at(now, self._done))}"
            width = shutil.get_terminal_size().columns
            print(f"{_CLEAR}{text[: width - 1]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for another line."""
        if self._shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
