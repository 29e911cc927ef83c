"""The command line (docs/design.md, section 9).

`main` reads what was typed, runs one command, and turns whatever happens into an exit code.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from capsa import __version__
from capsa.faces.cli.exits import Exit, as_capsa_error, exit_of
from capsa.faces.cli.given import check_stdin
from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.options import VersionAsked
from capsa.faces.cli.output import OutputClosedError, Screen, forget
from capsa.faces.cli.parser import parse
from capsa.faces.cli.streams import fill_gaps


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    fill_gaps()
    words = list(sys.argv[1:] if argv is None else argv)
    screen = Screen(json="--json" in words)
    try:
        code = _run(words, screen)
        sys.stdout.flush()
    except (OutputClosedError, BrokenPipeError):
        forget(sys.stdout)
        return Exit.FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort: a sentence, no traceback
        return _failed(error, screen)
    return code


def _run(words: Sequence[str], screen: Screen) -> int:
    try:
        options = parse(words)
    except VersionAsked:
        screen.result(f"capsa {__version__}")
        screen.document({"version": __version__})
        return Exit.DONE
    except SystemExit as ended:  # after --help
        return Exit.DONE if ended.code in (0, None) else Exit.USAGE
    screen.json, screen.quiet = options.json, options.quiet
    check_stdin(options)
    return _command(options.command)(options, screen)


def _command(name: str) -> Callable[[Namespace, Screen], int]:
    # Modules are imported when their command runs: start-up stays fast.
    function = getattr(import_module(f"capsa.faces.cli.{BY_NAME[name].module}"), name)
    assert callable(function)
    return function  # type: ignore[no-any-return]


def _failed(error: BaseException, screen: Screen) -> int:
    if os.environ.get("CAPSA_DEBUG"):
        import traceback

        traceback.print_exception(error)
    told = as_capsa_error(error)
    try:
        screen.fail(told)
    except (OutputClosedError, OSError):
        forget(sys.stdout)
    return exit_of(told)
