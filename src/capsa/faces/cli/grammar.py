"""All commands: what each is for, and its options. Help, manual and completion are made from this table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from capsa.faces.cli.options import add_keys, add_later

Arguments: TypeAlias = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `module` in this package has a function of its name, with `-` as `_`."""

    name: str
    module: str
    summary: str
    arguments: Arguments


def _nothing(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="", metavar="N", help="what others call you")
    parser.add_argument("--copies", default="3", metavar="N", help="copies of each block besides yours (default 3)")
    add_keys(parser, making=True)


def _invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--expires", default="48h", metavar="TIME", help="for how long it holds (default 48h)")
    add_keys(parser)


def _join(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("invite", nargs="?", metavar="INVITE", help="the invite; left out or '-': read from stdin")
    parser.add_argument("--invite-file", metavar="F", help="a file that holds the invite")
    parser.add_argument("--name", default="", metavar="N", help="what others call you")
    add_keys(parser, making=True)


def _recover(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("card", nargs="?", metavar="CARD|INVITE", help="a contact card or an invite; '-': on stdin")
    parser.add_argument("--kit", metavar="F", help="a recovery kit, as text or HTML, which holds phrase and card")
    parser.add_argument(
        "--phrase-file", metavar="F", help="a file that holds the 24 words ('-': stdin); else asked for"
    )
    add_keys(parser, making=True)


def _kit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", "-o", metavar="PATH", help="a new file for it; stdout without, or with '-'")
    parser.add_argument("--format", choices=("text", "html"), help="text, or a page to print (by the file's extension)")
    add_keys(parser)


def _up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen", action="append", metavar="URL", help="where to listen, or none (tcp://0.0.0.0:4747)"
    )
    parser.add_argument("--peer", action="append", metavar="URL", help="a member's address to begin with")
    parser.add_argument("--advertise", action="append", metavar="URL", help="an address to tell others, or none")
    parser.add_argument("--capacity", metavar="SIZE", help="what to keep for others at most (half of what is free)")
    parser.add_argument("--zone", metavar="Z", help="a place that may fail as a whole, such as a house")
    parser.add_argument("--http", metavar="ADDR|off", help=argparse.SUPPRESS)


def _put(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders with -r; '-' is stdin")
    parser.add_argument("--as", dest="key", metavar="KEY", help="the key to store one file under; with -r a prefix")
    parser.add_argument("--recursive", "-r", action="store_true", help="folders with all that is in them")
    parser.add_argument("--exclude", action="append", metavar="G", help="leave out what matches, as in .capsaignore")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be stored, and store nothing")
    parser.add_argument("--copies", metavar="N", help="copies on other nodes (default: the network's)")
    parser.add_argument("--private", action="store_true", help="seal under a key of its own, so that no copy is shared")
    parser.add_argument("--new-version", action="store_true", help="add a version where a key holds other bytes")
    parser.add_argument("--no-wait", action="store_true", help="end when it is safe here; the node sends the copies")
    parser.add_argument("--reread", action="store_true", help="read files again that seem not to have changed")
    add_keys(parser)
    add_later(parser, "--retain")


def _get(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", metavar="KEY|CAP", help="a key of yours, or anybody's cap ('-': on stdin); with -r a prefix"
    )
    parser.add_argument("--cap-file", metavar="F", help="a file that holds the cap")
    parser.add_argument("--output", "-o", metavar="PATH", help="where to: a file, a folder, or '-' for stdout")
    parser.add_argument("--recursive", "-r", action="store_true", help="all that lies under PREFIX, into a folder")
    parser.add_argument("--range", metavar="A-B", help="these bytes only, both ends included; A- and -N also hold")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    add_keys(parser)


def _ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="what the keys begin with")
    add_keys(parser)


def _one_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the key of a file, as 'capsa ls' shows it")
    add_keys(parser)


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keys", nargs="*", metavar="KEY", help="files to wait for (default: all that is short)")
    parser.add_argument("--timeout", metavar="TIME", help="give up after this long (default: never)")
    add_keys(parser)


def _unlock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="time", default="8h", metavar="TIME", help="for how long (default 8h)")
    add_keys(parser)


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--new-passphrase-file", metavar="F", help="a file that holds the new one ('-': stdin)")
    parser.add_argument("--remove", action="store_true", help="keep the keys without a passphrase from now on")
    add_keys(parser)


def _top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--interval", default="1s", metavar="TIME", help="between looks (default 1s)")
    parser.add_argument("--count", metavar="N", help="end after so many looks (default: when you press q)")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="leave the network running, and say how to use it")
    parser.add_argument("--file", metavar="F", help="a file of yours to use")
    parser.add_argument("--size", default="256MB", metavar="SIZE", help="of the file that is made otherwise (256MB)")


