"""Passphrases at a real terminal: asked for, never shown, and Ctrl-C leaves the terminal as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.node.home import Home
from tests.faces.cli.lockers import make_locked
from tests.faces.cli.terminals import AtTerminal

SECRET = "correct horse bättery"
CTRL_C, CTRL_D = b"\x03", b"\x04"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A home whose keys have a passphrase."""
    return make_locked(tmp_path / "home", SECRET).root


def test_a_new_passphrase_is_typed_twice_alike_and_then_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with AtTerminal(home, "init") as terminal:
        terminal.expect("New passphrase: ")
        assert not terminal.echoes()
        terminal.type(SECRET)
        terminal.expect("The same again: ")
        terminal.type("something else")
        terminal.expect("two different")
        for prompt in ("New passphrase: ", "The same again: "):
            terminal.expect(prompt)
            terminal.type(SECRET)
        assert terminal.end() == 0
        assert terminal.echoes()
        assert SECRET not in terminal.shown
        assert "something else" not in terminal.shown
    assert Home.open(home).owner_keys(SECRET).owner == Home.open(home).owner
    with AtTerminal(home, "ls") as terminal:
        terminal.expect(f"Passphrase of {home}: ")
        terminal.type("wrong")
        terminal.expect("does not open")
        terminal.expect("Passphrase of")
        terminal.type(SECRET)
        assert terminal.end() == 0
        assert SECRET not in terminal.shown


def test_who_does_not_know_the_passphrase_is_asked_three_times(locked: Path) -> None:
    with AtTerminal(locked, "ls") as terminal:
        for _ in range(3):
            terminal.expect("Passphrase of")
            terminal.type("a guess")
        assert terminal.end() == 9
        assert terminal.shown.count("Passphrase of") == 3


@pytest.mark.parametrize("words", [["init"], ["ls"]], ids=" ".join)
def test_ctrl_c_at_the_question_ends_the_command_and_the_terminal_shows_again_what_is_typed(
    tmp_path: Path, locked: Path, words: list[str]
) -> None:
    home = tmp_path / "new" if words == ["init"] else locked
    with AtTerminal(home, *words) as terminal:
        terminal.expect("assphrase")
        terminal.expect(": ")
        assert not terminal.echoes()
        terminal.press(CTRL_C)
        assert terminal.end() == 130
        assert terminal.echoes()
        assert "Traceback" not in terminal.shown
    assert not (tmp_path / "new").exists()


def test_who_types_nothing_gets_nothing(tmp_path: Path, locked: Path) -> None:
    for home, words, key, code in ((locked, "ls", b"\n", 9), (tmp_path / "new", "init", CTRL_D, 2)):
        with AtTerminal(home, words) as terminal:
            terminal.expect(": ")
            terminal.press(key)
            assert terminal.end() == code
    assert not (tmp_path / "new").exists()


def test_nobody_is_asked_who_said_that_there_is_no_passphrase(locked: Path) -> None:
    for words, environment in ((["ls", "--no-passphrase"], {}), (["ls"], {"CAPSA_PASSPHRASE": ""})):
        with AtTerminal(locked, *words, environment=environment) as terminal:
            assert terminal.end() == 9
            assert "Passphrase of" not in terminal.shown


def test_a_changed_passphrase_is_asked_for_old_and_new(locked: Path) -> None:
    with AtTerminal(locked, "passphrase") as terminal:
        terminal.expect("Passphrase of")
        terminal.type(SECRET)
        for prompt in ("New passphrase: ", "The same again: "):
            terminal.expect(prompt)
            terminal.type("another one")
        assert terminal.end() == 0
    assert Home.open(locked).owner_keys("another one").owner == Home.open(locked).owner
