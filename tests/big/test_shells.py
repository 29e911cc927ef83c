"""Completion in a real zsh and a real fish: keys that would like to be run. bash is typed at by the ordinary tests."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
from pathlib import Path

import pytest

from capsa.faces.cli import main
from tests.faces.cli.manual.test_completing import EVIL, KEYS, stub_source

READY = b"<ready>"
SHELLS = {"zsh": ["zsh", "-d", "-i"], "fish": ["fish", "-i"]}


def type_to(shell: str, folder: Path, typed: str) -> list[str]:
    """Type at the prompt of an interactive shell, press Enter; the words that capsa was then run with."""
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
    }
    master, slave = pty.openpty()

    words = ["setsid", "--ctty", "--wait", *SHELLS[shell]]  # fish wants a terminal that is its own
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment):
        os.close(slave)
        seen = b""
        while READY not in seen:
            seen += os.read(master, 4096)
        os.write(master, f"{typed}\r".encode() + b"exit\r")
        try:
            while os.read(master, 4096):
                pass
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(master)
    assert not list(folder.rglob("pwned"))
    return [str(word) for word in json.loads((folder / "typed").read_text())]


@pytest.mark.big
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("capsa get ev\t", ["get", EVIL]),
        ("capsa get 'ev\t", ["get", EVIL]),
        ("capsa get it\t", ["get", KEYS[1]]),
        ("capsa get colon:a\t", ["get", KEYS[2]]),
        ("capsa get -r pho\tx", ["get", "-r", "photos/x"]),
        ("capsa put --as=ze\t", ["put", "--as=zebra"]),
        ("capsa his\tze\t", ["history", "zebra"]),
        ("capsa up --listen no\t", ["up", "--listen", "none"]),
    ],
)
def test_a_shell_completes_to_the_very_words(
    shell: str, typed: str, words: list[str], room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = room / "script"
    script.write_text(capsys.readouterr().out)
    (room / "bin").mkdir()
    (room / "bin" / "capsa").write_text(stub_source(room / "typed"))
    (room / "bin" / "capsa").chmod(0o755)
    (room / ".zshrc").write_text(
        f"autoload -U compinit; compinit -u -D; source {shlex.quote(str(script))}; PS1={READY.decode()!r}\n"
    )
    (room / ".config" / "fish").mkdir(parents=True)
    (room / ".config" / "fish" / "config.fish").write_text(
        f"source {shlex.quote(str(script))}; function fish_prompt; echo -n {READY.decode()!r}; end\n"
    )
    assert type_to(shell, room, typed) == words
