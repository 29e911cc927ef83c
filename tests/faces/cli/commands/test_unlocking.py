"""A home with a passphrase, in real processes: who needs it when, and where it must never turn up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mnemonic import Mnemonic

from capsa.core.ids import to_base32
from capsa.faces.cli.demo.processes import NodeProcess, Outcome, run, run_well
from tests.faces.cli.networks import start

SECRET = "canary-passphrase-7319"
UNTIL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class Ann:
    """The only member of a network, with a passphrase in a file and a node that runs in a process of its own."""

    home: Path
    file: Path
    entropy: bytes
    node: NodeProcess

    def __call__(self, *words: str, passphrase: str = "") -> Outcome:
        """Run a command that shows tracebacks, with a passphrase in the environment or none."""
        return run(self.home, *words, environment={"CAPSA_PASSPHRASE": passphrase, "CAPSA_DEBUG": "1"})

    def well(self, *words: str) -> dict[str, Any]:
        """What a command said last that must succeed."""
        outcome = self(*words)
        assert outcome.code == 0, outcome
        return outcome.last

    def opened(self) -> str:
        """How the keys are."""
        return str(self.well("status")["keys"])


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Ann]:
    home, file = tmp_path / "ann", tmp_path / "passphrase"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    told = run_well(home, "init", "--copies", "0", "--passphrase-file", str(file)).last
    entropy = bytes(Mnemonic("english").to_entropy(told["phrase"]))
    node = NodeProcess.started(
        home, "--listen", "tcp://127.0.0.1:0", "--capacity", "0", environment={"CAPSA_LOG": "debug"}
    )
    ann = Ann(home, file, entropy, node)
    try:
        yield ann
    finally:
        ann.node.stop()


def test_commands_need_the_passphrase_until_the_node_keeps_the_keys(ann: Ann, tmp_path: Path) -> None:
    note, back = tmp_path / "note.txt", tmp_path / "back.txt"
    note.write_text("a note")
    for words in (["put", str(note)], ["get", "note.txt"]):
        outcome = ann(*words)
        assert (outcome.code, outcome.last["error"]["kind"]) == (9, "locked")
        assert "capsa unlock" in outcome.last["error"]["hint"]
    assert ann.opened() == "locked"
    assert ann("put", str(note), passphrase=SECRET).code == 0
    assert ann.well("ls", "--passphrase-file", str(ann.file))["key"] == "note.txt"

    unlocked = ann.well("unlock", "--for", "1h", "--passphrase-file", str(ann.file))
    assert unlocked["unlocked"] is True
    assert UNTIL.fullmatch(unlocked["until"])
    assert UNTIL.fullmatch(ann.opened().removeprefix("unlocked until "))
    assert ann.well("ls")["key"] == "note.txt"
    ann.well("get", "note.txt", "-o", str(back))
    assert back.read_text() == "a note"
    assert ann("ls", passphrase="wrong").code == 9, "what was given is used, or refused"

    assert ann.well("lock") == {"unlocked": False}
    assert ann("ls").code == 9


def test_only_who_knows_the_passphrase_prolongs_or_changes_it(ann: Ann, tmp_path: Path) -> None:
    ann.well("unlock", "--passphrase-file", str(ann.file))
    new = tmp_path / "new"
    new.write_text("another passphrase")
    before = (ann.home / "keys" / "owner.json").read_bytes()
    for words in (["unlock"], ["passphrase", "--remove"], ["passphrase", "--new-passphrase-file", str(new)]):
        assert ann(*words).code == 9
    assert (ann.home / "keys" / "owner.json").read_bytes() == before
    ann.well("passphrase", "--passphrase-file", str(ann.file), "--new-passphrase-file", str(new))
    assert ann("ls").code == 0, "the keys are the same, and so the node keeps them"
    assert ann("ls", passphrase=SECRET).code == 9
    assert ann("ls", passphrase="another passphrase").code == 0


def test_a_node_that_ended_has_forgotten_the_keys(ann: Ann) -> None:
    ann.well("unlock", "--passphrase-file", str(ann.file))
    ann.node.kill()
    assert ann("ls").code == 9
    ann.node = start(ann.home)
    assert ann("ls").code == 9


def test_the_passphrase_and_the_keys_turn_up_nowhere(ann: Ann, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("a note")
    said = []
    for outcome in (
        ann("put", str(note), passphrase=SECRET),
        ann("unlock", "--passphrase-file", str(ann.file)),
        ann("ls"),
        ann("ls", passphrase=f"{SECRET}x"),
        ann("ls", "--passphrase-file", str(tmp_path), passphrase=SECRET),
        ann("get", "absent", passphrase=SECRET),
        ann("passphrase", passphrase=SECRET),
    ):
        said.append(outcome.stderr + json.dumps(outcome.documents))
    assert any("Traceback" in text for text in said)
    log = ann.node.log.read_text()
    files = [path.read_bytes() for path in ann.home.rglob("*") if path.is_file()]
    assert len(files) > 5
    everywhere = [*(text.encode() for text in (*said, log)), *files]
    process = Path("/proc") / str(ann.node.pid)
    if process.exists():
        everywhere += [(process / name).read_bytes() for name in ("cmdline", "environ")]
    phrase = str(Mnemonic("english").to_mnemonic(ann.entropy))
    for secret in (SECRET, phrase, to_base32(ann.entropy), ann.entropy.hex(), repr(ann.entropy)[2:-1]):
        assert not [text for text in everywhere if secret.encode() in text]
    assert not [text for text in everywhere if ann.entropy in text]
