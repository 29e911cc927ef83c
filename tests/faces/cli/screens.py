"""A terminal's screen, as far as the command line makes use of one: what a person would see of what was written.

It knows the sequences that `capsa.faces.cli.drawing.terminal` and `top` write, and refuses all others.
"""

from __future__ import annotations

import re

from capsa.faces.cli.drawing.cells import cells

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class ScreenModel:
    """Lines of text and a cursor; lines that are too long wrap, as on a real terminal."""

    def __init__(self, columns: int = 80) -> None:
        self.columns = columns
        self._rows: list[list[str]] = [[]]
        """The cells of each row; the second cell of a wide character is empty."""
        self.row = 0
        self.column = 0
        self.wrapped = 0
        """How many lines were too long so far."""
        self.alternate = False
        self.cursor_shown = True
        self.wraps = True
        self._saved: tuple[list[list[str]], int, int] = ([[]], 0, 0)

    def write(self, text: str) -> None:
        """Show what was written."""
        position = 0
        while position < len(text):
            if text[position] == "\x1b":
                found = _SEQUENCE.match(text, position)
                assert found is not None, f"an unknown sequence: {text[position : position + 10]!r}"
                self._obey(*found.groups())
                position = found.end()
                continue
            self._put(text[position])
            position += 1

    @property
    def shown(self) -> list[str]:
        """The lines up to the last one that is not empty."""
        lines = ["".join(row).rstrip() for row in self._rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._down()
            self.column = 0  # the terminal driver adds the return
        else:
            width = cells(character)
            if self.column + width > self.columns:
                self.wrapped += 1
                if self.wraps:
                    self._down()
                self.column = 0 if self.wraps else self.columns - width
            row = self._rows[self.row]
            row += [" "] * (self.column + width - len(row))
            if width:
                row[self.column : self.column + width] = [character] + [""] * (width - 1)
            elif self.column:
                row[self.column - 1] += character
            self.column += width

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self._rows):
            self._rows.append([])

    def _obey(self, private: str, numbers: str, letter: str) -> None:
        number = int(numbers.split(";", maxsplit=1)[0] or 0) if numbers else 0
        match private, letter:
            case "", "m":
                pass
            case "", "A":
                self.row = max(0, self.row - max(1, number))
            case "", "H":
                self.row, self.column = 0, 0
            case "", "K":
                del self._rows[self.row][self.column :]
            case "", "J":
                del self._rows[self.row][self.column :]
                del self._rows[self.row + 1 :]
            case "?", "h" | "l" if number == 25:
                self.cursor_shown = letter == "h"
            case "?", "h" | "l" if number == 7:
                self.wraps = letter == "h"
            case "?", "h" | "l" if number == 1049:
                self._turn(to_alternate=letter == "h")
            case _:
                raise AssertionError(f"an unknown sequence: {private}{numbers}{letter}")

    def _turn(self, *, to_alternate: bool) -> None:
        if to_alternate and not self.alternate:
            self._saved = (self._rows, self.row, self.column)
            self._rows, self.row, self.column = [[]], 0, 0
        elif self.alternate and not to_alternate:
            self._rows, self.row, self.column = self._saved
        self.alternate = to_alternate
