"""`make bench` runs, at a small size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.big
def test_every_measurement_is_told(room: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.put_get", "--size", "4MiB", "--folder", str(room)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    copies, sockets = "4 x copy + fsync", "socket -> file + fsync"
    assert [line.get("measured") for line in lines] == [
        *(None, "start", copies, "put", copies, sockets, "get", sockets, "of reference"),
        *("middle", "put small", "get small"),
    ]
    assert list(room.iterdir()) == []
