"""`get` with real processes: folders, ranges, versions, and what an interrupted one leaves to the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from capsa.faces.cli import main
from capsa.faces.cli.demo.processes import Outcome, command, run, run_well
from tests.faces.cli.networks import Network

MIB = 2**20
KILLED = """
import os, signal, sys
from capsa.client.gets import parts
from capsa.client.gets import settling
from capsa.faces.cli import main

number, bytes_left, batches_left = (int(sys.argv.pop(1)) for _ in range(3))
write, settle_all = parts.PartFile.write, settling.settle_all

def killed_write(part, data):
    global bytes_left
    write(part, data)
    if bytes_left > 0:
        bytes_left -= len(data)
        if bytes_left <= 0:
            os.kill(os.getpid(), number)

def killed_settle(tree, items):
    global batches_left
    batches_left -= 1
    if batches_left == 0:
        os.kill(os.getpid(), number)
    return settle_all(tree, items)

parts.PartFile.write, settling.settle_all = killed_write, killed_settle
sys.exit(main(sys.argv[1:]))
"""


def failed(outcome: Outcome, code: int, kind: str) -> None:
    assert (outcome.code, outcome.last["error"]["kind"]) == (code, kind), outcome
    assert "Traceback" not in outcome.stderr


def tree_of(folder: Path) -> dict[str, object]:
    """Each file's bytes, bits and time, each link's target, each empty folder."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        facts = path.lstat()
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", path.readlink())
        elif path.is_file():
            found[name] = (path.read_bytes(), facts.st_mode & 0o777, facts.st_mtime_ns)
        elif not any(path.iterdir()):
            found[name] = ("folder", facts.st_mode & 0o777, facts.st_mtime_ns)
    return found


def run_killed(
    network: Network, words: Sequence[str], *, size: int = 0, batches: int = 0, number: int = signal.SIGKILL
) -> int:
    """Run a command that is killed once it has written `size` bytes, or when the disk is to take the nth batch."""
    given = command(network.ann, *words)
    limits = [str(int(limit)) for limit in (number, size, batches)]
    done = subprocess.run([given[0], "-c", KILLED, *limits, *given[3:]], stdout=subprocess.DEVNULL, check=False)
    return done.returncode


