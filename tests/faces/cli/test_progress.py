from __future__ import annotations

import io
import sys
from itertools import count

import pytest

from capsa.faces.cli.output import Screen
from capsa.faces.cli.progress import Progress
from tests.faces.cli.screens import ScreenModel


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
