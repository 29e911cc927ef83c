"""get -r: a tree comes back as it was; evil names, full disks and lost networks spoil nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsa.client.gets.parts import part_path
from capsa.client.gets.restore import BUDGET, WEIGHT_MIN, Restored
from capsa.core.ids import BlockId, Buffer
from capsa.core.pages import Kind
from capsa.errors import (
    IntegrityError,
    LostConnectionError,
    NoSpaceError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from tests.client.vault import MTIME_NS, Vault
from tests.node.network import SMALL, noise, write

LARGE = 40 * SMALL.chunk_size + 1000
NAMES = ("-rf", "CON", "a:b", "end.", " ", "é" * 127, "😀", "back\\slash", "x" * 255, "...", "_" + "%n$(x)`")


def tree_of(folder: Path) -> dict[str, object]:
    """What lies below a folder: bytes of files, targets of links, and which folders are empty."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name] = "folder"
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def a_tree(vault: Vault) -> dict[str, object]:
    vault.file("t/small", b"small", mode=0o600)
    vault.file("t/a/empty", b"")
    vault.file("t/a/large", noise(LARGE), mode=0o755)
    vault.file("t/a/b/inline", noise(SMALL.inline_max))
    vault.link("t/a/link", "../small")
    vault.link("t/dangling", "nothing/there")
    vault.folder("t/a/void")
    return {
        "small": b"small",
        "a/empty": b"",
        "a/large": noise(LARGE),
        "a/b/inline": noise(SMALL.inline_max),
        "a/link": ("link", "../small"),
        "dangling": ("link", "nothing/there"),
        "a/void": "folder",
    }


def failed(outcomes: dict[str, Restored]) -> dict[str, type[BaseException]]:
    return {key: type(outcome.error) for key, outcome in outcomes.items() if outcome.error is not None}


async def test_a_tree_comes_back_and_a_repeat_changes_nothing(tmp_path: Path) -> None:
    vault = Vault()
    expected = a_tree(vault)
    outcomes = await vault.restore(tmp_path / "not" / "there", "t")
    top = tmp_path / "not" / "there" / "t"
    assert tree_of(top) == expected
    assert {(outcome.error, outcome.unchanged) for outcome in outcomes.values()} == {(None, False)}
    assert [outcomes[f"t/{name}"].path for name in expected] == [top / name for name in expected]
    modes = {name: stat.S_IMODE((top / name).stat().st_mode) for name in ("small", "a/large", "a/void")}
    assert modes == {"small": 0o600, "a/large": 0o755, "a/void": 0o750}
    assert {(top / name).lstat().st_mtime_ns for name in expected} == {MTIME_NS}
    os.utime(top / "small", ns=(1, 1))
    vault.fetched = 0
    again = await vault.restore(tmp_path / "not" / "there", "t/")
    assert {(outcome.error, outcome.unchanged) for outcome in again.values()} == {(None, True)}
    assert tree_of(top) == expected
    assert (top / "small").stat().st_mtime_ns == MTIME_NS
    assert vault.fetched == 3  # of links and folders, the catalog does not say enough


async def test_thousands_of_small_files_come_back(tmp_path: Path) -> None:
    vault = Vault()
    contents = {f"d{index % 50}/{index}": noise(index % 200, str(index)) for index in range(2000)}
    for name, data in contents.items():
        vault.file(name, data)
    assert failed(await vault.restore(tmp_path)) == {}
    assert tree_of(tmp_path) == contents


@pytest.mark.parametrize("name", NAMES)
async def test_odd_names_come_back(tmp_path: Path, name: str) -> None:
    vault = Vault()
    vault.file(f"t/{name}/{name}", b"odd")
    assert failed(await vault.restore(tmp_path / "out")) == {}
    assert (tmp_path / "out" / "t" / name / name).read_bytes() == b"odd"


async def test_folders_may_be_as_deep_as_keys_allow(tmp_path: Path) -> None:
    vault = Vault()
    vault.file("a/" * 511 + "x", b"deep")
    assert failed(await vault.restore(tmp_path)) == {}
    assert failed(await vault.restore(tmp_path, overwrite=True)) == {}
    assert (tmp_path / ("a/" * 511 + "x")).read_bytes() == b"deep"


async def test_a_name_that_the_file_system_refuses_fails_alone(tmp_path: Path) -> None:
    vault = Vault()
    vault.file("x" * 256 + "/a", b"1")
    vault.file("y" * 256, b"2")
    vault.file(".z.capsa-part", b"3")
    vault.file("z", b"4")
    outcomes = await vault.restore(tmp_path)
    assert {*failed(outcomes)} == {"x" * 256 + "/a", "y" * 256, ".z.capsa-part"}
    assert tree_of(tmp_path) == {"z": b"4"}


