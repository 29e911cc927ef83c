"""What `--help` prints, for a terminal of 80 columns or fewer: the overview of all commands, and the page of each."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import Any, Final

from capsa.faces.cli.exits import MEANINGS
from capsa.faces.cli.grammar import BY_NAME, PURPOSES
from capsa.faces.cli.manual.explanations import EXPLANATIONS

WIDTH: Final = 79
_WIDTH_MIN: Final = 32
_USAGE: Final = "[-h] [--home DIR] [--json] [--quiet] [--version] COMMAND ..."
_DESCRIPTION: Final = "Keep files, encrypted, on each other's machines."
_MORE: Final = (
    "'capsa help COMMAND' explains one, with examples. Every command takes --home DIR (or CAPSA_HOME), --json and "
    "--quiet."
)


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Options beside their explanations, in at most 80 columns; text that was laid out already stays."""

    def __init__(self, prog: str, **more: Any) -> None:
        super().__init__(prog, **{**more, "max_help_position": 28, "width": _width()})


def overview() -> str:
    """All commands by purpose."""
    column = max(map(len, BY_NAME)) + 2
    lines = [_hanging("usage: capsa ", _USAGE), "", _filled(_DESCRIPTION)]
    for purpose, names in PURPOSES:
        lines += ["", f"{purpose}:", *(_hanging(f"  {name:{column}}", BY_NAME[name].summary) for name in names)]
    codes = [_hanging(f"{code.value:5}  ", meaning) for code, meaning in MEANINGS.items()]
    lines += ["", "exit codes:", *codes, "", _filled(_MORE)]
    return "\n".join(lines) + "\n"


def describe(name: str) -> str:
    """What a command is for, as its help begins."""
    return "\n\n".join(map(_filled, paragraphs(name)))


def paragraphs(name: str) -> list[str]:
    """What a command is for, in a sentence, and what else has to be known, a line a paragraph."""
    summary = BY_NAME[name].summary
    more = EXPLANATIONS[name].more
    return [f"{summary[0].upper()}{summary[1:]}.", *(more.split("\n\n") if more else ())]


def show_examples(name: str) -> str:
    """A command's examples, as its help ends."""
    shown = (f"  {typed}\n{_hanging('      ', does)}" for typed, does in EXPLANATIONS[name].examples)
    return "examples:\n" + "\n".join(shown)


def _width() -> int:
    return max(_WIDTH_MIN, min(WIDTH, shutil.get_terminal_size().columns - 1))


def _filled(text: str) -> str:
    return textwrap.fill(text, _width(), break_on_hyphens=False)


def _hanging(head: str, text: str) -> str:
    """The text beside its head."""
    return textwrap.fill(text, _width(), initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)
