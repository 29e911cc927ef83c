"""What `--help` prints, for a terminal of 80 columns: the overview of all commands, and the page of each."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import Any, Final

from capsa.faces.cli.exits import MEANINGS
from capsa.faces.cli.explanations import EXPLANATIONS
from capsa.faces.cli.grammar import BY_NAME, PURPOSES

WIDTH: Final = 79
_USAGE: Final = "usage: capsa [-h] [--home DIR] [--json] [--quiet] [--version] COMMAND ..."
_DESCRIPTION: Final = "Keep files, encrypted, on each other's machines."
_MORE: Final = (
    "'capsa help COMMAND' explains one, with examples. Every command takes --home DIR (or CAPSA_HOME), --json and "
    "--quiet."
)


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Options beside their explanations, in at most 80 columns; text that was laid out already stays."""

    def __init__(self, prog: str, **more: Any) -> None:
        width = min(WIDTH, shutil.get_terminal_size().columns - 1)
        super().__init__(prog, **{**more, "max_help_position": 28, "width": width})


def overview() -> str:
    """All commands by purpose."""
    column = max(map(len, BY_NAME)) + 2
    lines = [_USAGE, "", _DESCRIPTION]
    for purpose, names in PURPOSES:
        lines += ["", f"{purpose}:", *(f"  {name:{column}}{BY_NAME[name].summary}" for name in names)]
    codes = [f"{code.value:5}  {meaning}" for code, meaning in MEANINGS.items()]
    lines += ["", "exit codes:", *codes, "", textwrap.fill(_MORE, WIDTH)]
    return "\n".join(lines) + "\n"


def describe(name: str) -> str:
    """What a command is for, as its help begins."""
    return "\n\n".join(textwrap.fill(text, WIDTH, break_on_hyphens=False) for text in paragraphs(name))


def paragraphs(name: str) -> list[str]:
    """What a command is for, in a sentence, and what else has to be known, a line a paragraph."""
    summary = BY_NAME[name].summary
    more = EXPLANATIONS[name].more
    return [f"{summary[0].upper()}{summary[1:]}.", *(more.split("\n\n") if more else ())]


def show_examples(name: str) -> str:
    """A command's examples, as its help ends."""
    return "examples:\n" + "\n".join(f"  {typed}\n      {does}" for typed, does in EXPLANATIONS[name].examples)
