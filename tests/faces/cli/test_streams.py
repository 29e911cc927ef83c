"""Standard streams that are closed, and descriptors that are not the user's: real processes, without a node."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import command, run, run_well

CONTENT = os.urandom(300_000)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "f.bin").write_bytes(CONTENT)
    run_well(folder / "home", "init", "--name", "Ann", "--copies", "0")
    run_well(folder / "home", "put", str(folder / "f.bin"))
    return folder / "home"


def run_without(
    closed: Collection[int], home: Path, *words: str, json: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that is started with some of its standard streams closed."""
    given = [word for word in command(home, *words) if json or word != "--json"]
    shell = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    return subprocess.run(["/bin/sh", "-c", f'"$@" {shell}', "sh", *given], capture_output=True, check=False)


def digests(home: Path) -> dict[str, str]:
    """Of what nothing but a damaged home would change, while a command only reads."""
    return {name: hashlib.sha256((home / name).read_bytes()).hexdigest() for name in ("home.json", "papers")}


@pytest.mark.parametrize("closed", [(), (0, 1, 2)])
def test_no_file_of_the_home_is_taken_for_a_place_of_the_users(
    home: Path, tmp_path: Path, closed: tuple[int, ...]
) -> None:
    before = digests(home)
    for number in (*closed[1:], *range(3, 14)):
        done = run_without(closed, home, "get", "f.bin", "-o", f"/dev/fd/{number}", json=False)
        assert done.returncode == 1, number
    assert digests(home) == before
    assert (home / "lock").stat().st_size < 100
    assert run_well(home, "get", "f.bin", "-o", str(tmp_path / "f.bin")).last["size"] == len(CONTENT)


def test_a_descriptor_of_the_users_takes_the_bytes(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "f.bin"
    given = command(home, "get", "f.bin", "-o", "/dev/fd/9")
    subprocess.run(["/bin/sh", "-c", f'"$@" 9>{target}', "sh", *given], capture_output=True, check=True)
    assert target.read_bytes() == CONTENT


def test_a_stdout_that_is_closed_keeps_no_command_from_its_work(home: Path) -> None:
    done = run_without((1,), home, "ls")
    assert (done.returncode, done.stderr) == (0, b"")


def test_bytes_for_a_stdout_that_is_closed_are_not_told_as_delivered(home: Path) -> None:
    done = run_without((1,), home, "get", "f.bin", "-o", "-", json=False)
    assert (done.returncode, done.stderr) == (1, b"capsa: Stdout cannot be written: Bad file descriptor.\n")


def test_an_error_has_no_other_way_where_stderr_is_closed(home: Path) -> None:
    done = run_without((2,), home, "info", "nothing")
    assert done.returncode == 3
    assert done.stdout.startswith(b'{"error"') and done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("words", [("get", "-"), ("get", "--cap-file", "-"), ("put", "-", "--as", "k"), ("recover",)])
def test_a_stdin_that_is_closed_is_told(home: Path, words: tuple[str, ...]) -> None:
    done = run_without((0,), home, *words)
    assert (done.returncode, b"There is no stdin" in done.stderr) == (2, True), done.stderr


def test_the_same_commands_read_a_stdin_that_is_there(home: Path) -> None:
    assert run(home, "put", "-", "--as", "k", stdin=b"hello").code == 0
