"""Lines redrawn in place: what is left of them on a screen, whatever happens to it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest

from capsa.faces.cli.drawing.style import Style
from capsa.faces.cli.drawing.terminal import Region, Terminal
from tests.faces.cli.screens import ScreenModel


class Tty(io.StringIO):
    """A stream that leads to a screen model."""

    encoding = "utf-8"

    def __init__(self, screen: ScreenModel) -> None:
        super().__init__()
        self.screen = screen

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.screen.write(text)
        return len(text)


@pytest.fixture
def resize(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Gives every terminal another size."""

    def change(columns: int, lines: int) -> None:
        monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, lines)))

    change(40, 24)
    return change


def region_on(screen: ScreenModel) -> Region:
    return Region(Terminal(Tty(screen), Style()))


def test_what_is_drawn_takes_the_place_of_what_was(resize: Callable[[int, int], None]) -> None:
    screen = ScreenModel(40)
    screen.write("before\n")
    region = region_on(screen)
    for lines in (["one", "two", "three"], ["a", "b"], ["longer than it was", "b", "c", "d"]):
        region.draw(lines)
        assert screen.shown == ["before", *lines]
    region.erase()
    assert screen.shown == ["before"]
    assert (screen.row, screen.column) == (1, 0)


def test_lines_are_told_above_it(resize: Callable[[int, int], None]) -> None:
    screen = ScreenModel(40)
    region = region_on(screen)
    region.draw(["one", "two"])
    region.erase()
    region.erase()
    screen.write("told\n")
    region.draw(["one", "two"])
    assert screen.shown == ["told", "one", "two"]


def test_a_window_that_became_narrower_is_left_clean(resize: Callable[[int, int], None]) -> None:
    stream = Tty(ScreenModel(40))
    region = Region(Terminal(stream, Style()))
    region.draw(["x" * 39, "y" * 10])
    narrow = ScreenModel(15)
    narrow.write("before\n")
    narrow.write("x" * 39 + "\n" + "y" * 10)  # as a terminal shows it that wraps what is there
    stream.screen = narrow
    resize(15, 24)
    region.draw(["short"])
    assert narrow.shown == ["before", "short"]


def test_no_more_lines_are_drawn_than_the_window_has(resize: Callable[[int, int], None]) -> None:
    resize(40, 4)
    screen = ScreenModel(40)
    region = region_on(screen)
    region.draw([str(number) for number in range(10)])
    assert screen.shown == ["0", "1", "2"]


def test_a_terminal_that_is_gone_takes_nothing_and_harms_nobody(resize: Callable[[int, int], None]) -> None:
    class Gone(Tty):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    terminal = Terminal(Gone(ScreenModel()), Style())
    region = Region(terminal)
    region.draw(["one"])
    region.erase()
    assert not terminal.open


@pytest.mark.parametrize(
    ("environment", "encoding", "style"),
    [
        ({"TERM": "xterm"}, "utf-8", Style(colour=True, drawn=True)),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "utf-8", Style(colour=False, drawn=True)),
        ({"TERM": "xterm", "NO_COLOR": ""}, "ascii", Style(colour=True, drawn=False)),
        ({"TERM": "dumb"}, "utf-8", None),
        ({}, "utf-8", None),
    ],
)
def test_what_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], encoding: str, style: Style | None
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Tty(ScreenModel())
    stream.encoding = encoding
    terminal = Terminal.on(stream)
    assert (terminal.style if terminal else None) == style
    assert Terminal.on(io.StringIO()) is None
    assert Terminal.on(None) is None
