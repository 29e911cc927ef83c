"""`put` with folders: keys, what is told of each file and of all, repeats, and what goes wrong for one of many."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from capsa.client.puts import walk
from capsa.client.puts.sources import FileSource
from capsa.errors import from_os_error
from capsa.faces.cli import main
from capsa.faces.cli.demo.processes import command, run, run_well
from tests.faces.cli.networks import Network

LONG_AGO_NS = 1_600_000_000_123_456_789
PLENTY = 8 * 2**30
"""More bytes than are put while a test looks on."""


class Capsa:
    """Runs commands in this process, in the home of a network's only member, who wants no other copies."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys
        self.stderr = ""

    def text(self, *words: str) -> tuple[int, list[str]]:
        """The exit code, and the lines on stdout."""
        code = main(["--home", str(self.home), *words])
        out, self.stderr = self._capsys.readouterr()
        return code, out.splitlines()

    def __call__(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, and the documents on stdout."""
        code, lines = self.text("--json", *words)
        return code, [json.loads(line) for line in lines]

    def keys(self, *words: str) -> list[str]:
        """The keys that a put would store, all well."""
        code, lines = self("put", "--dry-run", *words)
        assert code == 0
        return [line["key"] for line in lines]


@pytest.fixture
def capsa(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Capsa:
    capsa = Capsa(tmp_path / "home", capsys)
    assert capsa("init", "--copies", "0", "--no-passphrase")[0] == 0
    return capsa


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two files, where the commands run."""
    path = tmp_path / "here" / "photos"
    fill(path, "1.jpg", "sea/2.jpg")
    monkeypatch.chdir(path.parent)
    return path


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} of {folder.name}")
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def by_key(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({line["key"] for line in lines}) == len(lines)
    return {line["key"]: line for line in lines}


# --- keys


@pytest.mark.parametrize(
    ("argument", "keys"),
    [
        ("photos", ["photos/1.jpg", "photos/sea/2.jpg"]),
        ("photos/", ["photos/1.jpg", "photos/sea/2.jpg"]),
        ("./photos/sea", ["sea/2.jpg"]),
        (".", ["photos/1.jpg", "photos/sea/2.jpg"]),
        ("photos/sea/..", ["photos/1.jpg", "photos/sea/2.jpg"]),
        ("photos/..", ["here/photos/1.jpg", "here/photos/sea/2.jpg"]),
        ("photos/1.jpg", ["1.jpg"]),
    ],
)
def test_keys_are_relative_to_the_arguments_parent(capsa: Capsa, photos: Path, argument: str, keys: list[str]) -> None:
    assert capsa.keys("-r", argument) == keys
    assert capsa.keys("-r", str(photos.parent / argument)) == (keys if argument != "." else [f"here/{k}" for k in keys])


def test_a_link_that_is_named_is_followed_and_gives_the_name(capsa: Capsa, photos: Path) -> None:
    Path("album").symlink_to("photos")
    Path("one").symlink_to("photos/1.jpg")
    assert capsa.keys("-r", "album", "one") == ["album/1.jpg", "album/sea/2.jpg", "one"]


def test_as_is_a_prefix_for_a_folder_and_a_key_for_a_file(capsa: Capsa, photos: Path) -> None:
    assert capsa.keys("-r", "photos", "--as", "my/trip") == ["my/trip/1.jpg", "my/trip/sea/2.jpg"]
    assert capsa.keys("-r", "photos/1.jpg", "--as", "my/trip") == ["my/trip"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["photos"], "-r"),
        (["photos/1.jpg", "--exclude", "x"], "-r"),
        (["-r", "photos", "photos/1.jpg", "--as", "x"], "--as"),
        (["-r", "photos", "--as", "x/../y"], "x/../y"),
        (["-r", "photos", "--exclude", "[z-a]"], "[z-a]"),
        (["-r", "-"], "--as"),
        (["photos/1.jpg", ""], "empty path"),
        (["-r", ""], "empty path"),
    ],
)
def test_what_cannot_be_understood_stores_nothing(capsa: Capsa, photos: Path, words: list[str], named: str) -> None:
    code, [told] = capsa("put", *words)
    assert (code, told["error"]["kind"]) == (2, "usage")
    assert named in capsa.stderr
    assert capsa("ls") == (0, [])


