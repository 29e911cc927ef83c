from __future__ import annotations

import io
import json
import sys

import pytest

from capsa.errors import RefusedError, UnreachableError
from capsa.faces.cli.output import OutputClosedError, Screen, printable

ERROR = RefusedError("film.mkv is stored already.", "Use --as.")


def test_json_goes_to_stdout_alone_and_people_are_spared_it(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(json=True)
    screen.result("for people")
    screen.say("for people")
    screen.document({"key": "søren.txt", "size": 3})
    screen.note("a remark")
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [{"key": "søren.txt", "size": 3}]
    assert err == "a remark\n"


def test_people_get_text_and_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.result("a result")
    screen.say("done")
    screen.document({"key": "x"})
    assert capsys.readouterr().out == "a result\ndone\n"


def test_quiet_leaves_results_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=True)
    screen.result("a result")
    screen.say("done")
    screen.note("a remark")
    screen.fail(ERROR)
    out, err = capsys.readouterr()
    assert (out, err) == ("a result\n", "capsa: film.mkv is stored already. Use --as.\n")


def test_a_failure_is_one_line_on_stderr_and_the_last_document(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(json=True).fail(UnreachableError("Nobody answers.", "Wait."))
    out, err = capsys.readouterr()
    told = {"kind": "unreachable", "message": "Nobody answers.", "hint": "Wait.", "retryable": True}
    assert json.loads(out) == {"error": told}
    assert err == "capsa: Nobody answers. Wait.\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("søren\n", "søren\n"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\rb", "a\\x0db"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("rtl\u202egpj.exe", "rtl\\u202egpj.exe"),
        ("שלום", "שלום"),
        ("\x9b", "\\x9b"),
    ],
)
def test_names_cannot_move_the_cursor(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_that_is_not_utf_8_can_still_be_told_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(json=True).document({"key": "caf\udce9"})
    assert json.loads(capsys.readouterr().out) == {"key": "caf\udce9"}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, no_color: str, *, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    Screen().fail(ERROR)
    assert ("\x1b[" in terminal.getvalue()) is coloured


class _Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_went_away_is_told_apart_from_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Closed())
    with pytest.raises(OutputClosedError):
        Screen().result("a result")
