"""Completion: what the shells are told, and a real bash that completes keys which would like to be run."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from capsa.faces.cli import main
from capsa.faces.cli.demo.processes import run, run_well
from capsa.faces.cli.grammar import COMMANDS
from capsa.faces.cli.manual.shells.takes import Takes, takes
from capsa.faces.cli.manual.syntax import arguments_of
from tests.faces.cli.networks import Network, start

SHELLS = ("bash", "zsh", "fish")
EVIL = "evil $(touch pwned)`touch pwned`"
KEYS = (
    EVIL,
    'it\'s "quoted";touch pwned&|\\$HOME',
    "colon:and=equals sign",
    "photos/",
    "tilde ~ and *",
    "über/",
    "zebra",
    "exclaim!! it",
)
_STUB = """#!{python} -IS
import json, sys
words = sys.argv[1:]
asked = [word for word in words if word.startswith("--keys=")]
if asked:
    typed = asked[0].removeprefix("--keys=")
    print(*[key for key in {keys!r} if key.startswith(typed)], sep="\\n")
else:
    open({typed!r}, "w").write(json.dumps(words))
"""


def stub_source(typed: Path) -> str:
    """A program that knows `KEYS`, and notes in a file with what else it was run."""
    return _STUB.format(python=sys.executable, keys=KEYS, typed=str(typed))


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What bash reads; and a capsa on the PATH that knows `KEYS`, and notes with what it was run."""
    assert main(["completion", "bash"]) == 0
    (tmp_path / "capsa.bash").write_text(capsys.readouterr().out)
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "capsa"
    stub.write_text(stub_source(tmp_path / "typed"))
    stub.chmod(0o755)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a file").write_text("")
    (tmp_path / "here" / "folder").mkdir()
    return tmp_path / "capsa.bash"


def type_to_bash(script: Path, typed: str) -> list[str]:
    """Type into an interactive bash, press Enter; the words that capsa was then run with."""
    here = script.parent / "here"
    environment = {
        "PATH": f"{script.parent / 'bin'}:{os.environ['PATH']}",
        "HOME": str(here),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "PS1": "",
        "INPUTRC": "/dev/null",
    }
    told = script.parent / "typed"
    told.unlink(missing_ok=True)
    master, slave = pty.openpty()
    words = ["bash", "--norc", "--noprofile", "-i"]
    with subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, cwd=here, env=environment, start_new_session=True
    ):
        os.close(slave)
        os.write(
            master, f"source {shlex.quote(str(script))}; bind 'set enable-bracketed-paste off'\n{typed}\n".encode()
        )
        os.write(master, b"exit\n")
        while True:  # what it echoes has to be taken, or it would wait for ever
            select.select([master], [], [])
            try:
                if not os.read(master, 4096):
                    break
            except OSError:  # how Linux says that the other side is closed
                break
    os.close(master)
    assert not list(script.parent.rglob("pwned"))
    return [str(word) for word in json.loads(told.read_text())]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("capsa get ev\t", ["get", EVIL]),
        ("capsa get 'ev\t", ["get", EVIL]),
        ('capsa get "ev\t', ["get", EVIL]),
        ("capsa get evil\\ $\t", ["get", EVIL]),
        ("capsa get it\t", ["get", KEYS[1]]),
        ("capsa get co\t", ["get", KEYS[2]]),
        ("capsa get colon:a\t", ["get", KEYS[2]]),
        ("capsa get colon:and=eq\t", ["get", KEYS[2]]),
        ("capsa get 'colon:a\t", ["get", KEYS[2]]),
        ("capsa get ti\t", ["get", KEYS[4]]),
        ("capsa get -r pho\tx", ["get", "-r", "photos/x"]),
        ("capsa get üb\tx", ["get", "über/x"]),
        ('capsa get "it\t', ["get", KEYS[1]]),
        ("capsa get ex\t", ["get", "exclaim!! it"]),
        ("capsa info ze\t", ["info", "zebra"]),
        ("capsa --home ~/x share z\t", ["--home", "{here}/x", "share", "zebra"]),
        ("capsa put --as ze\t fo\t", ["put", "--as", "zebra", "folder/"]),
        ("capsa put --as=ze\t", ["put", "--as=zebra"]),
        ("capsa put a\t", ["put", "a file"]),
        ("capsa put --cop\t3 x", ["put", "--copies", "3", "x"]),
        ("capsa his\tze\t", ["history", "zebra"]),
        ("capsa up --listen no\t", ["up", "--listen", "none"]),
        ("capsa up --listen=no\t", ["up", "--listen=none"]),
        ("capsa kit --format h\t", ["kit", "--format", "html"]),
        ("capsa completion z\t", ["completion", "zsh"]),
        ("capsa help compl\t", ["help", "completion"]),
    ],
)
def test_bash_completes_to_the_very_words(script: Path, typed: str, words: list[str]) -> None:
    here = str(script.parent / "here")
    assert type_to_bash(script, typed) == [word.replace("{here}", here) for word in words]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"\b{command.name}\b", text)
        for argument in arguments_of(command.name):
            for flag in argument.flags[-1:]:
                fish = rf"-l {flag[2:]}\b" if flag.startswith("--") else rf"-s {flag[1:]}\b"
                wanted = fish if shell == "fish" else re.escape(flag)
                assert re.search(wanted, text), flag
    assert "eval" not in text


