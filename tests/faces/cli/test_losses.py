"""Losses of whole machines, with real processes and real disks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import NodeProcess, run_well, stop_all
from tests.faces.cli.networks import start, until_alive
from tests.node.network import noise

HOLDERS = ("ben", "cleo", "dan")


@pytest.fixture
def nodes(tmp_path: Path) -> dict[str, NodeProcess]:
    """Ann's network of the default three copies, held by three others; Eve keeps nothing."""
    run_well(tmp_path / "ann", "init", "--name", "Ann")
    return {"ann": start(tmp_path / "ann")}


def test_every_file_outlives_the_home_and_two_holders(tmp_path: Path, nodes: dict[str, NodeProcess]) -> None:
    ann, eve = tmp_path / "ann", tmp_path / "eve"
    contents = {"large.bin": noise(5_000_000), "small.txt": noise(300), "empty": b""}
    try:
        for name in (*HOLDERS, "eve"):
            invite = run_well(ann, "invite").last["invite"]
            run_well(tmp_path / name, "join", "--name", name.title(), stdin=invite.encode())
            nodes[name] = start(tmp_path / name, capacity="0" if name == "eve" else "1GB")
        until_alive(ann, 5)
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        stored = run_well(ann, "put", *(str(tmp_path / name) for name in contents)).documents
        assert [line["copies"] for line in stored] == [{"durable": 4, "wanted": 4}] * 3

        for name in ("ann", "ben", "cleo"):
            nodes.pop(name).kill()
            shutil.rmtree(tmp_path / name / "store")
        for line in stored:
            run_well(eve, "get", "-o", str(tmp_path / "by-cap"), "--force", line["cap"])
            assert (tmp_path / "by-cap").read_bytes() == contents[line["key"]]

        nodes["ann"] = start(ann)  # with nothing but her keys, her state and one holder left
        until_alive(ann, 3)
        for key, content in contents.items():
            run_well(ann, "get", "-o", str(tmp_path / "by-key"), "--force", key)
            assert (tmp_path / "by-key").read_bytes() == content
    finally:
        stop_all(list(nodes.values()))
