"""`share` and `history` against real processes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import command, run, run_well
from tests.faces.cli.networks import Network

CONTENT = os.urandom(2**20 + 77)


@pytest.fixture
def key(network: Network, tmp_path: Path) -> str:
    key = f"{tmp_path.name}/report.txt"
    run_well(network.ann, "put", "-", "--as", key, stdin=CONTENT)
    return key


def test_a_cap_goes_from_one_owner_to_another_by_file(network: Network, key: str, tmp_path: Path) -> None:
    words = [word for word in command(network.ann, "share", key) if word != "--json"]
    with (tmp_path / "cap").open("wb") as file:
        told = subprocess.run(words, stdout=file, stderr=subprocess.PIPE, check=True).stderr.decode()
    assert "cannot be taken back" in told
    assert told.count("\n") == 1
    cap = (tmp_path / "cap").read_text()
    assert cap.startswith("capsa-cap:")
    assert cap.count("\n") == 1
    assert run_well(network.ann, "share", key).documents == [{"key": key, "cap": cap.strip()}]
    run_well(network.home("eve"), "get", "--cap-file", str(tmp_path / "cap"), "-o", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == CONTENT


def test_quiet_shares_the_cap_and_says_nothing(network: Network, key: str) -> None:
    words = [word for word in command(network.ann, "share", "--quiet", key) if word != "--json"]
    done = subprocess.run(words, capture_output=True, check=True)
    assert done.stdout.startswith(b"capsa-cap:")
    assert done.stderr == b""


def test_only_single_files_are_shared(network: Network, key: str) -> None:
    folder = key.partition("/")[0]
    outcome = run(network.ann, "share", folder)
    assert (outcome.code, outcome.last["error"]["kind"]) == (7, "refused")
    assert folder in outcome.last["error"]["message"]


@pytest.mark.parametrize("name", ["share", "history"])
def test_what_is_not_stored_is_not_found(network: Network, name: str) -> None:
    assert run(network.ann, name, "no/such/key").code == 3
    assert run(network.ann, name, "not//a/key").code == 2


@pytest.mark.parametrize("name", ["share", "history", "info", "wait"])
def test_a_cap_in_place_of_a_key_is_told_and_not_repeated(network: Network, key: str, name: str) -> None:
    cap = run_well(network.ann, "share", key).last["cap"]
    outcome = run(network.ann, name, cap)
    assert outcome.code == 2
    assert "capsa get" in outcome.last["error"]["hint"]
    assert cap not in str(outcome)


def test_history_tells_of_a_version_all_there_is_to_know(network: Network, key: str) -> None:
    stored = run_well(network.ann, "ls", key).last
    [line] = run_well(network.ann, "history", key).documents
    assert (line["version"], line["current"], line["copies"]) == (1, True, {"durable": 3, "wanted": 3})
    assert line["device"] == network.nodes["ann"].node
    assert len(line["id"]) == 26
    assert line["blocks"] == 3
    for name in ("key", "size", "media_type", "mtime", "cap"):
        assert line[name] == stored[name]


def test_history_of_a_folder_hints_at_its_files(network: Network, key: str) -> None:
    folder = key.partition("/")[0]
    outcome = run(network.ann, "history", folder)
    assert outcome.code == 3
    assert f"capsa ls {folder}/" in outcome.last["error"]["hint"]