@pytest.mark.parametrize(
    ("command", "value", "kind"),
    [
        ("put", "PATH", Takes.FILES),
        ("put", "KEY", Takes.KEYS),
        ("put", "N", Takes.NOTHING),
        ("get", "KEY|CAP", Takes.KEYS),
        ("get", "F", Takes.FILES),
        ("wait", "KEY", Takes.KEYS),
        ("ls", "PREFIX", Takes.KEYS),
        ("ls", "DIR", Takes.FOLDERS),
        ("up", "URL", Takes.WORDS),
        ("help", "COMMAND", Takes.WORDS),
        ("unlock", "TIME", Takes.NOTHING),
    ],
)
def test_what_completes_a_value(command: str, value: str, kind: Takes) -> None:
    assert takes(next(argument for argument in arguments_of(command) if argument.value == value)) is kind


def keys_for(home: Path, typed: str) -> list[str]:
    outcome = run(home, "completion", "bash", f"--keys={typed}")
    assert (outcome.code, outcome.stderr) == (0, "")
    return [line["key"] for line in outcome.documents]


def test_keys_are_offered_folder_by_folder_while_a_node_runs(network: Network, tmp_path: Path) -> None:
    top = tmp_path.name
    for key in ("b/c/d", "b/x", "bee", "b!", f"{EVIL}"):
        run_well(network.ann, "put", "-", "--as", f"{top}/{key}", stdin=b"x")
    assert keys_for(network.ann, f"{top}/") == [f"{top}/b!", f"{top}/b/", f"{top}/bee", f"{top}/{EVIL}"]
    assert keys_for(network.ann, top) == [f"{top}/"]
    assert keys_for(network.ann, f"{top}/b/") == [f"{top}/b/c/", f"{top}/b/x"]
    assert keys_for(network.ann, f"{top}/bee") == [f"{top}/bee"]
    assert keys_for(network.ann, f"{top}//") == []


def test_a_key_that_would_be_taken_for_an_option_is_not_offered(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_well(home, "init", "--copies", "0")
    with start(home):
        for key in ("--force", "fine"):
            run_well(home, "put", "-", f"--as={key}", stdin=b"x")
        assert keys_for(home, "") == ["fine"]
    assert keys_for(home, "") == []


def test_nothing_is_offered_or_said_where_there_is_no_home(tmp_path: Path) -> None:
    assert keys_for(tmp_path / "none", "") == []