# --- what is told


def test_each_file_has_a_line_and_a_repeat_reads_none_of_them(
    capsa: Capsa, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "empty").mkdir()
    (photos / "link").symlink_to("/etc/passwd")
    os.mkfifo(photos / "pipe")
    code, lines = capsa("put", "-r", "photos")
    told = by_key(lines)
    assert code == 0
    assert told.pop("photos/pipe") == {"key": "photos/pipe", "skipped": "fifo"}
    assert set(told) == {"photos/1.jpg", "photos/empty", "photos/link", "photos/sea/2.jpg"}
    for line in told.values():
        assert {*line} == {"key", "cap", "size", "blocks", "new_bytes", "unchanged", "copies", "seconds"}
        assert (line["unchanged"], line["copies"]) == (False, {"durable": 1, "wanted": 1})

    opened: list[Path] = []

    class Watched(FileSource):
        def __init__(self, path: Path, *, follow: bool = True) -> None:
            opened.append(path)
            super().__init__(path, follow=follow)

    monkeypatch.setattr(walk, "FileSource", Watched)
    code, lines = capsa("put", "-r", "photos")
    again = by_key(lines)
    assert code == 0
    assert opened == []
    for key, line in told.items():
        assert (again[key]["unchanged"], again[key]["new_bytes"], again[key]["cap"]) == (True, 0, line["cap"])
    assert again["photos/1.jpg"]["seconds"] == 0.0
    assert capsa("put", "-r", "photos", "--reread")[0] == 0
    assert len(opened) == 2


def test_as_text_what_is_unchanged_is_only_counted(capsa: Capsa, photos: Path) -> None:
    os.mkfifo(photos / "pipe")
    code, lines = capsa.text("put", "-r", "photos")
    assert code == 0
    assert [line.partition(":")[0] for line in lines] == ["photos/1.jpg", "photos/sea/2.jpg", "2 files"]
    assert re.fullmatch(r"2 files: 2 new, 1 skipped; 34 B in \d+\.\d s, 1 copy", lines[-1])
    assert lines[0] == "photos/1.jpg: 15 B, 1 copy", "the seconds are those of all"
    assert capsa.stderr == "photos/pipe: skipped, a fifo\n"
    fill(photos, "3.jpg")
    (photos / "a\nb").write_text("x")
    code, lines = capsa.text("put", "-r", "photos")
    assert code == 1
    assert [line.partition(":")[0] for line in lines] == ["photos/3.jpg", "4 files"]
    assert re.fullmatch(r"4 files: 1 new, 1 failed, 2 unchanged, 1 skipped; 15 B in \d+\.\d s, 1 copy", lines[-1])
    assert "photos/a\\x0ab: " in capsa.stderr
    assert capsa.text("put", "-r", "photos", "--quiet") == (1, [])
    (photos / "a\nb").unlink()
    (photos / ".x.capsa-part").touch()
    assert capsa.text("put", "-r", "photos") == (0, ["3 files: 3 unchanged, 2 skipped; 1 copy"])
    assert "photos/.x.capsa-part: skipped, what an unfinished get left\n" in capsa.stderr


def test_without_r_each_file_is_told_of(capsa: Capsa, photos: Path) -> None:
    for what in ("B in", "unchanged, "):
        code, lines = capsa.text("put", "photos/1.jpg", "photos/sea/2.jpg")
        assert code == 0
        assert [line.partition(":")[0] for line in lines] == ["1.jpg", "2.jpg"]
        assert all(what in line for line in lines)


@pytest.mark.parametrize(("words", "later"), [([], "'capsa up' will complete"), (["--no-wait"], "'capsa up' will")])
def test_missing_copies_are_exit_code_4_and_told_once(capsa: Capsa, photos: Path, words: list[str], later: str) -> None:
    code, lines = capsa.text("put", "-r", "photos", "--copies", "2", *words)
    assert code == 4
    assert [later in line for line in lines] == [False, False, True]
    assert lines[-1].startswith("2 files: 2 new; ")
    assert " s, 1 of 3 copies; " in lines[-1]
    code, documents = capsa("put", "-r", "photos", "--copies", "2", *words)
    assert code == 4
    assert {line["copies"]["durable"] for line in documents} == {1}


