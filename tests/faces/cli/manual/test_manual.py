"""Help and manual: every command is explained, by examples that work, in a form that man(1) understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from capsa.faces.cli import main
from capsa.faces.cli.exits import MEANINGS, Exit
from capsa.faces.cli.grammar import BY_NAME, COMMANDS, LATER, PURPOSES
from capsa.faces.cli.manual.explanations import EXPLANATIONS
from capsa.faces.cli.manual.help_text import WIDTH
from capsa.faces.cli.manual.pages import page, page_name
from capsa.faces.cli.manual.roff import bold, escape, line, literal, placeholder
from capsa.faces.cli.manual.syntax import arguments_of
from capsa.faces.cli.parser import command_parser, help_on, parse

NAMES = [command.name for command in COMMANDS]
DESIGN = Path(__file__).parents[4] / "docs" / "design.md"


def test_every_command_is_explained_and_serves_one_purpose() -> None:
    assert set(EXPLANATIONS) == set(NAMES)
    assert sorted(name for _, names in PURPOSES for name in names) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_understood_by_the_parser(name: str) -> None:
    examples = [typed for typed, _ in EXPLANATIONS[name].examples]
    assert len(examples) >= 2
    for typed in examples:
        sides = [shlex.split(re.sub(r" > \S+$", "", side.strip())) for side in typed.split(" | ")]
        ours = [words for words in sides if words[0] == "capsa"]
        assert name in {parse(words[1:]).command for words in ours}


@pytest.mark.parametrize("name", NAMES)
def test_every_option_and_operand_has_an_explanation(name: str) -> None:
    assert not [action.dest for action in command_parser(BY_NAME[name])._actions if not action.help]
    for argument in arguments_of(name):
        assert argument.explanation[0].islower() or not argument.explanation[0].isalpha() or argument.flags
        assert not argument.explanation.endswith(".")


@pytest.mark.parametrize("name", [None, *NAMES])
def test_help_fits_80_columns(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    said = help_on(name)
    assert not [line for line in said.splitlines() if len(line) > WIDTH]
    assert said.startswith(f"usage: capsa {name or '[-h]'}")
    if name:
        assert all(flag in said for argument in arguments_of(name) for flag in argument.flags)
        assert all(typed in said for typed, _ in EXPLANATIONS[name].examples)


@pytest.mark.parametrize("name", [None, *NAMES])
def test_help_fits_a_narrow_terminal_as_far_as_what_is_to_be_typed_allows(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    typed = [f"  {typed}" for typed, _ in EXPLANATIONS[name].examples] if name else []
    assert not [line for line in help_on(name).splitlines() if len(line) > 49 and line not in typed]


def test_help_of_a_command_is_what_its_option_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "get"]) == main(["get", "--help"]) == 0
    said = capsys.readouterr().out
    assert said == 2 * said[: len(said) // 2]
    assert "usage: capsa get" in said


def test_help_asks_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "pt"]) == Exit.USAGE
    assert "Did you mean 'put'?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["help", "fetch"], ["man", "fetch"], *(["help", name] for name in LATER)])
def test_what_is_no_command_is_not_explained(words: list[str]) -> None:
    assert main(words) == Exit.USAGE


def test_exit_codes_are_told_and_are_those_of_the_contract() -> None:
    assert set(MEANINGS) == set(Exit)
    [told] = re.findall(r"Exit codes: (.*?)\.\s+[A-Z]", DESIGN.read_text("utf-8"), re.DOTALL)
    assert {int(part.split()[0]) for part in told.split("·")} == set(Exit)
    for code, meaning in MEANINGS.items():
        assert f"{code.value:5}  {meaning}\n" in help_on(None)


@pytest.mark.parametrize("name", [None, *NAMES])
def test_a_page_of_the_manual_is_sound_roff(name: str | None) -> None:
    text = page(name)
    assert text.isascii()
    assert text.startswith(".TH CAPSA")
    requests = {found[1] for found in re.finditer(r"^[.'](\S*)", text, re.MULTILINE)}
    assert requests <= {"TH", "SH", "SS", "PP", "TP", "nh", "ad"}
    headings = re.findall(r"^\.SH (.+)$", text, re.MULTILINE)
    assert headings[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert {"OPTIONS", "EXIT STATUS", "ENVIRONMENT"} <= set(headings)
    assert "FILES" in headings if name is None else "EXAMPLES" in headings
    assert not re.search(r"\n\n", text)
    # Each backslash begins one of the escapes that are meant.
    assert not re.sub(r"\\(?:-|&|\((?:rs|aq|ga|ha|ti|dq)|\[u[0-9A-F]{4,6}\]|f[BIR])", "", text).count("\\")
    # What is bold or italic ends on its line.
    assert not [each for each in text.splitlines() if len(re.findall(r"\\f[BI]", each)) != each.count(r"\fR")]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (line(".profile"), r"\&.profile"),
        (line("'tis"), r"\&'tis"),
        (line("a.b"), "a.b"),
        (escape("one-time, not --json or -o; (-N)"), r"one-time, not \-\-json or \-o; (\-N)"),
        (escape('it\'s a \\ in "quotes"'), r"it\(aqs a \(rs in \(dqquotes\(dq"),
        (literal("--as-is ~/x^`y`"), r"\-\-as\-is \(ti/x\(ha\(gay\(ga"),
        (literal("caf\u00e9 \u2026 \U0001f600"), r"caf\[u00E9] \[u2026] \[u1F600]"),
        (bold("a-b"), r"\fBa\-b\fR"),
        (placeholder("KEY|CAP"), r"\fIKEY|CAP\fR"),
        (placeholder("ADDR|off"), r"\fIADDR|\fRoff"),
    ],
)
def test_roff_shows_what_was_meant(made: str, expected: str) -> None:
    assert made == expected


def test_all_pages_are_written_and_replace_older_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "share" / "man1"
    folder.mkdir(parents=True)
    (folder / "capsa.1").write_text("older")
    assert main(["man", "-o", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {f"{page_name(name)}.1" for name in (None, *NAMES)}
    assert (folder / "capsa.1").read_text() == page(None)
    capsys.readouterr()
    assert main(["man", "put"]) == 0
    assert capsys.readouterr().out == page("put")


def test_pages_that_cannot_be_written_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["man", "-o", str(tmp_path / "file")]) == Exit.REFUSED
    assert main(["man", "put", "-o", str(tmp_path)]) == Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 2