async def test_setuid_bits_are_never_given(tmp_path: Path) -> None:
    vault = Vault()
    vault.file("a", b"1", mode=0o6755)
    await vault.restore(tmp_path)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


# --- what lies there already


async def test_another_file_in_place_is_refused_and_replaced_only_if_asked(tmp_path: Path) -> None:
    vault = Vault()
    vault.file("other", b"theirs")
    vault.file("longer", noise(LARGE))
    vault.file("new", b"new")
    vault.link("link", "new")
    before = {"other": b"mine!!", "longer": b"mine", "link": b"mine"}
    for name, data in before.items():
        write(tmp_path / name, data)
    outcomes = await vault.restore(tmp_path)
    assert failed(outcomes) == dict.fromkeys(before, RefusedError)
    assert tree_of(tmp_path) == {**before, "new": b"new"}
    outcomes = await vault.restore(tmp_path, overwrite=True)
    assert failed(outcomes) == {}
    assert tree_of(tmp_path) == {"other": b"theirs", "longer": noise(LARGE), "new": b"new", "link": ("link", "new")}


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_folder_or_a_pipe_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    vault = Vault()
    vault.file("folder", b"1")
    vault.file("pipe", b"2")
    vault.link("other", "folder")
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").mkdir()
    os.mkfifo(tmp_path / "pipe")
    outcomes = await vault.restore(tmp_path, overwrite=overwrite)
    assert failed(outcomes) == dict.fromkeys(("folder", "pipe", "other"), RefusedError)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and (tmp_path / "folder").is_dir()


async def test_a_folder_with_something_in_it_keeps_its_time(tmp_path: Path) -> None:
    vault = Vault()
    vault.folder("mine")
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine" / "x", b"x")
    os.utime(tmp_path / "mine", ns=(1, 1))
    outcomes = await vault.restore(tmp_path)
    assert outcomes["mine"].unchanged and (tmp_path / "mine").stat().st_mtime_ns == 1


