"""The set-up commands on machines that lack something: one sentence says what, and nothing is left behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]

OLD = """#!/bin/sh
exit 1
"""
WITHOUT_VENV = """#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
"""


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        (OLD, "capsa needs Python 3.11 or newer: install it, or name it with 'make PYTHON=/path/to/python3'."),
        (
            WITHOUT_VENV,
            "Python's venv module is missing: install it (Debian and Ubuntu: apt-get install python3-venv).",
        ),
    ],
    ids=["older Python", "no venv module"],
)
@pytest.mark.parametrize("target", ["demo", "test"])
def test_one_sentence_says_what_the_machine_lacks(tmp_path: Path, python: str, sentence: str, target: str) -> None:
    fakes = tmp_path / "bin"
    fakes.mkdir()
    for name in NAMES:
        (fakes / name).write_text(python)
        (fakes / name).chmod(0o755)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    make = subprocess.run(
        ["make", target],
        cwd=tmp_path,
        env={"PATH": f"{fakes}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in make.stderr.splitlines() if not line.startswith("make")]
    assert (make.returncode, said) == (2, [sentence])
    assert not (tmp_path / ".venv").exists()
