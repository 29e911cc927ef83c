"""Where a passphrase comes from, in which order, and what contradicts itself. In this process, without a terminal."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from capsa.errors import HomeError
from capsa.faces.cli import main
from capsa.node.home import Home
from tests.faces.cli.lockers import make_locked

SECRET = "correct horse"
GOOD, BAD = "good", "bad"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Here lie files with passphrases, and a home whose keys have one."""
    monkeypatch.chdir(tmp_path)
    for name, text in ((GOOD, f"{SECRET}\n"), (BAD, "wrong\n"), ("empty", "\n"), ("long", "x" * 4097)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    return tmp_path


@pytest.fixture
def locked(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    home = make_locked(folder / "home", SECRET)
    capsys.readouterr()
    return home.root


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the last document, and what was said beside it."""
    code = main(["--home", "home", "--json", *words])
    out, err = capsys.readouterr()
    lines = out.splitlines()
    return code, json.loads(lines[-1]) if lines else {}, err


@pytest.mark.parametrize(
    ("options", "variable", "opens_with"),
    [
        (["--passphrase-file", GOOD], None, SECRET),
        (["--passphrase-file", GOOD], "of the environment", SECRET),
        (["--passphrase-file", GOOD], "", SECRET),
        (["--no-passphrase"], None, None),
        (["--no-passphrase"], "of the environment", None),
        ([], "of the environment", "of the environment"),
        ([], "", None),
    ],
)
def test_keys_are_made_with_the_passphrase_that_was_given_first(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variable: str | None,
    opens_with: str | None,
) -> None:
    _set(monkeypatch, variable)
    assert run(capsys, "init", *options)[0] == 0
    home = Home.open(folder / "home")
    assert home.owner_keys(opens_with).owner == home.owner


@pytest.mark.parametrize(
    ("options", "variable", "code", "told"),
    [
        ([], None, 2, "--passphrase-file or CAPSA_PASSPHRASE, or --no-passphrase"),
        (["--passphrase-file", GOOD, "--no-passphrase"], None, 2, "exclude"),
        (["--passphrase-file", "empty"], None, 2, "empty"),
        (["--passphrase-file", "long"], None, 2, "too long"),
        (["--passphrase-file", "bytes"], None, 2, "UTF-8"),
        (["--passphrase-file", "."], None, 2, "folder"),
        (["--passphrase-file", "absent"], None, 3, "absent"),
        ([], "x" * 4097, 2, "4096"),
        ([], "\udcff", 2, "UTF-8"),
    ],
)
def test_without_a_fit_passphrase_no_keys_are_made(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variable: str | None,
    code: int,
    told: str,
) -> None:
    _set(monkeypatch, variable)
    ended, document, _ = run(capsys, "init", *options)
    assert ended == code
    assert told in document["error"]["message"] + document["error"]["hint"]
    assert not (folder / "home").exists()


@pytest.mark.parametrize(
    ("options", "variable", "code"),
    [
        (["--passphrase-file", GOOD], None, 0),
        (["--passphrase-file", GOOD], "wrong", 0),
        (["--passphrase-file", BAD], SECRET, 9),
        (["--passphrase-file", "absent"], SECRET, 3),
        ([], SECRET, 0),
        ([], "wrong", 9),
        ([], "", 9),
        ([], None, 9),
        (["--no-passphrase"], SECRET, 9),
        (["--no-passphrase", "--passphrase-file", GOOD], None, 2),
    ],
)
def test_locked_keys_open_with_what_was_given_first_and_with_nothing_else(
    locked: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variable: str | None,
    code: int,
) -> None:
    _set(monkeypatch, variable)
    ended, document, said = run(capsys, "ls", *options)
    assert ended == code
    assert SECRET not in said
    if code == 9:
        assert document["error"]["kind"] == "locked"
    if variable in (None, "") and not options:
        assert "capsa unlock" in document["error"]["hint"]


@pytest.mark.parametrize("options", [[], ["--no-passphrase"], ["--passphrase-file", "absent"]], ids=" ".join)
@pytest.mark.parametrize("variable", [None, "", "wrong"])
def test_open_keys_open_whatever_is_given(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variable: str | None,
) -> None:
    assert run(capsys, "init", "--no-passphrase")[0] == 0
    _set(monkeypatch, variable)
    assert run(capsys, "ls", *options)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["put", "-", "--as", "k"],
        ["put", "-", "x"],
        ["get", "--cap-file", "-"],
        ["get", "-"],
        ["join"],
        ["join", "-"],
        ["join", "--invite-file", "-"],
        ["passphrase", "--new-passphrase-file", "-"],
    ],
    ids=" ".join,
)
def test_stdin_is_not_two_things(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    if words[0] != "join":
        assert run(capsys, "init", "--no-passphrase")[0] == 0
    code, document, _ = run(capsys, *words, "--passphrase-file", "-")
    assert (code, document["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize(("mode", "noted"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
def test_a_passphrase_file_that_others_can_read_is_noted(
    locked: Path, capsys: pytest.CaptureFixture[str], mode: int, noted: bool
) -> None:
    Path(GOOD).chmod(mode)
    code, _, said = run(capsys, "ls", "--passphrase-file", GOOD)
    assert (code, "Others can read" in said) == (0, noted)
    assert stat.S_IMODE(Path(GOOD).stat().st_mode) == mode
    assert "Others" not in run(capsys, "ls", "--quiet", "--passphrase-file", GOOD)[2]


@pytest.mark.parametrize("data", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"], ids=["bare", "unix", "dos"])
def test_one_line_break_at_the_end_is_no_part_of_it(
    locked: Path, capsys: pytest.CaptureFixture[str], data: str
) -> None:
    Path("f").write_text(data, newline="")
    assert run(capsys, "ls", "--passphrase-file", "f")[0] == 0
    Path("f").write_text(f"{data}\n\n", newline="")
    assert run(capsys, "ls", "--passphrase-file", "f")[0] == 9


def test_a_passphrase_comes_through_a_pipe(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `<(pass show capsa)` hands it over."""
    ours, theirs = os.pipe()
    os.write(theirs, f"{SECRET}\n".encode())
    os.close(theirs)
    assert run(capsys, "ls", "--passphrase-file", f"/dev/fd/{ours}")[0] == 0
    os.close(ours)


CHANGES: Mapping[str, tuple[list[str], str | None]] = {
    "changed": (["--new-passphrase-file", "new"], "new words"),
    "removed": (["--remove"], None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_passphrase_is_changed_or_removed_by_who_knows_it(
    locked: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    options, opens_with = CHANGES[change]
    Path("new").write_text("new words\n")
    before = (locked / "keys" / "owner.json").read_bytes()
    for wrong in ([], ["--passphrase-file", BAD]):
        assert run(capsys, "passphrase", *options, *wrong)[0] == 9
    assert (locked / "keys" / "owner.json").read_bytes() == before
    code, document, _ = run(capsys, "passphrase", *options, "--passphrase-file", GOOD)
    assert (code, document) == (0, {"passphrase": opens_with is not None})
    home = Home.open(locked)
    assert home.owner_keys(opens_with).owner == home.owner


def test_an_open_home_gets_a_passphrase(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "init", "--no-passphrase")[0] == 0
    assert run(capsys, "passphrase", "--remove")[0] == 0
    assert run(capsys, "passphrase", "--new-passphrase-file", GOOD)[:2] == (0, {"passphrase": True})
    home = Home.open(folder / "home")
    assert home.owner_keys(SECRET).owner == home.owner


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 2),
        (["--new-passphrase-file", "empty"], 2),
        (["--new-passphrase-file", "absent"], 3),
        (["--new-passphrase-file", GOOD, "--remove"], 2),
    ],
)
def test_no_unfit_passphrase_replaces_a_good_one(
    locked: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int
) -> None:
    before = (locked / "keys" / "owner.json").read_bytes()
    assert run(capsys, "passphrase", "--passphrase-file", GOOD, *options)[0] == code
    assert (locked / "keys" / "owner.json").read_bytes() == before


@pytest.mark.parametrize("time", ["0", "0s", "31d", "soon", "-1h"])
def test_keys_are_not_unlocked_for_ever(locked: Path, capsys: pytest.CaptureFixture[str], time: str) -> None:
    assert run(capsys, "unlock", f"--for={time}", "--passphrase-file", GOOD)[0] == 2


def test_keys_without_a_passphrase_need_no_unlocking(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "init", "--no-passphrase")[0] == 0
    assert run(capsys, "unlock")[:2] == (0, {"unlocked": True, "until": None})
    assert run(capsys, "lock")[:2] == (0, {"unlocked": True})
    assert run(capsys, "status")[1]["keys"] == "open"


def test_without_a_node_nothing_keeps_the_keys(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document, _ = run(capsys, "unlock", "--passphrase-file", GOOD)
    assert (code, document["error"]["kind"]) == (7, "refused")
    assert "capsa up" in document["error"]["hint"]
    assert run(capsys, "lock")[:2] == (0, {"unlocked": False})
    assert run(capsys, "status")[1]["keys"] == "locked"
    assert run(capsys, "ls")[0] == 9


def test_status_outlives_a_damaged_keystore(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (locked / "keys" / "owner.json").write_text("{}")
    assert run(capsys, "status")[1]["keys"] == "unreadable"


def test_a_keystore_that_asks_for_the_whole_memory_is_refused(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = locked / "keys" / "owner.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "memory_kib": 2**40}))
    code, document, _ = run(capsys, "ls", "--passphrase-file", GOOD)
    assert (code, document["error"]["kind"]) == (10, HomeError.kind)
    assert "KiB" in document["error"]["message"]


def _set(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    if variable is None:
        monkeypatch.delenv("CAPSA_PASSPHRASE")
    else:
        monkeypatch.setenv("CAPSA_PASSPHRASE", variable)
