"""The documents against the code: links lead somewhere, and what they must list, they list."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby, takewhile
from pathlib import Path

import pytest

from capsa.core.commands import COMMAND_MESSAGES
from capsa.core.keys import Label
from capsa.core.messages import PEER_MESSAGES, Message
from capsa.errors import CapsaError
from capsa.faces.cli.parser import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLAN = ROOT / "docs" / "design.md"
"""The one page that also names what is still to be built."""
MESSAGES = sorted({*PEER_MESSAGES, *COMMAND_MESSAGES}, key=lambda message: message.code)

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_SOURCE_FILE = re.compile(r"`((?:core|net|stores|node|client|faces|testing|tests)/[\w/]+\.py)`")


def _where(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _anchor(heading: str) -> str:
    """The anchor under which a heading is shown on the web: lower case, punctuation left out, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_anchor(heading) for heading in _HEADING.findall(page.read_text("utf-8"))}


def _dead_links(page: Path, text: str) -> Iterator[str]:
    for target in _LINK.findall(_CODE.sub("", text)):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (fragment and fragment not in _anchors(file)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=_where)
def test_links_lead_somewhere(page: Path) -> None:
    assert not list(_dead_links(page, page.read_text("utf-8")))


@pytest.mark.parametrize("link", ["docs/absent.md", "README.md#no-such-heading", "#neither"])
def test_a_dead_link_is_seen(link: str) -> None:
    assert list(_dead_links(ROOT / "README.md", f"See [here]({link}).")) == [link]


@pytest.mark.parametrize("page", [page for page in PAGES if page != PLAN], ids=_where)
def test_source_files_that_are_named_exist(page: Path) -> None:
    named = set(_SOURCE_FILE.findall(page.read_text("utf-8")))
    assert not [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "src" / "capsa"))]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_the_protocol_lists_every_message(message: type[Message]) -> None:
    rows = (ROOT / "docs" / "protocol.md").read_text("utf-8").splitlines()
    assert any(row.startswith(f"| {message.code} | `{message.__name__}` |") for row in rows)


def _kinds(error: type[CapsaError]) -> Iterator[str]:
    yield error.kind
    for child in error.__subclasses__():
        if child.__module__ == "capsa.errors":
            yield from _kinds(child)


def test_the_protocol_lists_every_kind_of_error() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    assert not [kind for kind in _kinds(CapsaError) if f"`{kind}`" not in text]


@pytest.mark.parametrize("label", list(Label))
def test_the_format_lists_every_label(label: Label) -> None:
    text = (ROOT / "docs" / "format.md").read_text("utf-8")
    assert f"\n| `{label}` |" in text


def test_the_format_says_what_every_vector_file_freezes() -> None:
    text = (ROOT / "docs" / "format.md").read_text("utf-8")
    files = sorted((ROOT / "tests" / "vectors").glob("*.json"))
    assert files
    assert not [file.name for file in files if f"(../tests/vectors/{file.name})" not in text]


def test_every_decision_is_indexed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    records = [file.name for file in folder.glob("[0-9]*.md")]
    assert records
    assert not [name for name in records if f"({name})" not in index]


def _shell_commands(page: Path) -> list[list[str]]:
    """The commands of a page's shell examples, each side of a pipe by itself, without comments and redirections."""
    commands = []
    for line in "".join(_SHELL.findall(page.read_text("utf-8"))).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for piped, words in groupby(lexer, "|".__eq__):
            if not piped:
                commands.append(list(takewhile(">".__ne__, words)))
    return commands


def test_the_commands_of_the_readme_are_understood() -> None:
    commands = [words[1:] for words in _shell_commands(ROOT / "README.md") if words[0] == "capsa"]
    assert len(commands) > 5
    for words in commands:
        parse(words)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=_where)
def test_the_targets_of_make_that_are_named_exist(page: Path) -> None:
    named = {words[1] for words in _shell_commands(page) if words[0] == "make"}
    assert named
    assert named <= set(_TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
