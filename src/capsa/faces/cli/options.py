"""Options that several commands have, and the actions behind them."""

from __future__ import annotations

import argparse
from typing import Any, Final

from capsa.errors import UsageError

_VERSIONED: Final = "capsa get"
"""The command whose `--version` may name one of a file's versions."""


class VersionAsked(Exception):  # noqa: N818 - a question, not an error
    """The user wants to know the version; whatever else was typed does not matter."""


class _Later(argparse.Action):
    """An option of a later version."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, values: object, option: Any = None) -> None:
        raise not_available(str(option))


class _Version(argparse.Action):
    """`--version`; with a value, as in `get --version 3`, one of a file's versions."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: Any = None
    ) -> None:
        if values is None or values == []:  # an empty text is a mistake, as of a script whose variable is not set
            if getattr(namespace, "what", None) is not None:
                raise UsageError("--version names no version.", f"'capsa history {namespace.what}' lists them.")
            raise VersionAsked
        namespace.version = values


def not_available(what: str) -> UsageError:
    """What this version knows of, and cannot do."""
    return UsageError(f"{what} is not available in this version.", "See 'capsa --help' for what is.")


def add_common(parser: argparse.ArgumentParser, *, home: object, json: object, quiet: object) -> None:
    """What every command has; the values are the defaults."""
    versioned = parser.prog == _VERSIONED
    group = parser.add_argument_group("everywhere")
    group.add_argument("--home", metavar="DIR", default=home, help="the home to work with (or CAPSA_HOME)")
    group.add_argument("--json", action="store_true", default=json, help="JSON on stdout, and nothing else there")
    group.add_argument("--quiet", "-q", action="store_true", default=quiet, help="say nothing but results and errors")
    group.add_argument(
        "--version",
        action=_Version,
        nargs="?" if versioned else 0,
        metavar="V",
        default=None if versioned else argparse.SUPPRESS,
        help="a version that 'capsa history' names; alone, capsa's own" if versioned else "show the version",
    )


def add_later(parser: argparse.ArgumentParser, *options: str, valued: bool = True) -> None:
    """Options of a later version: known, and refused."""
    parser.add_argument(
        *options, action=_Later, nargs="?" if valued else 0, help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def add_keys(parser: argparse.ArgumentParser, *, making: bool = False) -> None:
    """How the passphrase of the owner's keys is given; `making`: to a command that makes keys."""
    what = "keep the owner's keys without a passphrase" if making else "the owner's keys have no passphrase"
    parser.add_argument("--passphrase-file", metavar="F", help="a file that holds the passphrase ('-': stdin)")
    parser.add_argument("--no-passphrase", action="store_true", help=what)
