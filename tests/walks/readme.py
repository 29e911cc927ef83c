"""The walks of the README: its shell blocks, each marked with the walk it belongs to and the machine it is typed on.

A mark is a comment before the block, which nobody sees who reads the page:

    <!-- walk: three machines, on: ben, brings: ben.txt from ann -->

`brings` is a file that the text says was carried over; `script` names the file that the block is saved as, to be run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)
_MARKS = {"walk", "on", "brings", "script"}


@dataclass(frozen=True, slots=True)
class Line:
    """A command as it is typed, and what the comment after it says."""

    command: str
    comment: str

    @classmethod
    def parse(cls, text: str) -> Line:
        command, _, comment = text.partition(" #")
        return cls(command.strip(), comment.strip())


@dataclass(frozen=True, slots=True)
class Block:
    """One block, to be typed in one terminal of one machine. `brings`: the file, and from which machine it comes."""

    walk: str
    on: str
    brings: tuple[str, str] | None
    script: str | None
    text: str

    @property
    def lines(self) -> list[Line]:
        return [Line.parse(line) for line in self.text.splitlines() if line]


def blocks_of(page: str) -> list[Block]:
    """The blocks that are marked, in order; raises `ValueError` at a mark that nobody understands."""
    return [_block(match["mark"], match["text"]) for match in _BLOCK.finditer(page) if match["mark"]]


def unmarked(page: str) -> list[str]:
    """The shell blocks that are part of no walk."""
    return [match["text"] for match in _BLOCK.finditer(page) if not match["mark"]]


def walk(name: str) -> Sequence[Block]:
    """The blocks of one walk; an `AssertionError` if the README has none of this name."""
    blocks = [block for block in blocks_of(README.read_text("utf-8")) if block.walk == name]
    assert blocks, f"the README has no walk {name!r}"
    return blocks


def _block(mark: str, text: str) -> Block:
    said = dict(part.strip().partition(": ")[::2] for part in mark.split(","))
    if not {"walk", "on"} <= set(said) <= _MARKS:
        raise ValueError(f"Before a block stands <!-- {mark} -->, which nobody understands.")
    file, _, source = said.get("brings", "").partition(" from ")
    return Block(said["walk"], said["on"], (file, source) if file else None, said.get("script"), text)
