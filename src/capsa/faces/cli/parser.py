"""From what was typed to options. Only the grammar of the command that was typed is laid out: start-up stays fast."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from capsa.errors import UsageError
from capsa.faces.cli.grammar import BY_NAME, COMMANDS, LATER, Command
from capsa.faces.cli.options import add_common, not_available

_UNKNOWN_COMMAND: Final = re.compile(r"argument COMMAND: invalid choice: ('[^']*'|\"[^\"]*\")")
_HOME: Final = "--home"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        if unknown := _UNKNOWN_COMMAND.match(message):  # argparse would offer those of later versions, too
            hint = f"{nearest(unknown[1][1:-1], BY_NAME)}See '{self.prog} --help'."
            raise UsageError(f"There is no command {unknown[1]}.", hint)
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"See '{self.prog} --help'.")


class _WholeParser(Parser):
    """The parser of the whole command line, whose help lists the commands by purpose."""

    def format_help(self) -> str:
        from capsa.faces.cli.manual.help_text import overview  # here, since few ask for help

        return overview()


class _CommandParser(Parser):
    """The parser of one command, which is explained when somebody asks."""

    def format_help(self) -> str:
        from capsa.faces.cli.manual.help_text import HelpFormatter, describe, show_examples

        name = self.prog.rpartition(" ")[2]
        self.formatter_class, self.description, self.epilog = HelpFormatter, describe(name), show_examples(name)
        return super().format_help()


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its options; raises `UsageError`, `VersionAsked`, or `SystemExit` after `--help`."""
    name = _command_word(argv)
    parser = make_parser((BY_NAME[name],) if name in BY_NAME else COMMANDS)
    options, rest = parser.parse_known_args(argv)
    if options.command in LATER:
        raise not_available(f"capsa {options.command}")
    if rest:
        raise _not_understood(rest[0], options.command)
    if options.command is None:
        raise UsageError("No command was given.", "See 'capsa --help'.")
    return options


def _not_understood(word: str, command: str | None) -> UsageError:
    hint = ""
    if command is not None and word.startswith("-"):
        shown = [action for action in command_parser(BY_NAME[command])._actions if action.help != argparse.SUPPRESS]
        hint = nearest(word.partition("=")[0], (option for action in shown for option in action.option_strings))
        if not word.startswith("--"):
            hint = hint or "A name that begins with a dash goes after '--'. "
    return UsageError(
        f"{word!r} is not understood.", f"{hint}See '{' '.join(filter(None, ('capsa', command)))} --help'."
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """A question whether one of the words that are known was meant; nothing if none is near."""
    from difflib import get_close_matches  # here, since few mistype

    near = get_close_matches(word, list(known), 1)
    return f"Did you mean '{near[0]}'? " if near else ""


def help_on(name: str | None) -> str:
    """What `--help` says: of a command, or of all."""
    return make_parser().format_help() if name is None else command_parser(BY_NAME[name]).format_help()


def command_parser(command: Command) -> Parser:
    """The grammar of one command by itself."""
    parser = _CommandParser(f"capsa {command.name}", allow_abbrev=False)
    command.arguments(parser)
    add_common(parser, home=None, json=False, quiet=False)
    return parser


def make_parser(commands: Sequence[Command] = COMMANDS) -> Parser:
    """The grammar of these commands."""
    parser = _WholeParser("capsa", allow_abbrev=False)
    add_common(parser, home=None, json=False, quiet=False)
    children = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_CommandParser)
    for command in commands:
        child = children.add_parser(command.name, allow_abbrev=False)
        command.arguments(child)
        # Without defaults, what was given before the command stays.
        add_common(child, home=argparse.SUPPRESS, json=argparse.SUPPRESS, quiet=argparse.SUPPRESS)
    for name in LATER:
        children.add_parser(name, add_help=False)
    return parser


def _command_word(argv: Sequence[str]) -> str | None:
    """The first word that is neither an option nor the value of one."""
    words = iter(argv)
    for word in words:
        if word == _HOME:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None
