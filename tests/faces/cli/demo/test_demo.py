"""The demo: what it tells, and that it leaves nothing behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "capsa", "--json", "demo", "--size", "3MB"]


def processes_in(folder: Path) -> list[str]:
    """The command lines of running processes that name a folder."""
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """Where the demo plays."""
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder


def test_the_demo_gets_the_file_back_after_two_nodes_are_killed(stage: Path) -> None:
    done = subprocess.run(DEMO, capture_output=True, env={**os.environ, "TMPDIR": str(stage)}, check=True)
    told = json.loads(done.stdout)
    steps = {step["step"]: step for step in told["steps"]}
    assert [*steps] == ["make", "found", "join", "meet", "put", "locate", "search", "kill", "get", "compare"]
    assert steps["put"]["copies"] == {"durable": 4, "wanted": 4}
    assert steps["locate"]["holders"]["eve"] == 0
    assert steps["kill"]["killed"][0] == "ann"
    assert len(steps["kill"]["killed"]) == 2
    assert list(stage.iterdir()) == []
    assert processes_in(stage) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up_after_itself(stage: Path, number: signal.Signals) -> None:
    words = [word for word in DEMO if word != "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(stage)}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while b"starts a node" not in process.stdout.readline():
            pass
        assert processes_in(stage)
        process.send_signal(number)
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 130
    assert list(stage.iterdir()) == []
    assert processes_in(stage) == []


def test_a_file_of_ones_own_must_be_there(stage: Path) -> None:
    for path, code in ((stage / "nothing", 3), (stage, 2)):
        words = [sys.executable, "-m", "capsa", "demo", "--file", str(path)]
        done = subprocess.run(words, capture_output=True, env={**os.environ, "TMPDIR": str(stage)}, check=False)
        assert done.returncode == code
        assert done.stderr.count(b"\n") == 1
    assert list(stage.iterdir()) == []
