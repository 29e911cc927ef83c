"""A file of many gigabytes goes in and comes out bit for bit, and no process grows with it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from capsa.faces.cli.demo.processes import command
from tests.big.network import HOLDERS, HOME, Network, running

GIB = 1024**3
PIECE = 1024 * 1024
FREE_WANTED = 40 * 10**9
RESIDENT_MAX = 200 * 10**6
GROWTH_MAX = 32 * 10**6
"""How much more a process may hold for the large file than for a twentieth of it: room for the allocator's moods."""


@pytest.fixture
def size(room: Path, request: pytest.FixtureRequest) -> int:
    """5 GiB, where there is room for them and their copies."""
    if shutil.disk_usage(room).free >= FREE_WANTED:
        return 5 * GIB
    with request.getfixturevalue("capsys").disabled():
        reporter = request.config.get_terminal_writer()
        reporter.line(f"\nLess than 40 GB are free in {room}: the file has 1 GiB instead of 5.")
    return GIB


@pytest.mark.big
def test_a_large_file_comes_back_in_flat_memory(room: Path, size: int) -> None:
    with running(room / "homes") as network:
        few = put_and_get(network, room, "small", size // 20)
        many = put_and_get(network, room, "large", size)
    assert max(many.values()) < RESIDENT_MAX, many
    assert {name: peak for name, peak in many.items() if peak > few[name] + GROWTH_MAX} == {}, few


def put_and_get(network: Network, room: Path, name: str, size: int) -> dict[str, int]:
    """Put a file on one node and get it by cap on another; the peak resident size of every process."""
    source, cap, got = room / name, room / f"{name}.cap", room / f"{name}.got"
    write_pieces(source, name, size)
    peaks = {}
    [line], peaks["put"] = run_measured(network.root(HOME), "put", str(source))
    assert line["copies"] == {"durable": 4, "wanted": 4}
    assert line["size"] == size
    source.unlink()
    cap.write_text(line["cap"])
    _, peaks["get"] = run_measured(network.root(HOLDERS[0]), "get", "--cap-file", str(cap), "-o", str(got))
    check_pieces(got, name, size)
    got.unlink()
    return peaks | {name: peak_of(node.pid) for name, node in network.nodes.items()}


def run_measured(root: Path, *arguments: str) -> tuple[list[dict[str, Any]], int]:
    """The documents of a command that succeeds, and its peak resident size as looked at all the time."""
    words = command(root, *arguments)
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0, said
    return [json.loads(line) for line in said.splitlines()], peak


def peak_of(pid: int) -> int:
    """Bytes that a process has had resident at most; 0 once it has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def write_pieces(path: Path, seed: str, size: int) -> None:
    """Bytes that no two places share, and that can be told again without keeping them."""
    with path.open("wb") as file:
        for number in range(size // PIECE):
            file.write(piece(seed, number))
        file.write(piece(seed, size // PIECE)[: size % PIECE])


def check_pieces(path: Path, seed: str, size: int) -> None:
    assert path.stat().st_size == size
    with path.open("rb") as file:
        for number in range(size // PIECE + 1):
            read = file.read(PIECE)
            assert read == piece(seed, number)[: len(read)], f"piece {number} is wrong"


def piece(seed: str, number: int) -> bytes:
    return blake3(f"{seed} {number}".encode()).digest(length=PIECE)
