from __future__ import annotations

import io
import sys
from itertools import count

import pytest

from capsa.faces.cli.output import Screen
from capsa.faces.cli.progress import Progress, Rate, progress_text


@pytest.mark.parametrize(
    ("done", "total", "rate", "text"),
    [
        (0, 1000, 0.0, "  0 %  0 B of 1.0 kB"),
        (250_000_000, 10**9, 50e6, " 25 %  250 MB of 1.0 GB  50.0 MB/s  15 s left"),
        (10**9, 10**9, 50e6, "100 %  1.0 GB of 1.0 GB  50.0 MB/s"),
        (7_000_000, None, 2e6, "7.0 MB  2.0 MB/s"),
        (0, 0, 0.0, "0 B"),
    ],
)
def test_the_line_tells_share_rate_and_remaining(done: int, total: int | None, rate: float, text: str) -> None:
    assert progress_text(done, total, rate) == text


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    for second in range(1, 11):
        slow = rate.at(float(second), 100 * second)
    assert slow == 100.0
    for second in range(11, 21):
        fast = rate.at(float(second), 1000 + 1000 * (second - 10))
    assert fast == 1000.0


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "quiet", "drawn"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_progress_is_drawn_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, quiet: bool, drawn: bool
) -> None:
    stderr = _Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    ticks = count()
    with Progress(Screen(quiet=quiet), "put", 100, lambda: float(next(ticks))) as progress:
        progress(40)
    assert ("40 %" in stderr.getvalue()) is drawn
    assert not terminal or quiet or stderr.getvalue().endswith("\r\x1b[K")
