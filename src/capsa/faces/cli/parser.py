"""All commands and options. What a later version will have is known here and refused, never ignored."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from capsa.errors import UsageError

LATER_COMMANDS: Final = (
    *("recover", "wait", "share", "rm", "history", "verify", "repair", "unlock", "lock", "kit", "doctor"),
)
_COMMAND_HELP: Final = {
    "init": "a new owner and a new network",
    "invite": "a one-time invite to the network",
    "card": "the network's contact card",
    "join": "a new owner in an existing network",
    "up": "run this home's node, in the foreground",
    "put": "store files",
    "get": "fetch a file",
    "ls": "list what is stored",
    "info": "one file: where it lies, in how many copies",
    "peers": "the network as this node sees it",
    "status": "how this node is",
    "demo": "a whole network on this machine, in a minute",
}


_UNKNOWN_COMMAND: Final = re.compile(r"argument COMMAND: invalid choice: ('[^']*'|\"[^\"]*\")")


class VersionAsked(Exception):  # noqa: N818 - a question, not an error
    """The user wants to know the version; whatever else was typed does not matter."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        if unknown := _UNKNOWN_COMMAND.match(message):  # argparse would offer those of later versions, too
            raise UsageError(f"There is no command {unknown[1]}.", f"See '{self.prog} --help'.")
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"See '{self.prog} --help'.")


class _Later(argparse.Action):
    """An option of a later version."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, values: object, option: Any = None) -> None:
        raise not_available(str(option))


class _Version(argparse.Action):
    """`--version`; with a value, as in `get --version 3`, an option of a later version."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, values: object, option: Any = None) -> None:
        if values:
            raise not_available(f"{option} {values}")
        raise VersionAsked


def not_available(what: str) -> UsageError:
    """What this version knows of, and cannot do."""
    return UsageError(f"{what} is not available in this version.", "See 'capsa --help' for what is.")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its options; raises `UsageError`, `VersionAsked`, or `SystemExit` after `--help`."""
    parser = make_parser()
    options, rest = parser.parse_known_args(argv)
    if options.command in LATER_COMMANDS:
        raise not_available(f"capsa {options.command}")
    if rest:
        raise UsageError(f"{rest[0]!r} is not understood.", f"See 'capsa {options.command or ''} --help'.")
    if options.command is None:
        raise UsageError("No command was given.", "See 'capsa --help'.")
    return options


def make_parser() -> Parser:
    """The whole grammar."""
    parser = Parser("capsa", description="Keep files, encrypted, on each other's machines.", allow_abbrev=False)
    _add_common(parser, home=None, json=False, quiet=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def add(name: str) -> Parser:
        child: Parser = commands.add_parser(
            name, help=_COMMAND_HELP[name], description=_COMMAND_HELP[name], allow_abbrev=False
        )
        # Without defaults, what was given before the command stays.
        _add_common(child, home=argparse.SUPPRESS, json=argparse.SUPPRESS, quiet=argparse.SUPPRESS)
        return child

    _add_making(add("init"), add("invite"), add("card"), add("join"))
    _add_up(add("up"))
    _add_put(add("put"))
    _add_get(add("get"))
    _add_looking(add("ls"), add("info"), add("peers"), add("status"))
    _add_demo(add("demo"))
    for name in LATER_COMMANDS:
        commands.add_parser(name, add_help=False)
    return parser


def _add_common(parser: Parser, *, home: object, json: object, quiet: object) -> None:
    group = parser.add_argument_group("everywhere")
    group.add_argument("--home", metavar="DIR", default=home, help="the home to work with (or CAPSA_HOME)")
    group.add_argument("--json", action="store_true", default=json, help="JSON on stdout, and nothing else there")
    group.add_argument("--quiet", "-q", action="store_true", default=quiet, help="say nothing but results and errors")
    nargs = "?" if parser.prog == "capsa get" else 0
    group.add_argument("--version", action=_Version, nargs=nargs, help="show the version", default=argparse.SUPPRESS)


def _add_later(parser: Parser, *options: str, valued: bool = True) -> None:
    parser.add_argument(
        *options, action=_Later, nargs="?" if valued else 0, help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def _add_keys(parser: Parser) -> None:
    parser.add_argument("--no-passphrase", action="store_true", help="the owner's keys are not locked by a passphrase")
    _add_later(parser, "--passphrase-file")
    _add_later(parser, "--passphrase", valued=False)


def _add_making(init: Parser, invite: Parser, card: Parser, join: Parser) -> None:
    init.add_argument("--name", default="", metavar="N", help="what others call you")
    init.add_argument("--copies", default="3", metavar="N", help="copies of each block besides yours (default 3)")
    _add_keys(init)
    invite.add_argument("--expires", default="48h", metavar="TIME", help="for how long it holds (default 48h)")
    _add_keys(invite)
    _ = card
    join.add_argument("invite", nargs="?", metavar="INVITE", help="the invite; left out or '-': read from stdin")
    join.add_argument("--invite-file", metavar="F", help="a file that holds the invite")
    join.add_argument("--name", default="", metavar="N", help="what others call you")
    _add_keys(join)


def _add_up(up: Parser) -> None:
    up.add_argument("--listen", action="append", metavar="URL", help="where to listen, or none (tcp://0.0.0.0:4747)")
    up.add_argument("--peer", action="append", metavar="URL", help="a member's address to begin with")
    up.add_argument("--capacity", metavar="SIZE", help="what to keep for others at most (half of what is free)")
    up.add_argument("--zone", metavar="Z", help="a place that may fail as a whole, such as a house")
    up.add_argument("--http", metavar="ADDR|off", help=argparse.SUPPRESS)
    _add_later(up, "--advertise")


def _add_put(put: Parser) -> None:
    put.add_argument("paths", nargs="+", metavar="PATH", help="files; '-' is stdin")
    put.add_argument("--as", dest="key", metavar="KEY", help="the key to store one file under")
    put.add_argument("--copies", metavar="N", help="copies on other nodes (default: the network's)")
    _add_keys(put)
    for switch in (("--recursive", "-r"), ("--dry-run",), ("--private",), ("--new-version",), ("--no-wait",)):
        _add_later(put, *switch, valued=False)
    _add_later(put, "--exclude")
    _add_later(put, "--retain")


def _add_get(get: Parser) -> None:
    get.add_argument("what", nargs="?", metavar="KEY|CAP", help="a key of yours, or anybody's cap; '-': a cap on stdin")
    get.add_argument("--cap-file", metavar="F", help="a file that holds the cap")
    get.add_argument("--output", "-o", metavar="PATH", help="where to: a file, a folder, or '-' for stdout")
    get.add_argument("--force", action="store_true", help="replace what is there")
    _add_keys(get)
    _add_later(get, "--recursive", "-r", valued=False)
    _add_later(get, "--range")


def _add_looking(ls: Parser, info: Parser, peers: Parser, status: Parser) -> None:
    ls.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="what the keys begin with")
    _add_keys(ls)
    info.add_argument("key", metavar="KEY")
    _add_keys(info)
    _ = peers, status


def _add_demo(demo: Parser) -> None:
    demo.add_argument("--keep", action="store_true", help="leave the network running, and say how to use it")
    demo.add_argument("--file", metavar="F", help="a file of yours to use")
    demo.add_argument("--size", default="256MB", metavar="SIZE", help="of the file that is made otherwise (256MB)")
