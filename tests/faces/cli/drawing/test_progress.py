from __future__ import annotations

import io
import sys
from itertools import count

import pytest

from capsa.faces.cli.drawing.progress import Progress
from capsa.faces.cli.output import Screen
from tests.faces.cli.screens import ScreenModel


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_between_lines_that_are_told_the_picture_comes_back_sooner_than_it_is_redrawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr := _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    now = 0.0
    with Progress(Screen(), "get", None, lambda: now) as progress:

        def drawn_at(moment: float) -> bool:
            nonlocal now
            now, before = moment, stderr.tell()
            progress(1)
            return stderr.tell() > before

        assert [drawn_at(moment) for moment in (0.05, 0.1, 0.15)] == [False, True, False]
        progress.clear()
        assert [drawn_at(moment) for moment in (0.16, 0.175)] == [False, True]


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
