"""A terminal to draw on: how large it is, what it can show, and lines that are redrawn in place.

Nothing that happens to it, closed or full, ever reaches whoever draws: drawing just ends.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Final, Self, TextIO

from capsa.faces.cli.drawing.cells import cells
from capsa.faces.cli.drawing.style import Style, plain
from capsa.faces.cli.output import is_terminal, wants_colour

_TO_END_OF_LINE: Final = "\x1b[K"
_TO_END_OF_SCREEN: Final = "\x1b[J"
_TO_TOP: Final = "\x1b[H"
_SECOND_SCREEN: Final = "\x1b[?1049h"
_FIRST_SCREEN: Final = "\x1b[?1049l"
_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"
_CUT_LINES: Final = "\x1b[?7l"
_WRAP_LINES: Final = "\x1b[?7h"
"""Whether what does not fit into a line goes on in the next one. For a moment after a window became narrower its old
width is what we are told: lines that wrapped then would push the picture down again and again."""
_COLUMNS: Final = 80
_COLUMNS_MIN: Final = 20
_UNABLE: Final = {None, "", "dumb"}
"""Values of TERM that say nothing, or that the cursor cannot be moved."""


def columns_of(stream: TextIO) -> int:
    """Cells of a line where this stream leads; 80 where nobody watches it, or where that is not known."""
    try:
        return max(_COLUMNS_MIN, os.get_terminal_size(stream.fileno()).columns) if is_terminal(stream) else _COLUMNS
    except OSError:
        return _COLUMNS


class Terminal:
    """A stream that leads to a terminal which can move its cursor."""

    def __init__(self, stream: TextIO, style: Style) -> None:
        self._stream = stream
        self._open = True
        self.style = style

    @classmethod
    def on(cls, stream: TextIO | None) -> Self | None:
        """The terminal behind a stream; None where nothing can be drawn."""
        if stream is None or not is_terminal(stream) or os.environ.get("TERM") in _UNABLE:
            return None
        encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
        return cls(stream, Style(colour=wants_colour(stream), drawn=encoding == "utf8"))

    @property
    def open(self) -> bool:
        """False once it did not take what was written."""
        return self._open

    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now: windows are resized while we draw."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except OSError:
            columns, lines = 0, 0
        if columns > 0 and lines > 0:
            return columns, lines
        fallback = shutil.get_terminal_size()
        return fallback.columns, fallback.lines

    def write(self, text: str) -> None:
        """Write at once; when that fails, this and all that follows goes nowhere."""
        if not self._open:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # hung up, or closed within this process
            self._open = False


class Region:
    """The lowest lines of a terminal, redrawn in place. Between drawings the cursor is at the end of the last one."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._drawn: list[int] = []
        """Cells of each line that is there now."""

    @property
    def drawn(self) -> bool:
        """Whether there is something now."""
        return bool(self._drawn)

    def room(self) -> tuple[int, int]:
        """Cells of a line, and lines, that may be drawn: the last column stays free, since some terminals wrap there,
        and so does one line, without which what is above could not be kept."""
        columns, lines = self._terminal.size()
        return max(1, columns - 1), max(1, lines - 1)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines instead of those that are there."""
        shown = lines[: self.room()[1]]
        text = "\n".join(f"{line}{_TO_END_OF_LINE}" for line in shown)
        self._terminal.write(f"{_CUT_LINES}{self._back()}{text}{_TO_END_OF_SCREEN}{_WRAP_LINES}")
        self._drawn = [cells(plain(line)) for line in shown]

    def erase(self) -> None:
        """Leave the terminal as if nothing had been drawn; a repeat does nothing."""
        if self._drawn:
            self._terminal.write(f"{self._back()}{_TO_END_OF_SCREEN}")
            self._drawn = []

    def _back(self) -> str:
        """To the first cell of what is there. A window that became narrower has wrapped the longer lines."""
        columns, lines = self._terminal.size()
        rows = sum(max(1, -(-width // columns)) for width in self._drawn)
        up = min(rows - 1, lines - 1)
        return f"\r\x1b[{up}A" if up > 0 else "\r"


class Canvas:
    """The whole window, on the terminal's second screen: what was there before comes back at the end."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def room(self) -> tuple[int, int]:
        """Cells of a line, and lines."""
        columns, lines = self._terminal.size()
        return max(1, columns - 1), lines

    def open(self) -> None:
        """Turn to the second screen, and hide the cursor."""
        self._terminal.write(_SECOND_SCREEN + _HIDE_CURSOR)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, and nothing else."""
        text = "\n".join(f"{line}{_TO_END_OF_LINE}" for line in lines[: self.room()[1]])
        self._terminal.write(f"{_CUT_LINES}{_TO_TOP}{text}{_TO_END_OF_SCREEN}{_WRAP_LINES}")

    def close(self) -> None:
        """Back to what was there before."""
        self._terminal.write(_SHOW_CURSOR + _FIRST_SCREEN)
