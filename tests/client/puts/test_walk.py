"""The walk over real folders: what it finds, under which keys, and what it says of the rest."""

from __future__ import annotations

import os
import shutil
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capsa.client.puts.ignore import NO_RULES, Rules
from capsa.client.puts.jobs import Job, Stored
from capsa.client.puts.stamps import Stamp
from capsa.client.puts.walk import Found, Skipped, folder_id, walk
from capsa.core.names import folders_of
from capsa.core.pages import Kind
from capsa.errors import CapsaError, ChangedError, NotFoundError, RefusedError, UsageError

NFC = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
NFD = "cafe\N{COMBINING ACUTE ACCENT}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty folder, to be filled."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


def fill(tree: Path, *names: str) -> None:
    """Files with their own names in them; empty folders where a name ends with a slash."""
    for name in names:
        path = tree / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)


def found(tree: Path, rules: Rules = NO_RULES, prefix: str = "t") -> dict[str, str]:
    """What the walk says of each key: a kind of source, why it is skipped, or a kind of error."""
    said: dict[str, str] = {}
    for line in walk(str(tree), prefix, rules):
        assert line.key not in said
        said[line.key] = _said_of(line)
    return said


def _said_of(line: Found) -> str:
    if isinstance(line, Skipped):
        return f"skipped {line.what}"
    if isinstance(line, Job):
        source = line.open()
        source.close()
        return source.kind.name.lower()
    assert line.error is not None
    return line.error.kind


def jobs(tree: Path, prefix: str = "t") -> dict[str, Job]:
    return {line.key: line for line in walk(str(tree), prefix) if isinstance(line, Job)}


def errors(tree: Path) -> dict[str, CapsaError]:
    lines = walk(str(tree), "t")
    return {line.key: line.error for line in lines if isinstance(line, Stored) and line.error is not None}


# --- keys


def test_files_come_under_their_paths_in_the_order_of_their_keys(tree: Path) -> None:
    fill(tree, "b", "a/x", "a/y/z", "a.txt", "a-b", "a0", "é", "z")
    keys = list(found(tree))
    assert keys == ["t/a-b", "t/a.txt", "t/a/x", "t/a/y/z", "t/a0", "t/b", "t/z", "t/é"]
    assert keys == sorted(keys)


@pytest.mark.parametrize(("prefix", "key"), [("", "a/x"), ("trip", "trip/a/x"), ("my/trip", "my/trip/a/x")])
def test_keys_begin_with_the_prefix(tree: Path, prefix: str, key: str) -> None:
    fill(tree, "a/x")
    assert found(tree, prefix=prefix) == {key: "file"}
    assert found(tree, Rules.of(["/a/x"]), prefix) == {key.removesuffix("/x"): "folder"}


@pytest.mark.parametrize(
    "name",
    [
        *("n" * 255, "é" * 127, "\N{GRINNING FACE}" * 63, "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe"),
        *("-rf", "CON", "a:b", "dot.", "space ", " ", "...", "a\\b", "*"),
    ],
)
def test_odd_names_that_are_text_are_stored(tree: Path, name: str) -> None:
    fill(tree, name)
    assert found(tree) == {f"t/{name}": "file"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"caf\xe9", "t/caf\\xe9"),
        (b"a\nb", "t/a\nb"),
        (b"tab\t", "t/tab\t"),
        (b"\x7f", "t/\x7f"),
        (b"\xed\xa0\x80", "t/\\xed\\xa0\\x80"),
    ],
)
@pytest.mark.parametrize("is_folder", [False, True])
def test_names_that_cannot_be_keys_are_told_and_the_rest_is_stored(
    tree: Path, name: bytes, key: str, is_folder: bool
) -> None:
    path = tree / os.fsdecode(name)
    if is_folder:
        fill(path, "inside")
    else:
        path.write_text("x")
    fill(tree, "good")
    assert found(tree) == {key: "usage", "t/good": "file"}
    key.encode()


def test_keys_that_are_too_long_are_told_once_a_folder(tree: Path) -> None:
    deep = tree
    for _ in range(4):
        deep = deep / ("d" * 250)
    fill(deep, "short", "l" * 30, "e/f")
    (deep / ("g" * 30)).mkdir()
    assert [said for key, said in found(tree).items() if len(key) > 1024] == ["usage", "usage"]
    assert sorted(len(key) for key, said in found(tree).items() if said == "file") == [1009, 1011]