def _help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", metavar="COMMAND", help="the command to explain")


def _man(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("page", nargs="?", metavar="COMMAND", help="the command whose page to print (default: capsa)")
    parser.add_argument("--output", "-o", metavar="DIR", help="write all pages into this folder")


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that is to complete")
    parser.add_argument("--keys", metavar="PREFIX", help=argparse.SUPPRESS)  # asked by the scripts themselves


COMMANDS: Final = (
    Command("init", "commands.making", "a new owner and a new network", _init),
    Command("invite", "commands.inviting", "a one-time invite to the network", _invite),
    Command("card", "commands.inviting", "the network's contact card", _nothing),
    Command("join", "commands.making", "a new owner in an existing network", _join),
    Command("recover", "commands.recovering", "bring an owner's files to a new device, by phrase and card", _recover),
    Command("kit", "commands.kit", "a page to print: phrase, card, and what to do", _kit),
    Command("up", "commands.up", "run this home's node, in the foreground", _up),
    Command("put", "commands.putting", "store files and folders", _put),
    Command("get", "commands.getting", "fetch files and folders", _get),
    Command("ls", "commands.listing", "list what is stored", _ls),
    Command("info", "commands.looking", "one file: where it lies, in how many copies", _one_key),
    Command("history", "commands.history", "all versions of one file", _one_key),
    Command("share", "commands.sharing", "the cap of one file: whoever has it can read that file", _one_key),
    Command("wait", "commands.waiting", "wait until all copies are there", _wait),
    Command("unlock", "commands.unlocking", "let the running node keep the keys open", _unlock),
    Command("lock", "commands.unlocking", "let the running node forget the keys", _nothing),
    Command("passphrase", "commands.unlocking", "set, change or remove the passphrase of the keys", _passphrase),
    Command("peers", "commands.network", "the network as this node sees it", _nothing),
    Command("status", "commands.network", "how this node is", _nothing),
    Command("top", "drawing.top", "the network and what is on its way, live", _top),
    Command("doctor", "doctor.doctor", "what is wrong with this home, and what to do about it", _nothing),
    Command("demo", "demo.demo", "a whole network on this machine, in a minute", _demo),
    Command("help", "manual.manual", "explain a command", _help),
    Command("man", "manual.manual", "the manual, for man(1)", _man),
    Command("completion", "manual.completing", "let a shell complete commands, options and keys", _completion),
)
BY_NAME: Final = {command.name: command for command in COMMANDS}
PURPOSES: Final = (
    ("getting started", ("init", "join", "invite", "recover", "demo")),
    ("files", ("put", "get", "ls", "info", "history", "share", "wait")),
    ("the network", ("up", "peers", "status", "top", "doctor", "card")),
    ("keys", ("kit", "unlock", "lock", "passphrase")),
    ("more", ("help", "man", "completion")),
)
"""Commands by what people want, as the help lists them."""
LATER: Final = ("rm", "verify", "repair", "bin")
"""Commands that a later version will have: known here and refused, never ignored."""
