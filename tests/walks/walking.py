"""Typing the blocks of a walk, on the machines that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.walks.machines import Machine, Terminal, Typed
from tests.walks.readme import Block, Line

_UNTIL_ALIVE: Final = re.compile(r"until (.+) (?:is|are) alive")
_CODES: Final = re.compile(r"exit code (\d+)(?: or (\d+))?")
_KEY: Final = re.compile(r"(\S) ends it")
_NODE: Final = re.compile(r"capsa (?:--home \S+ )?up\b")
_LOOKS: Final = 100


class Walker:
    """Types commands. `up` stays in its terminal; everything else is typed when what was before it has ended."""

    def __init__(self, machines: dict[str, Machine]) -> None:
        self.machines = machines
        self.typed: list[tuple[str, Line, Typed]] = []
        """What was typed and ended, in order: the machine's name, the line, and how it ended."""
        self._nodes: dict[str, list[Terminal]] = {}

    def walk(self, blocks: Sequence[Block]) -> None:
        """Type all lines of all blocks."""
        for block in blocks:
            if block.brings is not None:
                self.carry(block.brings[0], block.brings[1], block.on)
            if block.script is not None:
                (self.machines[block.on].folder / block.script).write_text(f"#!/bin/sh\n{block.text}")
                self.type(block.on, Line(f"sh {block.script}", ""))
                continue
            for line in block.lines:
                self.type(block.on, line)

    def carry(self, file: str, source: str, target: str) -> None:
        """What people send each other, or print and type again."""
        content = (self.machines[source].folder / file).read_bytes()
        (self.machines[target].folder / file).write_bytes(content)

    def type(self, on: str, line: Line) -> None:
        """Type one line; an `AssertionError` unless it ends as its comment says, and with 0 where that says nothing."""
        if _NODE.match(line.command):
            node = Terminal(self.machines[on], line.command)
            self._nodes.setdefault(on, []).append(node)
            node.expect(" is up: ")
            return
        said = _CODES.search(line.comment)
        codes = {int(code) for code in said.groups() if code} if said else {0}
        key = _KEY.search(line.comment)
        for _ in range(_LOOKS):
            typed = self.run(on, line.command, key[1] if key else "")
            assert typed.code in codes, f"{on}$ {line.command}\nended with {typed.code}, not {codes}:\n{typed.shown}"
            if _all_alive(line.comment, typed.shown):
                self.typed.append((on, line, typed))
                return
        raise AssertionError(f"{on}$ {line.command}\nnever showed what it should {line.comment}:\n{typed.shown}")

    def run(self, on: str, command: str, key: str = "") -> Typed:
        """Type a command, and a key once it shows something if that is what ends it; whatever its exit code is."""
        terminal = Terminal(self.machines[on], command)
        try:
            if key:
                terminal.expect("alive")
                terminal.press(key.encode())
            return terminal.end()
        finally:
            terminal.close()

    def interrupt(self, on: str) -> list[Typed]:
        """Ctrl-C in each terminal of a machine where a node runs; how they ended."""
        nodes = self._nodes.pop(on, [])
        for node in nodes:
            node.press(b"\x03")
        ended = [node.end() for node in nodes]
        for node in nodes:
            node.close()
        return ended

    def lose(self, on: str) -> None:
        """The machine is gone at once, with all that ran on it."""
        for node in self._nodes.pop(on, []):
            node.close()

    def close(self) -> None:
        """Nothing runs any more."""
        for on in list(self._nodes):
            self.lose(on)


@contextmanager
def walking(machines: dict[str, Machine]) -> Iterator[Walker]:
    """A walker, and nothing left of what it started."""
    walker = Walker(machines)
    try:
        yield walker
    finally:
        walker.close()


def _all_alive(comment: str, shown: str) -> bool:
    """Whether `peers` shows whom it should, if the comment names somebody."""
    match = _UNTIL_ALIVE.search(comment)
    names = re.split(r", | and ", match[1]) if match else []
    return all(re.search(rf"^{re.escape(name)} +alive", shown, re.MULTILINE) for name in names)
