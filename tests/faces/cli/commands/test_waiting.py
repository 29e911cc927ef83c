"""`wait` against real processes: a holder that is away, that comes back, and none that runs at all."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import command, run, run_well
from tests.faces.cli.networks import Network, start, until_alive

SIZE = 2**20 + 1


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Ann, whose node runs, wants one copy besides hers; Ben, who would keep it, is away."""
    ann, ben = tmp_path / "ann", tmp_path / "ben"
    run_well(ann, "init", "--name", "Ann", "--copies", "1")
    with start(ann):
        run_well(ben, "join", "--name", "Ben", stdin=run_well(ann, "invite").last["invite"].encode())
        with start(ben):
            until_alive(ben, 2)
        yield ann, ben


def test_wait_ends_when_the_holder_is_back_and_says_before_who_is_short(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    ann, ben = pair
    for key in ("film", "song"):
        assert run(ann, "put", "-", "--as", key, stdin=os.urandom(SIZE)).code == 4
    for named in (["film", "song"], []):
        outcome = run(ann, "wait", *named, "--timeout", "1s")
        assert outcome.code == 4
        assert outcome.documents == [
            {"key": "film", "copies": {"durable": 1, "wanted": 2}},
            {"key": "song", "copies": {"durable": 1, "wanted": 2}},
            {"short": 2},
        ]
    assert run_well(ann, "history", "film").last["copies"] == {"durable": 1, "wanted": 2}
    with subprocess.Popen(command(ann, "wait"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as interrupted:
        assert interrupted.stderr is not None
        assert b"waiting" in interrupted.stderr.readline()
        assert b"2 copies are wanted, and only 1 node is there" in interrupted.stderr.readline()
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait() == 130
    with start(ben):
        outcome = run_well(ann, "wait", "song", "film")
        assert sorted(line["key"] for line in outcome.documents[:-1]) == ["film", "song"]
        assert all(line["copies"] == {"durable": 2, "wanted": 2} for line in outcome.documents[:-1])
        assert run_well(ann, "wait").documents == [{"short": 0}]
        assert run_well(ann, "info", "film").last["copies"]["least"] == 2


def test_a_command_without_a_node_completes_what_it_waits_for(tmp_path: Path) -> None:
    ann, ben = tmp_path / "ann", tmp_path / "ben"
    run_well(ann, "init", "--name", "Ann", "--copies", "1")
    with start(ann):
        run_well(ben, "join", "--name", "Ben", stdin=run_well(ann, "invite").last["invite"].encode())
        node = start(ben)
        until_alive(ben, 2)
        address = node.listen[0]
        node.stop()
        assert run(ann, "put", "-", "--as", "film", stdin=os.urandom(SIZE)).code == 4
    with start(ben, listen=address):
        assert run_well(ann, "wait", "film").documents[0]["copies"] == {"durable": 2, "wanted": 2}


def test_what_is_complete_needs_no_waiting_and_what_is_not_there_is_not_found(network: Network, tmp_path: Path) -> None:
    key = f"{tmp_path.name}/x"
    run_well(network.ann, "put", "-", "--as", key, stdin=b"x")
    assert run_well(network.ann, "wait", key).documents[0] == {"key": key, "copies": {"durable": 3, "wanted": 3}}
    assert run(network.ann, "wait", key, "no/such/key").code == 3
    assert run(network.ann, "wait", "--timeout", "soon").code == 2
    assert run(network.ann, "wait", "/x").code == 2
