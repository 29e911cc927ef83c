"""What each command takes, read off its grammar: for whoever describes it to people and to shells."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Final

from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.parser import command_parser, make_parser

_MANY: Final = ("*", "+")


@dataclass(frozen=True, slots=True)
class Argument:
    """One option or, without `flags`, one operand.

    `value` is the word that stands for its value, empty for a switch; `choices` are its only values, if it has such;
    `needed` and `many` say how often an operand, or an option's value, is given; `again` that an option may be
    repeated.
    """

    flags: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    explanation: str
    needed: bool
    many: bool
    again: bool


def arguments_of(name: str) -> list[Argument]:
    """What a command takes: its operands, then its own options and those that all have. Hidden ones are left out."""
    return sorted(_shown(command_parser(BY_NAME[name])), key=lambda argument: bool(argument.flags))


def common_options() -> list[Argument]:
    """What stands before a command, or after any."""
    return _shown(make_parser(()))


def _shown(parser: argparse.ArgumentParser) -> list[Argument]:
    # What a parser holds has no public name; it has had this one since argparse came to be.
    return [_argument(action) for action in parser._actions if action.help not in (None, argparse.SUPPRESS)]


def _argument(action: argparse.Action) -> Argument:
    value = "" if action.nargs == 0 else action.metavar or "|".join(map(str, action.choices or ())) or action.dest
    assert isinstance(value, str)
    return Argument(
        flags=tuple(sorted(action.option_strings, key=len)),
        value=value,
        choices=tuple(map(str, action.choices or ())),
        explanation=action.help or "",
        needed=action.nargs not in ("?", "*"),
        many=action.nargs in _MANY,
        again=isinstance(action, argparse._AppendAction),
    )
