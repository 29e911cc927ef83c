"""A home that was copied while its node ran: real processes, which meet at a third node."""

from __future__ import annotations

import shutil
from pathlib import Path

from capsa.faces.cli.demo.processes import NodeProcess, run, run_well, stop_all
from tests.faces.cli.networks import start, until_alive

_SPOKEN_TO = 100


def until_found(home: Path) -> dict[str, object]:
    """Ask a home's node how it is, until it knows of its duplicate: the suite's own time limit is the deadline."""
    for _ in range(_SPOKEN_TO):
        status = run_well(home, "status").last
        if any("copy of this home" in reason for reason in status["reasons"]):
            return status
    raise AssertionError(f"{home.name} knows of no duplicate after {_SPOKEN_TO} questions: {status}")


def test_a_home_copied_while_it_runs_stores_nothing_new_until_one_is_gone(tmp_path: Path) -> None:
    ann, ben, copy = (tmp_path / name for name in ("ann", "ben", "copy"))
    note = tmp_path / "note.txt"
    note.write_text("Remember the milk.")
    nodes: list[NodeProcess] = []
    try:
        run_well(ann, "init", "--no-passphrase", "--copies", "1")
        nodes.append(start(ann))
        invite = run_well(ann, "invite").last["invite"]
        run_well(ben, "join", "--no-passphrase", stdin=invite.encode())
        nodes.append(start(ben))
        until_alive(ben, 2)
        run_well(ben, "put", str(note))

        shutil.copytree(ben, copy, ignore=shutil.ignore_patterns("control.sock"))
        nodes.append(start(copy))
        for home in (ben, copy):
            assert until_found(home)["health"] != "ok"
            refused = run(home, "put", str(note), "--as", "other.txt")
            assert refused.code == 7
            assert "capsa recover" in refused.stderr
            assert run_well(home, "ls").last["key"] == "note.txt"
            told = {each["name"]: each for each in run(home, "doctor").last["checks"]}
            assert told["duplicate"]["level"] == "error"
        assert run_well(ben, "get", "note.txt", "-o", str(tmp_path / "out.txt")).code == 0
        assert (tmp_path / "out.txt").read_text() == note.read_text()
        assert "copy of this home" in nodes[1].log.read_text()

        nodes.pop().kill()
        nodes.pop().stop()
        nodes.append(start(ben))
        until_alive(ben, 2)
        assert run_well(ben, "put", str(note), "--as", "other.txt").last["copies"]["durable"] == 2
    finally:
        stop_all(nodes)
