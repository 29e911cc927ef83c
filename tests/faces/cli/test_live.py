"""What moves on a real terminal: the picture of a put, and `top`; and what is left of them there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from capsa.faces.cli.demo.processes import NodeProcess, run, run_well
from tests.faces.cli.networks import Network, start
from tests.faces.cli.screens import ScreenModel
from tests.faces.cli.terminals import AtTerminal

TERM = {"TERM": "xterm-256color", "NO_COLOR": "1"}
SIZE = 3 * 2**20


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with Pipe() as pipe:
        yield pipe


class Pipe:
    """What a put reads, for as long as the test pleases: what it shows meanwhile can be waited for."""

    def __enter__(self) -> Self:
        self.reader, self._writer = os.pipe()
        return self

    def feed(self) -> None:
        """Give it `SIZE` bytes that no node has."""
        rest = os.urandom(SIZE)
        while rest:
            rest = rest[os.write(self._writer, rest) :]

    def end(self) -> None:
        """Give it no more."""
        os.close(self._writer)
        self._writer = -1

    def __exit__(self, *failure: object) -> None:
        os.close(self.reader)
        if self._writer >= 0:
            self.end()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[NodeProcess]:
    """The node of a network of one."""
    run_well(tmp_path / "home", "init", "--name", "Zoe", "--copies", "0")
    with start(tmp_path / "home") as node:
        yield node


def shown(text: str, columns: int = 80) -> ScreenModel:
    screen = ScreenModel(columns)
    screen.write(text.replace("\r\n", "\n"))
    return screen


def test_a_put_shows_its_nodes_and_leaves_nothing_but_its_result(network: Network, pipe: Pipe) -> None:
    words = ("put", "-", "--as", "live/film.mkv")
    with AtTerminal(network.ann, *words, environment=TERM, stdin=pipe.reader) as terminal:
        terminal.resize(80)
        pipe.feed()
        for told in ("put  live/film.mkv", "3.1 MB", " here ", " Ben ", " Cleo "):
            terminal.expect(told)
        terminal.resize(40)
        pipe.feed()
        terminal.expect("6.3 MB")
        pipe.end()
        assert terminal.end() == 0
        screen = shown(terminal.shown)
    assert len(screen.shown) == 1
    assert screen.shown[0].startswith("live/film.mkv: 6.3 MB in")
    assert screen.wrapped == 0
    assert "\x1b[3" not in terminal.shown  # no colour was wanted


def test_an_interrupted_put_leaves_a_clean_screen(network: Network, pipe: Pipe) -> None:
    words = ("put", "-", "--as", "live/interrupted.mkv")
    with AtTerminal(network.ann, *words, environment=TERM, stdin=pipe.reader) as terminal:
        terminal.resize(40)
        pipe.feed()
        terminal.expect(" Ben ")
        terminal.press(b"\x03")
        assert terminal.end() == 130
        screen = shown(terminal.shown, 200)
    told = [line.removeprefix("^C") for line in screen.shown]  # which the terminal itself shows of the key
    assert [line for line in told if line] == [
        "capsa: Interrupted. Run the command again: it goes on where it stopped."
    ]


def test_a_terminal_that_is_closed_ends_a_put_in_order(network: Network, pipe: Pipe) -> None:
    words = ("put", "-", "--as", "live/closed.mkv")
    with AtTerminal(network.ann, *words, environment=TERM, stdin=pipe.reader) as terminal:
        pipe.feed()
        terminal.expect(" Ben ")
        terminal.hang_up()
        assert terminal.end() == 130


def test_a_terminal_that_is_closed_ends_a_node_in_order(lonely: NodeProcess) -> None:
    lonely.stop()
    with AtTerminal(lonely.home, "up") as terminal:
        terminal.expect(" is up")
        terminal.hang_up()
        assert terminal.end() == 0
    assert not run_well(lonely.home, "status").last["running"]


def test_under_nohup_a_node_goes_on_when_its_terminal_is_closed(lonely: NodeProcess) -> None:
    lonely.stop()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        node = start(lonely.home)
    finally:
        signal.signal(signal.SIGHUP, before)
    with node:
        os.kill(node.pid, signal.SIGHUP)
        assert run_well(lonely.home, "status").last["running"]


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_cannot_draw_gets_plain_lines(network: Network, pipe: Pipe, kind: str) -> None:
    words = ("put", "-", "--as", f"live/plain{kind}.mkv")
    with AtTerminal(network.ann, *words, environment={"TERM": kind}, stdin=pipe.reader) as terminal:
        pipe.feed()
        pipe.end()
        assert terminal.end() == 0
        assert "\x1b" not in terminal.shown
        assert terminal.shown.count("\n") == 1


def test_top_draws_on_a_screen_of_its_own_and_brings_the_first_one_back(network: Network) -> None:
    with AtTerminal(network.ann, "top", environment=TERM) as terminal:
        terminal.resize(80)
        terminal.expect("q quits")
        screen = shown(terminal.shown)
        assert (screen.alternate, screen.cursor_shown, screen.wrapped) == (True, False, 0)
        assert any(line.startswith("Ben ") and "alive" in line for line in screen.shown)
        assert not terminal.echoes()
        terminal.press(b"s")
        terminal.expect("s sorts as listed")
        terminal.resize(30)
        terminal.expect("capsa top")
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.echoes()
        screen = shown(terminal.shown)
        assert (screen.alternate, screen.cursor_shown, screen.shown) == (False, True, [])


@pytest.mark.parametrize("key", [b"\x03", b"\x1b"])
def test_top_ends_by_other_keys_and_after_its_count(network: Network, key: bytes) -> None:
    with AtTerminal(network.ann, "top", environment=TERM) as terminal:
        terminal.expect("q quits")
        terminal.press(key)
        assert terminal.end() == 0
    with AtTerminal(network.ann, "top", "--count", "1", environment=TERM) as terminal:
        assert terminal.end() == 0
        assert shown(terminal.shown).shown == []


def test_top_tells_scripts_one_look_a_line(network: Network) -> None:
    outcome = run_well(network.ann, "top", "--count", "2")
    first, second = outcome.documents
    assert (first["running"], first["health"] in ("ok", "degraded")) == (True, True)
    assert {node["name"] for node in second["nodes"]} == {"Ann", "Ben", "Cleo", "Eve"}
    assert {node["sending_per_second"] for node in first["nodes"]} == {None}
    assert None not in {node["sending_per_second"] for node in second["nodes"]}
    assert len(run_well(network.ann, "top").documents) == 1


def test_top_needs_a_node_and_says_so(tmp_path: Path) -> None:
    run_well(tmp_path / "home", "init")
    outcome = run(tmp_path / "home", "top")
    assert (outcome.code, outcome.last["error"]["kind"]) == (7, "refused")
    assert "capsa up" in outcome.stderr


def test_top_outlives_its_node(lonely: NodeProcess) -> None:
    with AtTerminal(lonely.home, "top", environment=TERM) as terminal:
        terminal.resize(80)
        terminal.expect("q quits")
        lonely.kill()
        terminal.expect("the node does not answer; trying again")
        with start(lonely.home):
            terminal.expect("alone: no other node answers")
            terminal.press(b"q")
            assert terminal.end() == 0


@pytest.mark.parametrize(
    ("options", "code"), [(("--interval", "0s"), 2), (("--count", "0"), 2), (("--count", "many"), 2)]
)
def test_options_of_top_that_make_no_sense(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    assert run(tmp_path, "top", *options).code == code