@pytest.fixture
def deep(tree: Path) -> Iterator[Path]:
    """A thousand folders in each other, a file in each."""
    descriptor = os.open(tree, os.O_RDONLY)
    for _ in range(1000):
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    yield tree
    while (tree / "d").exists():  # level by level from the top: what pytest would remove it with is recursive
        (tree / "d").rename(tree / "old")
        if (tree / "old" / "d").exists():
            (tree / "old" / "d").rename(tree / "d")
        shutil.rmtree(tree / "old")


def test_a_tree_of_a_thousand_levels_is_walked_as_far_as_keys_reach(deep: Path) -> None:
    said = found(deep)
    assert [key for key, what in said.items() if what == "usage"] == [f"t/{'d/' * 511}d", f"t/{'d/' * 511}f"]
    assert sum(what == "file" for what in said.values()) == 511


# --- names that are one in normal form C


@pytest.mark.parametrize(
    ("stored", "other"),
    [(NFC, NFD), ("K", "\N{KELVIN SIGN}"), ("\u1ecd\u0302", "o\u0323\u0302")],
    ids=["composed", "ascii", "neither"],
)
@pytest.mark.parametrize("folders", [(False, False), (True, True), (False, True), (True, False)])
def test_of_names_that_clash_one_is_stored_and_the_other_told(
    tree: Path, stored: str, other: str, folders: tuple[bool, bool]
) -> None:
    if stored == "\u1ecd\u0302":  # neither is in normal form C: the first in order is stored
        stored, other = sorted((stored, other))
    for name, is_folder in zip((stored, other), folders, strict=True):
        fill(tree, f"{name}/in" if is_folder else name)
    said = {key: what for key, what in found(tree).items() if what == "refused"}
    assert said == {f"t/{other}": "refused"}
    [job] = jobs(tree).values()
    source = job.open()
    source.close()
    assert source.name == ("in" if folders[0] else stored)
    assert ascii(stored) in errors(tree)[f"t/{other}"].message
    assert ascii(other) in errors(tree)[f"t/{other}"].message


def test_a_name_in_another_form_is_stored_in_normal_form_c(tree: Path) -> None:
    fill(tree, f"{NFD}/{NFD}")
    [(key, job)] = jobs(tree).items()
    assert key == f"t/{NFC}/{NFC}"
    job.open().close()


def test_a_twin_that_is_excluded_or_skipped_does_not_clash(tree: Path) -> None:
    fill(tree, NFD, f"{NFC}/in")
    assert found(tree, Rules.of([f"{NFC}/"])) == {f"t/{NFC}": "file"}


# --- what is no file


def test_links_are_links_and_never_followed(tree: Path, tmp_path: Path) -> None:
    fill(tmp_path, "outside/secret")
    fill(tree, "file")
    targets = {"dangling": "nowhere", "absolute": str(tmp_path / "outside"), "up": "..", "loop": "loop", "in": "file"}
    for name, target in targets.items():
        (tree / name).symlink_to(target)
    said = found(tree)
    assert said == {f"t/{name}": "link" for name in targets} | {"t/file": "file"}
    links = {key: job.open() for key, job in jobs(tree).items() if said[key] == "link"}
    assert {key: source.link_target for key, source in links.items()} == {
        f"t/{name}": target for name, target in targets.items()
    }


def test_a_folder_that_is_named_by_a_link_is_followed(tree: Path, tmp_path: Path) -> None:
    fill(tree, "file")
    (tmp_path / "link").symlink_to(tree)
    assert found(tmp_path / "link") == {"t/file": "file"}


def test_special_files_are_skipped_and_named(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tree)  # a socket's path has to be short
        try:
            listener.bind("sock")
        finally:
            os.chdir(here)
    fill(tree, ".film.mkv.capsa-part", "good", "a.capsa-part")
    assert found(tree) == {
        "t/pipe": "skipped fifo",
        "t/sock": "skipped socket",
        "t/.film.mkv.capsa-part": "skipped part",
        "t/a.capsa-part": "file",
        "t/good": "file",
    }


def test_homes_are_skipped_whatever_they_are_called(tree: Path) -> None:
    fill(tree, "home/store/segments/1", "other/file")
    home = folder_id(tree / "home")
    assert home is not None
    (tree / "home").rename(tree / "other" / "renamed")
    said = {line.key: _said_of(line) for line in walk(str(tree), "t", homes={home})}
    assert said == {"t/other/renamed": "skipped home", "t/other/file": "file"}
    assert folder_id(tree / "home") is None