async def test_a_name_in_other_letters_is_not_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that takes `A` and `a` for one: both lead to one file, and one of them is listed."""
    vault = Vault()
    vault.file("readme", b"same")
    write(tmp_path / "README", b"same")
    (tmp_path / "readme").hardlink_to(tmp_path / "README")
    assert failed(await vault.restore(tmp_path)) == {}
    scan = os.scandir

    def folding(folder: int) -> object:
        listed = [entry for entry in scan(folder) if entry.name != "readme"]

        class Listed:
            def __enter__(self) -> Iterator[os.DirEntry[str]]:
                return iter(listed)

            def __exit__(self, *error: object) -> None:
                """Nothing is open."""

        return Listed()

    monkeypatch.setattr(os, "scandir", folding)
    assert failed(await vault.restore(tmp_path)) == {"readme": RefusedError}


# --- attacks


@pytest.mark.parametrize("overwrite", [False, True])
async def test_nothing_goes_through_a_link_below_the_target(tmp_path: Path, overwrite: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write(outside / "precious", b"precious")
    real = tmp_path / "real"
    (real / "t").mkdir(parents=True)
    (tmp_path / "out").symlink_to(real)  # the target itself may be a link
    (real / "t" / "away").symlink_to(outside)
    (real / "t" / "precious").symlink_to(outside / "precious")
    vault = Vault()
    vault.file("t/away/precious", b"evil")
    vault.file("t/away/new", noise(LARGE))
    vault.file("t/away/deep/new", b"evil")
    vault.folder("t/away/folder")
    vault.link("t/away/link", "x")
    vault.folder("t/away")
    vault.file("t/precious", b"theirs")
    vault.file("t/good", b"good")
    outcomes = await vault.restore(tmp_path / "out", "t", overwrite=overwrite)
    assert tree_of(outside) == {"precious": b"precious"}
    expected = {version.key for version in vault.versions} - {"t/good"}
    assert {*failed(outcomes)} == expected - ({"t/precious"} if overwrite else set())
    assert (real / "t" / "good").read_bytes() == b"good"
    assert (real / "t" / "precious").is_symlink() is not overwrite


async def test_links_that_came_along_lead_nothing_astray(tmp_path: Path) -> None:
    """A catalog that has a link and, below it, files; links that lead out by way of others."""
    vault = Vault()
    vault.link("t/up", "..")
    vault.link("t/absolute", "/")
    vault.link("t/by-name", "down/../../x")
    vault.link("t/down", "sub")
    vault.link("t/sub/up", "..")
    vault.link("t/sub/chain", "up/..")
    vault.file("t/down/file", b"below what is a link, too")
    vault.file("t/sub/up/file", b"below what is a link, too")
    outcomes = await vault.restore(tmp_path, "t")
    refused = {"t/up", "t/absolute", "t/by-name", "t/sub/chain", "t/down", "t/sub/up"}
    assert failed(outcomes) == dict.fromkeys(refused, RefusedError)
    assert not [path for path in (tmp_path / "t").rglob("*") if path.is_symlink()]
    assert names_in(tmp_path) == ["t"]
    # And again, now that the files are not in the way of links that stay inside.
    vault.versions = [version for version in vault.versions if version.kind is Kind.LINK]
    other = tmp_path / "other"
    await vault.restore(other, "t")
    links = [path for path in other.rglob("*") if path.is_symlink()]
    assert {path.name for path in links} == {"down", "up"}
    assert all(path.resolve().is_relative_to(other / "t") for path in links)


async def test_a_file_of_another_kind_or_size_than_its_entry_is_refused(tmp_path: Path) -> None:
    vault = Vault()
    file, link = vault.file("file", b"1"), vault.link("link", "/etc")
    vault.versions = []
    for key, entry, like in (("a", link, file), ("b", file, link), ("c", file, vault.file("d", b"22"))):
        lie = {"key": key, "root": entry.root, "root_key": entry.root_key}
        vault.versions.append(type(like)(**{**{name: getattr(like, name) for name in like.__struct_fields__}, **lie}))
    outcomes = await vault.restore(tmp_path)
    assert failed(outcomes) == dict.fromkeys(("a", "b", "c"), IntegrityError)
    assert tree_of(tmp_path) == {"d": b"22"}


# --- what goes wrong on the way


async def test_a_lost_and_a_damaged_file_do_not_stop_the_rest(tmp_path: Path) -> None:
    vault = Vault()
    good = a_tree(vault)
    lost, damaged = vault.file("t/lost", b"lost"), vault.file("t/damaged", noise(LARGE, "damaged"))
    del vault.blocks[lost.cap.root]
    vault.blocks[damaged.cap.root] = bytes(len(vault.blocks[damaged.cap.root]))
    outcomes = await vault.restore(tmp_path, "t")
    assert failed(outcomes).keys() == {"t/lost", "t/damaged"}
    assert failed(outcomes)["t/lost"] is NotFoundError
    assert isinstance(outcomes["t/damaged"].error, IntegrityError)
    assert tree_of(tmp_path / "t") == good


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a disk with room for half a megabyte: a real one where that may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(words, capture_output=True, check=False).returncode == 0:
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
        return
    written, pwrite = 0, os.pwrite

    def full(descriptor: int, data: Buffer, offset: int) -> int:
        nonlocal written
        written += len(memoryview(data))
        if written > 512 * 1024:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    yield folder


async def test_a_full_disk_ends_all_at_once_and_keeps_what_is_whole(small_disk: Path) -> None:
    vault = Vault()
    contents = {f"f{index:04}": noise(2000, str(index)) for index in range(2000)}
    for key, data in contents.items():
        vault.file(key, data)
    told: list[Restored] = []
    with pytest.raises(NoSpaceError):
        await vault.restore(small_disk, heard=told.append)
    assert vault.fetched < 1500  # two blocks a file
    whole = {restored.version.key for restored in told if restored.error is None}
    assert len(whole) > 50
    assert all((small_disk / key).read_bytes() == contents[key] for key in whole)


async def test_a_file_that_cannot_fit_says_so_before_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault()
    vault.file("large", noise(LARGE))
    free = os.statvfs(tmp_path)
    full = os.statvfs_result((*free[:3], 0, 0, *free[5:]))
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: full)
    with pytest.raises(NoSpaceError):
        await vault.restore(tmp_path)
    assert vault.fetched == 1


class Silent(Vault):
    """A vault of which some blocks, or all after a while, are out of reach."""

    def __init__(self, silent: set[BlockId] | None = None, *, after: int | None = None) -> None:
        super().__init__()
        self.silent = silent or set()
        self.after = after

    async def on_fetch(self, block: BlockId) -> None:
        if block in self.silent or (self.after is not None and self.fetched >= self.after):
            raise UnreachableError("A block is on none of the nodes that answer.")


async def test_one_file_that_is_out_of_reach_does_not_stop_the_rest(tmp_path: Path) -> None:
    vault = Silent()
    good = a_tree(vault)
    vault.silent.add(vault.file("t/silent", b"silent").cap.root)
    outcomes = await vault.restore(tmp_path, "t")
    assert failed(outcomes) == {"t/silent": UnreachableError}
    assert tree_of(tmp_path / "t") == good


async def test_a_network_that_is_lost_ends_all_and_a_repeat_goes_on(tmp_path: Path) -> None:
    vault = Silent(after=60)
    contents = {f"f{index}": noise(LARGE, str(index)) for index in range(20)}
    for key, data in contents.items():
        vault.file(key, data)
    with pytest.raises(UnreachableError) as caught:
        await vault.restore(tmp_path)
    assert caught.value.retryable
    vault.after, vault.fetched = None, 0
    assert failed(await vault.restore(tmp_path)) == {}
    assert tree_of(tmp_path) == contents
    pages = sum(1 for block in vault.blocks) - 60
    assert vault.fetched <= pages + 20 * 8  # roots and inner pages are asked for again, chunks that came are not


async def test_a_node_that_stays_away_ends_all(tmp_path: Path) -> None:
    class Gone(Vault):
        async def on_fetch(self, block: BlockId) -> None:
            raise LostConnectionError("The home's node does not answer.")

    vault = Gone()
    for index in range(500):
        vault.file(f"f{index}", b"x")
    told: list[Restored] = []
    with pytest.raises(LostConnectionError):
        await vault.restore(tmp_path, heard=told.append)
    assert len(told) < 200


# --- taken up again


@pytest.mark.parametrize(("asked", "done"), [(1, 0), (30, 0), (90, 0), (300, 0), (0, 1), (0, 7), (0, 40)])
async def test_an_interrupted_restoring_is_taken_up(tmp_path: Path, asked: int, done: int) -> None:
    """Cancelled when so many blocks were asked for, or so many files done."""

    class Interrupting(Vault):
        calls = 0

        async def on_fetch(self, block: BlockId) -> None:
            self.calls += 1
            if self.calls == asked:
                running.cancel()

    vault = Interrupting()
    contents = {f"d{index % 5}/f{index}": noise(10 + 997 * index, str(index)) for index in range(60)}
    for key, data in contents.items():
        vault.file(key, data)
    told: list[str] = []

    def interrupt(restored: Restored) -> None:
        told.append(restored.version.key)
        if len(told) == done:
            running.cancel()

    running = asyncio.create_task(vault.restore(tmp_path, heard=interrupt))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert all((tmp_path / key).read_bytes() == contents[key] for key in told)
    outcomes = await vault.restore(tmp_path)
    assert failed(outcomes) == {}
    assert {key for key, outcome in outcomes.items() if outcome.unchanged} >= {*told}
    assert tree_of(tmp_path) == contents


async def test_a_second_name_that_a_crash_left_is_removed(tmp_path: Path) -> None:
    vault = Vault()
    version = vault.file("file", b"whole")
    await vault.restore(tmp_path)
    part_path(tmp_path / "file", version.cap.root).hardlink_to(tmp_path / "file")
    assert (await vault.restore(tmp_path))["file"].unchanged
    assert names_in(tmp_path) == ["file"]


async def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    vault = Vault()
    expected = a_tree(vault)
    await asyncio.gather(vault.restore(tmp_path, "t"), vault.restore(tmp_path, "t"))
    assert tree_of(tmp_path / "t") == expected or failed(await vault.restore(tmp_path, "t")) == {}
    assert tree_of(tmp_path / "t") == expected


async def test_many_are_on_their_way_at_once_but_no_more_than_fit(tmp_path: Path) -> None:
    class Counting(Vault):
        now = most = 0

        async def on_fetch(self, block: BlockId) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.001)
            self.now -= 1

    vault = Counting()
    for index in range(500):
        vault.file(f"f{index}", b"x")
    assert failed(await vault.restore(tmp_path)) == {}
    assert 16 < vault.most <= BUDGET // WEIGHT_MIN


async def test_descriptors_are_let_go(tmp_path: Path) -> None:
    vault = Vault()
    a_tree(vault)
    for index in range(100):
        vault.file(f"t/many/{index}/x/y/z", b"deep")
    before = len(names_in(Path("/dev/fd")))
    await vault.restore(tmp_path, "t")
    await vault.restore(tmp_path, "t")
    assert len(names_in(Path("/dev/fd"))) == before