def test_a_dry_run_tells_and_stores_nothing(capsa: Capsa, photos: Path) -> None:
    code, lines = capsa("put", "-r", "photos", "--dry-run")
    assert code == 0
    assert lines == [
        {"key": "photos/1.jpg", "size": len("1.jpg of photos"), "what": "new"},
        {"key": "photos/sea/2.jpg", "size": len("sea/2.jpg of photos"), "what": "new"},
    ]
    assert capsa("ls") == (0, [])
    capsa("put", "-r", "photos")
    (photos / "1.jpg").write_text("other")
    code, lines = capsa("put", "-r", "photos", "--dry-run")
    assert code == 1
    assert by_key(lines)["photos/1.jpg"]["error"]["kind"] == "refused"
    assert by_key(lines)["photos/sea/2.jpg"]["what"] == "unchanged"
    assert capsa("put", "photos/1.jpg", "--as", "photos/1.jpg", "--dry-run")[0] == 7
    code, told = capsa.text("put", "-r", "photos", "--dry-run", "--new-version")
    assert (code, told) == (0, ["photos/1.jpg: changed, 5 B", "2 files: 1 changed, 1 unchanged"])
    assert by_key(capsa("put", "-r", "photos", "--new-version")[1])["photos/1.jpg"]["unchanged"] is False


def test_a_private_put_shares_no_block(capsa: Capsa, photos: Path) -> None:
    _, [plain] = capsa("put", "photos/1.jpg", "--as", "plain")
    _, [twin] = capsa("put", "photos/1.jpg", "--as", "x/plain")
    _, [private] = capsa("put", "photos/1.jpg", "--as", "y/plain", "--private")
    assert plain["cap"] == twin["cap"] != private["cap"]


def test_exclusions_are_honoured(capsa: Capsa, photos: Path) -> None:
    fill(photos, "x.tmp", "sea/y.tmp", "raw/z.cr2")
    (photos / ".capsaignore").write_text("*.tmp\n")
    keys = ["photos/.capsaignore", "photos/1.jpg", "photos/sea/2.jpg"]
    assert capsa.keys("-r", "photos", "--exclude", "raw/") == keys
    assert capsa.keys("-r", "photos", "--exclude", "raw/", "--exclude", "!x.tmp") == [
        *keys[:2],
        keys[2],
        "photos/x.tmp",
    ]


def test_the_home_is_skipped_and_nothing_of_it_can_be_named(capsa: Capsa, photos: Path, tmp_path: Path) -> None:
    capsa.home.rename(photos / "home")
    capsa.home = photos / "home"
    code, lines = capsa("put", "-r", "photos")
    assert code == 0
    assert by_key(lines)["photos/home"] == {"key": "photos/home", "skipped": "home"}
    assert len(lines) == 3
    (tmp_path / "door").symlink_to(capsa.home / "store")
    for path in (capsa.home, capsa.home / "store", tmp_path / "door"):
        code, [told] = capsa("put", "-r", str(path))
        assert (code, told["error"]["kind"]) == (7, "refused")


# --- one bad file among others


class Unlucky(FileSource):
    """Files that are not what they were by the time they are opened or read; `times` counts by name."""

    times: dict[str, int]

    def __init__(self, path: Path, *, follow: bool = True) -> None:
        count = self.times[path.name] = self.times.get(path.name, 0) + 1
        if path.name == "closed":
            raise from_os_error(PermissionError(13, "Permission denied"), f"{path} cannot be read")
        if path.name == "gone":
            path.unlink()
        super().__init__(path, follow=follow)
        self._meanwhile = count if path.name == "busy" or (path.name == "settling" and count == 1) else 0

    def read_into(self, buffer: memoryview) -> int:
        if self._meanwhile:
            os.utime(self._path, ns=(self._meanwhile, self._meanwhile))
        return super().read_into(buffer)