# --- empty folders


def test_empty_folders_are_kept_and_the_top_too(tree: Path) -> None:
    assert found(tree) == {"t": "folder"}
    assert found(tree, prefix="") == {}
    fill(tree, "full/file", "empty/", "nest/inner/")
    assert found(tree) == {"t/empty": "folder", "t/full/file": "file", "t/nest/inner": "folder"}


def test_a_folder_with_nothing_but_what_is_left_out_is_kept_as_an_empty_one(tree: Path) -> None:
    fill(tree, "a/x.o", "a/y.o", "b/c/z.o")
    os.mkfifo(tree / "b" / "pipe")
    (tree / "d").mkdir()
    os.mkfifo(tree / "d" / "pipe")
    assert found(tree, Rules.of(["*.o"])) == {
        "t/a": "folder",
        "t/b/pipe": "skipped fifo",
        "t/b/c": "folder",
        "t/d": "folder",
        "t/d/pipe": "skipped fifo",
    }


def test_a_folder_with_nothing_but_what_fails_is_not_taken_for_an_empty_one(tree: Path) -> None:
    (tree / "bad\n").write_text("x")
    assert found(tree) == {"t/bad\n": "usage"}


def test_an_empty_folder_has_the_mode_and_time_it_had(tree: Path) -> None:
    fill(tree, "empty/")
    (tree / "empty").chmod(0o750)
    os.utime(tree / "empty", ns=(7, 7))
    source = jobs(tree)["t/empty"].open()
    assert (source.kind, source.mode, source.mtime_ns) == (Kind.FOLDER, 0o750, 7)


# --- stamps


def test_files_have_the_stamp_that_they_have_when_opened(tree: Path) -> None:
    fill(tree, "file")
    os.utime(tree / "file", ns=(1, 1_700_000_000_123_456_789))
    [job] = jobs(tree).values()
    found = (tree / "file").stat()
    assert job.stamp == Stamp(4, 1_700_000_000_123_456_789, found.st_ino, found.st_dev)
    assert job.size == 4
    source = job.open()
    assert source.stamp == job.stamp
    source.close()


# --- exclusions


def test_excluded_folders_are_not_entered(tree: Path) -> None:
    fill(tree, "keep/x", "skip/bad", "skip/deep/y")
    (tree / "skip" / "bad\n").write_text("would be told")
    (tree / "skip" / ".capsaignore").write_text("!*\n[z-a]\n")
    assert found(tree, Rules.of(["skip/"])) == {"t/keep/x": "file"}


def test_the_files_of_a_tree_say_what_is_left_out(tree: Path) -> None:
    fill(tree, "a.log", "a/b.log", "a/keep.log", "a/b/c.log", "top", "a/top", "a/b/top", "build/x", "a/build/x")
    (tree / ".capsaignore").write_text("*.log\n/top\nbuild/\n")
    (tree / "a" / ".capsaignore").write_text("!keep.log\n/top\n!build/\n")
    (tree / "a" / "b" / ".capsaignore").write_text("!*.log\n")
    assert set(found(tree)) == {
        "t/.capsaignore",
        "t/a/.capsaignore",
        "t/a/b/.capsaignore",
        "t/a/keep.log",
        "t/a/b/c.log",
        "t/a/b/top",
        "t/a/build/x",
    }
    assert "t/a/keep.log" not in found(tree, Rules.of(["*.log"]))


def _bad_pattern(path: Path) -> None:
    path.write_text("*.o\n[z-a]\n")


def _too_long(path: Path) -> None:
    path.write_bytes(b"x\n" * 40_000)


def _not_text(path: Path) -> None:
    path.write_bytes(b"caf\xe9\n")


def _link(path: Path) -> None:
    path.symlink_to("secret")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [_bad_pattern, _too_long, _not_text, _link, _pipe])
def test_nothing_is_stored_of_a_folder_whose_exclusions_cannot_be_told(
    tree: Path, make: Callable[[Path], None]
) -> None:
    fill(tree, "a/secret", "a/b/secret", "c/x")
    make(tree / "a" / ".capsaignore")
    assert set(found(tree)) == {"t/a", "t/c/x"}
    [error] = errors(tree).values()
    assert ".capsaignore" in error.message