@pytest.fixture(scope="module")
def tree(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was stored: 400 small files, a large one, links, an empty folder."""
    top = tmp_path_factory.mktemp("from") / "tree"
    for index in range(400):
        path = top / f"d{index % 17}" / f"f{index}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(index % 700))
        os.utime(path, ns=(index, 10**18 + index))
    (top / "large.bin").write_bytes(os.urandom(6 * MIB + 1))
    (top / "large.bin").chmod(0o640)
    (top / "d1" / "up").symlink_to("../large.bin")
    (top / "away").symlink_to("/etc")
    (top / "void").mkdir(mode=0o750)
    run_well(network.ann, "put", "-r", str(top))
    return top


@pytest.fixture(scope="module")
def large(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 24 MiB and a bit that was stored under its own name."""
    path = tmp_path_factory.mktemp("large") / "large-alone.bin"
    path.write_bytes(os.urandom(24 * MIB + 17))
    run_well(network.ann, "put", str(path))
    return path


def test_a_folder_comes_back_as_it_was_and_a_repeat_finds_it_unchanged(
    network: Network, tree: Path, tmp_path: Path
) -> None:
    expected = {name: facts for name, facts in tree_of(tree).items() if name != "away"}
    first = run(network.ann, "get", "-r", "tree", "-o", str(tmp_path / "out"))
    assert first.code == 1, first.stderr
    lines = {line["key"]: line for line in first.documents}
    assert lines.keys() == {f"tree/{name}" for name in tree_of(tree)}
    assert lines.pop("tree/away")["error"]["kind"] == "refused"
    assert "/etc" in first.stderr
    line = lines["tree/large.bin"]
    assert line["path"] == str(tmp_path / "out" / "tree" / "large.bin")
    assert {*line} >= {"key", "path", "size", "media_type", "seconds"}
    assert (line["size"], line["kind"]) == (6 * MIB + 1, "file")
    assert (lines["tree/d1/up"]["kind"], lines["tree/void"]["kind"]) == ("link", "folder")
    assert tree_of(tmp_path / "out" / "tree") == expected
    again = run(network.ann, "get", "-r", "tree/", "-o", str(tmp_path / "out"))
    assert again.code == 1
    assert all(line["unchanged"] for line in again.documents if "error" not in line)
    assert len(again.documents) == len(first.documents)


def test_a_folder_within_comes_without_those_above(network: Network, tree: Path, tmp_path: Path) -> None:
    outcome = run_well(network.ann, "get", "-r", "tree/d3", "-o", str(tmp_path))
    assert tree_of(tmp_path / "d3") == tree_of(tree / "d3")
    assert len(outcome.documents) == len(list((tree / "d3").iterdir()))
    run_well(network.ann, "get", "-r", "tree/d3/f3.txt", "-o", str(tmp_path))
    assert (tmp_path / "f3.txt").read_bytes() == (tree / "d3" / "f3.txt").read_bytes()


def test_people_see_what_is_new_and_a_summary(network: Network, tree: Path, tmp_path: Path) -> None:
    words = [word for word in command(network.ann, "get", "-r", "tree/d4") if word != "--json"]
    said = [subprocess.run(words, cwd=tmp_path, capture_output=True, check=True, text=True).stdout for _ in range(2)]
    count = len(list((tree / "d4").iterdir()))
    assert said[0].count("\n") == count + 1 and f"{count} new" in said[0].splitlines()[-1]
    assert said[1].count("\n") == 1 and f"{count} unchanged" in said[1]
    assert tree_of(tmp_path / "d4") == tree_of(tree / "d4")


def test_another_file_in_place_is_refused_and_the_rest_comes(network: Network, tree: Path, tmp_path: Path) -> None:
    mine = tmp_path / "d5" / "f5.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    outcome = run(network.ann, "get", "-r", "tree/d5", "-o", str(tmp_path))
    assert outcome.code == 1
    [refused] = [line for line in outcome.documents if "error" in line]
    assert (refused["key"], refused["error"]["kind"]) == ("tree/d5/f5.txt", "refused")
    assert mine.read_text() == "mine"
    failed(run(network.ann, "get", "-r", "tree/d5/f5.txt", "-o", str(mine.parent)), 7, "refused")
    run_well(network.ann, "get", "-r", "tree/d5", "-o", str(tmp_path), "--force")
    assert tree_of(tmp_path / "d5") == tree_of(tree / "d5")


@pytest.mark.parametrize(
    "words",
    [
        ("-r",),
        ("-r", "/tree"),
        ("-r", "tree", "--range", "0-1"),
        ("-r", "tree", "--version", "1"),
        ("-r", "tree", "-o", "-"),
        ("-r", "--cap-file", "x"),
        ("file", "--range", "2-1", "-o", "x"),
        ("file", "-o", ""),
        ("-r", "tree", "-o", ""),
        ("file", "-o", "/dev/stdout", "--json"),
        ("file", "-o", "/dev/fd/1", "--json"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_told_before_anything_is_done(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["get", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (("-r", "no/such/folder"), 3, "not_found"),
        (("-r", "tre"), 3, "not_found"),
        (("tree/large.bin", "--range", "99999999-", "-o", "x"), 2, "usage"),
        (("tree",), 3, "not_found"),
        (("tree/d1/up", "-o", "x"), 7, "refused"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_fetched_leaves_nothing(
    network: Network,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    kind: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    failed(run(network.ann, "get", *words), code, kind)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_not_taken_for_a_file_and_the_hint_says_how(network: Network, tree: Path) -> None:
    assert "get -r tree" in run(network.ann, "get", "tree").last["error"]["hint"]
    assert "get -r" in run(network.ann, "get", "tree/void").last["error"]["hint"]


# --- ranges


@pytest.mark.parametrize(
    ("typed", "start", "stop"),
    [
        ("0-0", 0, 1),
        ("1048575-1048576", MIB - 1, MIB + 1),
        ("25165830-", 24 * MIB + 6, None),
        ("-5", -5, None),
        ("3000000-99999999999", 3_000_000, None),
    ],
)
def test_a_range_is_those_bytes(
    network: Network, large: Path, tmp_path: Path, typed: str, start: int, stop: int | None
) -> None:
    expected = large.read_bytes()[start:stop]
    told = run_well(network.ann, "get", large.name, "--range", typed, "-o", str(tmp_path / "part")).last
    assert (tmp_path / "part").read_bytes() == expected
    assert (told["size"], told["path"]) == (len(expected), str(tmp_path / "part"))
    words = [word for word in command(network.ann, "get", large.name, "--range", typed, "-o", "-") if word != "--json"]
    assert subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout == expected
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_range_spoils_no_part_file_of_the_whole(network: Network, large: Path, tmp_path: Path) -> None:
    target = tmp_path / "back"
    assert run_killed(network, ["get", large.name, "-o", str(target)], size=3 * MIB) == -signal.SIGKILL
    [part] = tmp_path.iterdir()
    size = part.stat().st_size
    run_well(network.ann, "get", large.name, "--range", "0-9", "-o", str(target))
    assert target.read_bytes() == large.read_bytes()[:10]
    assert part.stat().st_size == size


def test_a_range_has_the_files_own_name_where_no_other_is_given(network: Network, large: Path, tmp_path: Path) -> None:
    told = run_well(network.ann, "get", large.name, "--range", "-10", "-o", str(tmp_path)).last
    assert (told["path"], told["size"]) == (str(tmp_path / large.name), 10)
    assert (tmp_path / large.name).read_bytes() == large.read_bytes()[-10:]
    failed(run(network.ann, "get", large.name, "-o", str(tmp_path)), 7, "refused")


# --- versions


def test_an_older_version_is_fetched_by_its_number(network: Network, tmp_path: Path) -> None:
    source = tmp_path / "versioned.txt"
    for text in ("one", "two"):
        source.write_text(text)
        run_well(network.ann, "put", str(source), "--new-version")
    words = ("get", source.name, "-o")
    run_well(network.ann, *words, str(tmp_path / "1"), "--version", "1")
    run_well(network.ann, *words, str(tmp_path / "2"))
    assert ((tmp_path / "1").read_text(), (tmp_path / "2").read_text()) == ("one", "two")
    failed(run(network.ann, *words, str(tmp_path / "3"), "--version", "3"), 3, "not_found")
    cap = run_well(network.ann, "ls", source.name).last["cap"]
    failed(run(network.ann, "get", cap, "-o", str(tmp_path / "3"), "--version", "1"), 2, "usage")


# --- interrupted


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_an_interrupted_get_is_taken_up(network: Network, large: Path, tmp_path: Path, number: int) -> None:
    target = tmp_path / "back"
    code = run_killed(network, ["get", large.name, "-o", str(target)], size=9 * MIB, number=number)
    assert code == (130 if number == signal.SIGINT else -number)
    [part] = tmp_path.iterdir()
    inode, size = part.stat().st_ino, part.stat().st_size
    assert size >= 9 * MIB
    # Another MiB is written, and killed: behind what is there, since the part file has grown by that.
    code = run_killed(network, ["get", large.name, "-o", str(target)], size=MIB)
    assert (code, part.stat().st_ino) == (-signal.SIGKILL, inode)
    assert size // MIB * MIB + MIB <= part.stat().st_size
    run_well(network.ann, "get", large.name, "-o", str(target))
    assert (target.read_bytes() == large.read_bytes(), target.stat().st_ino) == (True, inode)
    assert [path.name for path in tmp_path.iterdir()] == ["back"]


@pytest.mark.parametrize(("number", "batches"), [(signal.SIGKILL, 1), (signal.SIGKILL, 4), (signal.SIGINT, 4)])
def test_an_interrupted_get_of_a_folder_is_taken_up(
    network: Network, tree: Path, tmp_path: Path, number: int, batches: int
) -> None:
    words = ["get", "-r", "tree", "-o", str(tmp_path)]
    code = run_killed(network, words, batches=batches, number=number)
    assert code == (130 if number == signal.SIGINT else -number)
    there = {path for path in tmp_path.rglob("*") if path.is_file() and not path.name.endswith(".capsa-part")}
    outcome = run(network.ann, *words)
    assert [line["key"] for line in outcome.documents if "error" in line] == ["tree/away"]
    unchanged = {Path(line["path"]) for line in outcome.documents if line.get("unchanged")}
    assert unchanged == there
    expected = {name: facts for name, facts in tree_of(tree).items() if name != "away"}
    assert tree_of(tmp_path / "tree") == expected


# --- where bytes only flow


def test_bytes_flow_into_what_is_no_file(network: Network, large: Path, tmp_path: Path) -> None:
    words = [word for word in command(network.ann, "get", large.name, "--force", "-o") if word != "--json"]
    stdout = tmp_path / "stdout"
    with stdout.open("wb") as file:
        done = subprocess.run([*words, "/dev/stdout", "-q"], stdout=file, check=True, stderr=subprocess.PIPE)
    assert stdout.read_bytes()[: 24 * MIB + 17] == large.read_bytes()
    assert (Path("/dev/stdout").is_symlink(), done.stderr) == (True, b"")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    came: list[bytes] = []
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as end:
        os.set_blocking(end.fileno(), True)
        held = os.open(pipe, os.O_WRONLY)  # no end of file before the command has opened it
        reading = threading.Thread(target=lambda: came.append(end.read()))
        reading.start()
        run_well(network.ann, "get", large.name, "-o", str(pipe))
        os.close(held)
        reading.join()
    assert came == [large.read_bytes()]
    failed(run(network.ann, "get", large.name, "-o", str(pipe)), 1, "failed")
    assert pipe.is_fifo()
    run_well(network.ann, "get", large.name, "-o", "/dev/null", "--force")
    assert Path("/dev/null").is_char_device()
    assert sys.platform != "linux" or run(network.ann, "get", large.name, "-o", "/dev/full").code == 8
