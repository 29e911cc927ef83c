"""The contract walked from end to end with real processes: every command, and every option of every command.

What each does in detail is tested by itself; here a command or an option that nobody tries out is a failure.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from capsa.faces.cli.demo.processes import NodeProcess, run
from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.manual.syntax import arguments_of, common_options
from tests.faces.cli.networks import until_alive

ELSEWHERE = {("demo", flag) for flag in ("--keep", "--file", "--size")}
"""Options of a command that takes long: tried out below, and in `test_demo`."""
COMMON = {option.flags for option in common_options()} | {("-h", "--help")}
"""What every command has is tried out once."""


class Walk:
    """Runs commands, checks how they end, and keeps which options were given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given: dict[str, set[str]] = {}

    def note(self, command: str, words: tuple[str, ...]) -> None:
        self.given.setdefault(command, set()).update(word.partition("=")[0] for word in words)

    def __call__(self, home: str, command: str, *words: str, code: int = 0, stdin: bytes = b"") -> list[dict[str, Any]]:
        self.note(command, words)
        outcome = run(self.folder / home, command, *words, stdin=stdin)
        assert outcome.code == code, outcome
        if code in (0, 4):
            assert not any("error" in line for line in outcome.documents)
        else:
            assert {*outcome.last["error"]} == {"kind", "message", "hint", "retryable"}
        return outcome.documents

    def up(self, home: str, *words: str) -> NodeProcess:
        self.note("up", words)
        return NodeProcess.started(self.folder / home, *words)

    def write(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


def has(line: dict[str, Any], names: str) -> None:
    """The JSON has at least these fields."""
    assert set(names.split()) <= set(line), line


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    return Walk(tmp_path)


def test_every_command_and_every_option_does_what_it_says(walk: Walk, tmp_path: Path) -> None:
    secret, new = walk.write("secret", "correct horse"), walk.write("new", "battery staple")
    opened = ("--passphrase-file", secret)
    out = tmp_path / "out"
    out.mkdir()

    [ann] = walk("ann", "init", "--name", "Ann", "--copies", "1", *opened)
    has(ann, "owner network node phrase")
    walk("ann", "init", "--no-passphrase", code=7)
    with walk.up("ann", "--listen", "tcp://127.0.0.1:0", "--capacity", "1GB", "--zone", "attic") as first:
        invite = walk("ann", "invite", "--expires", "1h", *opened)[0]
        has(invite, "invite expires")
        by_file = walk.write("invite", invite["invite"])
        [ben] = walk("ben", "join", "--invite-file", by_file, "--name", "Ben", "--no-passphrase")
        has(ben, "owner network node phrase admitted")
        walk("cleo", "join", "--passphrase-file", secret, "-", stdin=b"no invite", code=2)
        ben_up = ("--listen", "none", "--peer", first.listen[0], "--advertise", "none", "--capacity", "1GB")
        with walk.up("ben", *ben_up):
            until_alive(tmp_path / "ben", 2)
            walk_the_keys(walk, opened)
            walk_the_files(walk, out)
            walk_the_network(walk)
            walk_the_way_back(walk, opened)
            walk_passphrases(walk, secret, new)
    walk_the_manual(walk)

    for command in BY_NAME:
        for argument in arguments_of(command):
            if not argument.flags or argument.flags in COMMON or (command, argument.flags[-1]) in ELSEWHERE:
                continue
            assert walk.given.get(command, set()) & set(argument.flags), f"{command} {argument.flags} was not tried out"
        assert command in walk.given or command == "demo", f"{command} was not tried out"


def walk_the_keys(walk: Walk, opened: tuple[str, ...]) -> None:
    """Locked, each command that needs the keys ends with 9, and says so of a passphrase that is not there."""
    walk.write("small", "small")
    small, missing = str(walk.folder / "small"), str(walk.folder / "missing")
    for command, words in (
        ("put", (small,)),
        ("get", ("small",)),
        ("ls", ()),
        ("info", ("small",)),
        ("history", ("small",)),
        ("share", ("small",)),
        ("wait", ("small",)),
        ("invite", ()),
        ("kit", ()),
        ("unlock", ()),
        ("passphrase", ("--remove",)),
    ):
        walk("ann", command, *words, "--no-passphrase", code=9)
        walk("ann", command, *words, "--passphrase-file", missing, code=3)
    [told] = walk("ann", "unlock", "--for", "1h", *opened)
    has(told, "unlocked until")


def walk_the_files(walk: Walk, out: Path) -> None:
    """Put, looked at, shared, fetched; the node keeps the keys open."""
    sea, song = walk.write("album/sea.txt", "the sea"), walk.write("song", b"la" * 50_000)
    walk.write("album/sea.tmp", "thrown away")
    album = str(walk.folder / "album")
    planned = walk("ann", "put", "-r", album, "--exclude", "*.tmp", "--dry-run")
    assert "album/sea.txt" in {line["key"] for line in planned}
    assert "album/sea.tmp" not in {line["key"] for line in planned}
    assert walk("ann", "ls") == []
    for line in walk("ann", "put", "-r", album, "--as", "photos", "--exclude", "*.tmp", "--reread"):
        has(line, "key cap size blocks new_bytes unchanged copies seconds")
        assert line["copies"] == {"durable": 2, "wanted": 2}
    walk("ann", "put", song, "--copies", "1", "--private", "--no-wait", code=4)
    assert walk("ann", "wait", "song", "--timeout", "5m")[-1] == {"short": 0}
    walk("ann", "put", sea, "--as", "song", code=7)
    walk("ann", "put", sea, "--as", "song", "--new-version")
    assert [(line["version"], line["current"]) for line in walk("ann", "history", "song")] == [(2, True), (1, False)]
    lines = walk("ann", "ls")
    for line in lines:
        has(line, "key kind size media_type mtime cap")
    assert [line["key"] for line in lines if line["kind"] == "file"] == ["photos/sea.txt", "song"]
    has(walk("ann", "info", "song")[0], "key size media_type mtime cap blocks copies holders")
    [shared] = walk("ann", "share", "song")
    cap = walk.write("cap", shared["cap"])
    [got] = walk("ben", "get", "--cap-file", cap, "-o", str(out / "shared"))
    has(got, "key path size media_type seconds")
    assert (out / "shared").read_text() == "the sea"
    walk("ann", "get", "song", "--version", "1", "-o", str(out / "shared"), code=7)
    walk("ann", "get", "song", "--version", "1", "-o", str(out / "shared"), "--force")
    assert (out / "shared").read_bytes() == b"la" * 50_000
    walk("ann", "get", "song", "--range", "4-", "-o", str(out / "part"))
    assert (out / "part").read_text() == "sea"
    walk("ann", "get", "-r", "photos", "-o", str(out))
    assert (out / "photos" / "sea.txt").read_text() == "the sea"
    walk("ann", "get", "nothing", code=3)
    walk("ann", "wait")


def walk_the_network(walk: Walk) -> None:
    has(walk("ann", "peers")[0], "nodes as_of")
    has(walk("ann", "status")[0], "node owner network blocks bytes peers underreplicated reachable health as_of")
    walk("ann", "top", "--count", "1", "--interval", "1s")
    assert run(walk.folder / "ann", "doctor").code in (0, 1)
    walk.note("doctor", ())


def walk_the_way_back(walk: Walk, opened: tuple[str, ...]) -> None:
    """The laptop is lost: by the kit, and by phrase and card."""
    kit = str(walk.folder / "kit.txt")
    has(walk("ann", "kit", "-o", kit, "--format", "text", *opened)[0], "path format")
    [made] = walk("ann", "kit", *opened)
    phrase, card = walk.write("phrase", made["phrase"]), walk("ann", "card")[0]["card"]
    has(walk("again", "recover", "--kit", kit, "--no-passphrase")[0], "owner node network files answered warnings")
    has(walk("third", "recover", card, "--phrase-file", phrase, *opened)[0], "owner node files answered")
    assert len(walk("again", "ls")) == len(walk("ann", "ls"))


def walk_passphrases(walk: Walk, secret: str, new: str) -> None:
    assert walk("ann", "lock") == [{"unlocked": False}]
    walk("ann", "ls", "--no-passphrase", code=9)
    walk("ann", "passphrase", "--passphrase-file", secret, "--new-passphrase-file", new)
    walk("ann", "ls", "--passphrase-file", secret, code=9)
    [told] = walk("ann", "passphrase", "--passphrase-file", new, "--remove")
    assert told["passphrase"] is False
    walk("ann", "ls", "--no-passphrase")


def walk_the_manual(walk: Walk) -> None:
    has(walk("ann", "help", "put")[0], "command help")
    has(walk("ann", "man", "-o", str(walk.folder / "man"))[0], "written")
    has(walk("ann", "man", "put")[0], "page text")
    has(walk("ann", "completion", "bash")[0], "shell script")
    for words in (["ls", "--quiet"], ["--quiet", "ls"]):
        assert run(walk.folder / "ann", *words).stderr == ""
    assert {*run(walk.folder / "none", "--version").last} == {"version"}
    walk("none", "ls", code=10)


def test_a_network_that_the_demo_keeps_is_there_to_be_used(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "capsa", "--json", "demo", "--keep", "--size", "1MB"]
    try:
        done = subprocess.run(words, capture_output=True, env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
        homes = json.loads(done.stdout.splitlines()[-1])["homes"]
        assert len(homes) == 3
        for home in homes.values():
            assert run(Path(home), "status").last["running"] is True
    finally:
        listed = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            if str(tmp_path) in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