# --- what changes meanwhile


def _step_to(lines: Iterator[Found], key: str) -> Job:
    for line in lines:
        if line.key == key:
            assert isinstance(line, Job)
            return line
    raise AssertionError(f"the walk found no {key}")


def test_a_file_that_vanishes_after_it_was_listed_fails_alone(tree: Path) -> None:
    fill(tree, "a", "b", "c")
    lines = walk(str(tree), "t")
    _step_to(lines, "t/a")
    (tree / "b").unlink()
    with pytest.raises(NotFoundError):
        _step_to(lines, "t/b").open()
    _step_to(lines, "t/c").open().close()


def test_a_file_that_becomes_a_link_is_not_followed(tree: Path, tmp_path: Path) -> None:
    fill(tmp_path, "secret")
    fill(tree, "a")
    [job] = jobs(tree).values()
    (tree / "a").unlink()
    (tree / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(RefusedError):
        job.open()


def test_a_link_that_becomes_a_file_fails(tree: Path) -> None:
    (tree / "a").symlink_to("b")
    [job] = jobs(tree).values()
    (tree / "a").unlink()
    fill(tree, "a")
    with pytest.raises(ChangedError):
        job.open()


def _rename(tree: Path) -> None:
    (tree / "b").rename(tree / "z")


def _replace_by_link(tree: Path) -> None:
    _rename(tree)
    (tree / "b").symlink_to("z")


def _replace_by_pipe(tree: Path) -> None:
    _rename(tree)
    os.mkfifo(tree / "b")


@pytest.mark.parametrize("change", [_rename, _replace_by_link, _replace_by_pipe])
def test_a_folder_that_is_no_more_is_one_failure(tree: Path, change: Callable[[Path], None]) -> None:
    fill(tree, "a", "b/x", "b/y", "c")
    lines = walk(str(tree), "t")
    _step_to(lines, "t/a")
    change(tree)
    said = {line.key: _said_of(line) for line in lines}
    assert said == {"t/b": "not_found", "t/c": "file"}


def test_a_folder_that_is_renamed_while_it_is_walked_gives_failures(tree: Path) -> None:
    fill(tree, "a/b/x", "a/c/y", "a/d")
    lines = walk(str(tree), "t")
    _step_to(lines, "t/a/b/x")
    (tree / "a").rename(tree / "z")
    assert isinstance(next(lines), Stored)
    with pytest.raises(NotFoundError):
        _step_to(lines, "t/a/d").open()


def test_a_top_that_cannot_be_listed_is_one_failure(tree: Path) -> None:
    fill(tree, "file")
    assert found(tree / "file") == {"t": "not_found"}
    assert found(tree / "absent") == {"t": "not_found"}


def test_a_folder_that_cannot_be_listed_is_one_failure(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tree, "a/x", "b/y")
    really = os.open

    def closed(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path) == str(tree / "a"):
            raise PermissionError(13, "Permission denied")
        return really(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", closed)  # permission bits do not bind whoever runs the tests as root
    assert found(tree) == {"t/a": "refused", "t/b/y": "file"}
    [error] = errors(tree).values()
    assert isinstance(error, RefusedError)
    assert "cannot be listed: Permission denied" in error.message


class Broken:
    """A listing whose only entry is on a bad sector."""

    name = "bad"

    def __enter__(self) -> Iterator[Broken]:
        return iter([self])

    def __exit__(self, *_: object) -> None:
        """Nothing to let go."""

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        raise OSError(5, "Input/output error")


def test_what_cannot_be_looked_at_is_a_failure_and_leaves_no_empty_folder(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "scandir", lambda _: Broken())
    assert found(tree) == {"t/bad": "failed"}


def test_names_that_are_too_long_have_a_hint_that_helps(tree: Path) -> None:
    (tree / "bad\n").write_text("x")
    [error] = errors(tree).values()
    assert isinstance(error, UsageError)
    assert "exclude" in error.hint


# --- memory


def test_only_the_listings_on_the_way_down_are_held(tree: Path) -> None:
    for folder in range(20):
        fill(tree, *(f"{folder:02}/{'n' * 60}{number:04}" for number in range(100)))
    lines = walk(str(tree), "t")
    next(lines)
    tracemalloc.start()
    try:
        held = 0
        for line in lines:
            assert list(folders_of(line.key))
            held = max(held, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held < 150_000  # two listings of a hundred
