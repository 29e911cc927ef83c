from __future__ import annotations

import io
import sys
from itertools import count

import pytest

from capsa.faces.cli.output import Screen
from capsa.faces.cli.progress import Progress
from tests.faces.cli.screens import ScreenModel


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    for second in range(1, 11):
        slow = rate.at(float(second), 100 * second)
    assert slow == 100.0
    for second in range(11, 21):
        fast = rate.at(float(second), 1000 + 1000 * (second - 10))
    assert fast == 1000.0


def test_a_meter_counts_from_where_it_began_even_if_the_node_begins_anew() -> None:
    meter = Meter(1000)
    meter.note(0.0, 1000)
    meter.note(1.0, 1500)
    assert (meter.total, meter.rate) == (500, 500.0)
    meter.note(2.0, 100)  # it was restarted
    meter.note(4.0, 300)
    assert (meter.total, meter.rate) == (800, 200.0)


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "quiet", "kind", "drawn"),
    [
        (True, False, "xterm", True),
        (True, True, "xterm", False),
        (True, False, "dumb", False),
        (False, False, "xterm", False),
    ],
)
def test_progress_is_drawn_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, kind: str, *, terminal: bool, quiet: bool, drawn: bool
) -> None:
    stderr = _Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", kind)
    ticks = count()
    with Progress(Screen(quiet=quiet), "put", 100, lambda: float(next(ticks))) as progress:
        progress.begin("a\nfile")
        progress(40)
        screen = ScreenModel()
        screen.write(stderr.getvalue())
        assert ("40 %" in "".join(screen.shown)) is drawn
        assert ("put  a\\x0afile" in screen.shown) is drawn
    screen = ScreenModel()
    screen.write(stderr.getvalue())
    assert (bool(stderr.getvalue()), screen.shown) == (drawn, [])
