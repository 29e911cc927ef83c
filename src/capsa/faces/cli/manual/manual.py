"""`help` and `man`: the commands explained, on the terminal and for man(1)."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from capsa.errors import UsageError, from_os_error
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.grammar import BY_NAME, COMMANDS, LATER
from capsa.faces.cli.manual.pages import page, page_name
from capsa.faces.cli.options import not_available
from capsa.faces.cli.output import Screen
from capsa.faces.cli.parser import help_on, nearest


def help(options: Namespace, screen: Screen) -> int:  # noqa: A001 - a command's function has its name
    """What `--help` says, of a command or of all."""
    text = help_on(_known(options.topic))
    screen.document({"command": options.topic, "help": text})
    screen.result(text.rstrip("\n"))
    return Exit.DONE


def man(options: Namespace, screen: Screen) -> int:
    """One page on stdout, or all pages into a folder, where they replace those of another version."""
    name = _known(options.page)
    if options.output is None:
        text = page(name)
        screen.document({"page": f"{page_name(name)}.1", "text": text})
        screen.result(text.rstrip("\n"))
        return Exit.DONE
    if name is not None:
        raise UsageError("-o writes all pages, and one was named.", "Leave out either it or -o.")
    folder = Path(options.output)
    written = _write_all(folder)
    screen.document({"written": [str(path.absolute()) for path in written]})
    screen.say(f"{len(written)} pages are in {folder}.")
    return Exit.DONE


def _known(name: str | None) -> str | None:
    if name in LATER:
        raise not_available(f"capsa {name}")
    if name is not None and name not in BY_NAME:
        raise UsageError(f"There is no command {name!r}.", f"{nearest(name, BY_NAME)}See 'capsa help'.")
    return name


def _write_all(folder: Path) -> list[Path]:
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (None, *(command.name for command in COMMANDS)):
            path = folder / f"{page_name(name)}.1"
            draft = path.with_suffix(".1.new")
            draft.write_text(page(name), "ascii")
            draft.replace(path)
            paths.append(path)
    except OSError as error:
        raise from_os_error(error, f"The manual cannot be written to {folder}", "Choose another folder.") from None
    return paths
