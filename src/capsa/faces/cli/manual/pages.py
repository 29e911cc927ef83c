"""The pages of the manual: what each section of them says. How that is written down is `roff`'s."""

from __future__ import annotations

from typing import Final

from capsa import __version__
from capsa.faces.cli.exits import MEANINGS
from capsa.faces.cli.grammar import BY_NAME, PURPOSES
from capsa.faces.cli.manual.explanations import EXPLANATIONS
from capsa.faces.cli.manual.help_text import paragraphs
from capsa.faces.cli.manual.roff import bold, document, escape, heading, line, paragraph, placeholder, tagged
from capsa.faces.cli.manual.syntax import Argument, arguments_of, common_options

ENVIRONMENT: Final = (
    ("CAPSA_HOME", "The home to work with, where --home is not given."),
    ("CAPSA_PASSPHRASE", "The passphrase of the owner's keys; empty: they have none."),
    ("CAPSA_LOG", "How much a node logs to stderr: debug, info, warning or error."),
    ("CAPSA_DEBUG", "If set, a failed command shows where in capsa it failed."),
    ("NO_COLOR", "If set, nothing is coloured."),
)
FILES: Final = (
    ("home.json", "Which network, owner and node the home belongs to."),
    ("keys/", "The owner's keys, sealed by the passphrase; the device's key; the network's secret."),
    ("capsa.toml", "Remembered options of 'capsa up'; people may edit it while no node runs."),
    ("store/segments/", "The blocks, this home's own and those kept for others."),
    ("state.db", "What cannot be rebuilt from the blocks."),
    ("control.sock", "Where the running node serves the home's commands."),
    (".capsaignore", "In a folder that is put: what to leave out, one pattern a line."),
)
_DESCRIPTION: Final = (
    "capsa lets people who trust each other a little keep their files on each other's machines: encrypted so that no "
    "peer can read them, in several copies, found again by key from any surviving peer.",
    "A person begins with 'capsa init' or, invited by a member, with 'capsa join', and leaves 'capsa up' running. Then "
    "'capsa put' stores files and 'capsa get' fetches them; what a command is told to store is durable, here and on "
    "other members' machines, when it says so.",
    "Errors are one sentence on stderr that says what happened, and one that says what to do. With --json stdout holds "
    "one JSON document, or one a line, and nothing else; sizes are in bytes, times in UTC as in RFC 3339.",
)


def page_name(name: str | None) -> str:
    """The name of a command's page, or of the whole's, without its section."""
    return f"capsa-{name}" if name else "capsa"


def page(name: str | None) -> str:
    """The page of a command, or of the whole, as man(7)."""
    sections = _whole() if name is None else _command(name)
    return document(page_name(name), f"capsa {__version__}", sections)


def _whole() -> list[str]:
    lines = [heading("NAME"), escape("capsa - keep files, encrypted, on each other's machines").replace(" - ", r" \- ")]
    lines += [heading("SYNOPSIS"), rf"{bold('capsa')} [\fIOPTION\fR]... \fICOMMAND\fR [\fIARGUMENT\fR]..."]
    lines += [heading("DESCRIPTION"), *_running(_DESCRIPTION), heading("COMMANDS")]
    for purpose, names in PURPOSES:
        lines.append(f".SS {escape(purpose.capitalize())}")
        for name in names:
            lines += tagged(f"{bold(page_name(name))}(1)", _sentence(BY_NAME[name].summary))
    lines += [heading("OPTIONS"), *_options(common_options())]
    lines += _exit_status()
    lines += _terms("ENVIRONMENT", ENVIRONMENT)
    lines += [*_terms("FILES", FILES), *paragraph("All but the last lie in the home.")]
    return lines


def _command(name: str) -> list[str]:
    arguments = arguments_of(name)
    operands = [argument for argument in arguments if not argument.flags]
    said = paragraphs(name)
    lines = [heading("NAME"), rf"{escape(page_name(name))} \- {escape(BY_NAME[name].summary)}"]
    lines += [heading("SYNOPSIS"), " ".join([bold("capsa"), bold(name), r"[\fIOPTION\fR]...", *map(_shape, operands)])]
    lines += [heading("DESCRIPTION"), *_running(said)]
    lines += [heading("OPTIONS"), *_options(arguments)]
    lines += _exit_status()
    lines += [heading("EXAMPLES")]
    for typed, does in EXPLANATIONS[name].examples:
        lines += tagged(bold(typed), _sentence(does))
    lines += [*_terms("ENVIRONMENT", ENVIRONMENT), heading("SEE ALSO"), f"{bold('capsa')}(1)"]
    return lines


def _shape(operand: Argument) -> str:
    """An operand as the synopsis shows it."""
    shape = placeholder(operand.value) if not operand.choices else bold(operand.value)
    shape += "..." if operand.many else ""
    return shape if operand.needed else f"[{shape}]"


def _options(arguments: list[Argument]) -> list[str]:
    lines: list[str] = []
    for argument in arguments:
        value = f" {placeholder(argument.value)}" if argument.value else ""
        tag = ", ".join(map(bold, argument.flags)) + value if argument.flags else placeholder(argument.value)
        again = " It may be given several times." if argument.again else ""
        lines += tagged(tag, f"{_sentence(argument.explanation)}{again}")
    return lines


def _exit_status() -> list[str]:
    lines = [heading("EXIT STATUS")]
    for code, meaning in MEANINGS.items():
        lines += tagged(bold(str(code.value)), _sentence(meaning))
    return lines


def _terms(title: str, terms: tuple[tuple[str, str], ...]) -> list[str]:
    lines = [heading(title)]
    for term, meaning in terms:
        lines += tagged(bold(term), meaning)
    return lines


def _running(texts: list[str] | tuple[str, ...]) -> list[str]:
    """Paragraphs, of which the first stands right below the heading."""
    return [line(escape(texts[0])), *(each for text in texts[1:] for each in paragraph(text))]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