@pytest.fixture
def unlucky(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    monkeypatch.setattr(Unlucky, "times", {}, raising=False)
    monkeypatch.setattr(walk, "FileSource", Unlucky)
    return Unlucky.times


def test_one_bad_file_does_not_stop_the_rest(capsa: Capsa, photos: Path, unlucky: dict[str, int]) -> None:
    fill(photos, "busy", "closed", "gone", "settling", "z")
    code, lines = capsa("put", "-r", "photos", "missing", "photos/1.jpg")
    told = by_key(lines)
    assert code == 1
    assert {key: line["error"]["kind"] for key, line in told.items() if "error" in line} == {
        "missing": "not_found",
        "photos/busy": "changed",
        "photos/closed": "refused",
        "photos/gone": "not_found",
    }
    assert set(told) - {"missing"} == {
        "1.jpg",
        *(f"photos/{name}" for name in ("1.jpg", "busy", "closed", "gone", "sea/2.jpg", "settling", "z")),
    }
    assert (unlucky["busy"], unlucky["settling"], unlucky["z"]) == (2, 2, 1)
    assert told["photos/settling"]["size"] == len("settling of photos")


def test_a_single_file_that_changes_is_read_again(capsa: Capsa, photos: Path, unlucky: dict[str, int]) -> None:
    fill(photos.parent / "one", "settling")
    assert capsa("put", "-r", "one")[0] == 0
    fill(photos.parent / "two", "busy")
    code, [told] = capsa("put", "-r", "two")
    assert (code, told["error"]["kind"]) == (1, "changed")
    assert unlucky == {"settling": 2, "busy": 2}


# --- real processes


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """As many files as are recorded together, and one after them that takes long."""
    tree = tmp_path / f"many-{tmp_path.name}"
    fill(tree, *(f"{number:04}" for number in range(1000)))
    with (tree / "z").open("wb") as file:
        file.truncate(PLENTY)
    return tree


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_repeat_takes_up_where_a_put_was_ended(network: Network, many: Path, end: signal.Signals) -> None:
    with subprocess.Popen(
        command(network.ann, "put", "-r", str(many)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        recorded = [json.loads(process.stdout.readline()) for _ in range(1000)]
        process.send_signal(end)
        rest = process.stdout.read().splitlines()
    assert [line["key"] for line in recorded] == [f"{many.name}/{number:04}" for number in range(1000)]
    if end is signal.SIGINT:
        assert process.returncode == 130
        assert [json.loads(line)["error"]["kind"] for line in rest] == ["interrupted"]
    os.truncate(many / "z", 5)
    again = by_key(run_well(network.ann, "put", "-r", str(many)).documents)
    assert [again[line["key"]]["cap"] for line in recorded] == [line["cap"] for line in recorded]
    assert {again[line["key"]]["unchanged"] for line in recorded} == {True}
    assert (again[f"{many.name}/z"]["unchanged"], again[f"{many.name}/z"]["size"]) == (False, 5)


def test_a_reader_that_goes_away_ends_a_put_without_noise(network: Network, many: Path) -> None:
    (many / "z").unlink()
    with subprocess.Popen(
        command(network.ann, "put", "-r", str(many)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_without_waiting_a_put_ends_before_its_copies_are_there(network: Network, tmp_path: Path) -> None:
    tree = tmp_path / f"quick-{tmp_path.name}"
    fill(tree, "a", "b")
    outcome = run(network.ann, "put", "-r", str(tree), "--no-wait")
    assert outcome.code == 4
    assert [line["copies"] for line in outcome.documents] == [{"durable": 1, "wanted": 3}] * 2
    for _ in range(60):
        if (outcome := run(network.ann, "put", "-r", str(tree), "--no-wait")).code == 0:
            break
    assert [line["copies"] for line in outcome.documents] == [{"durable": 3, "wanted": 3}] * 2


def test_stdin_can_be_put_with_r_too(network: Network, tmp_path: Path) -> None:
    told = run_well(network.ann, "put", "-r", "-", "--as", f"stdin/{tmp_path.name}", stdin=b"from a pipe").last
    assert told["size"] == len("from a pipe")
