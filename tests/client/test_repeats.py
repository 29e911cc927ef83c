"""Repeats of a put: what is read again and what is not, what is previewed, and what kinds of things keys hold."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from capsa.client.puts.jobs import BATCH_FILES, Job, Preview, Stored, Wish
from capsa.client.puts.sources import FileSource, FolderSource, LinkSource, Source, StreamSource
from capsa.client.puts.stamps import Stamp
from capsa.core.pages import Kind
from capsa.errors import NotFoundError, RefusedError
from tests.node.network import Client, live, noise, write

LONG_AGO_NS = 1_600_000_000_000_000_123


@dataclass
class Folder:
    """Files on disk, and which of them were opened since `opened` was emptied."""

    root: Path
    opened: list[str] = field(default_factory=list)
    device: int = 0
    """How far the number of its file system is from that of the disk: another one was mounted in its place."""

    def write(self, name: str, data: bytes, *, mtime_ns: int = LONG_AGO_NS) -> None:
        """Write a file in place, so that its inode number stays."""
        path = self.root / name
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(data)
            file.truncate()
        os.utime(path, ns=(0, mtime_ns))

    def job(self, name: str, make: Callable[[Path], Source] = FileSource) -> Job:
        """A file as it is listed."""
        path = self.root / name
        found = path.lstat()
        stamp = Stamp(found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev + self.device)
        return Job(name, partial(self._open, name, make), found.st_size, stamp=stamp)

    def _open(self, name: str, make: Callable[[Path], Source]) -> Source:
        self.opened.append(name)
        return make(self.root / name)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "folder").mkdir()
    return Folder(tmp_path / "folder")


async def put(client: Client, jobs: Sequence[Job], wish: Wish | None = None) -> list[Stored]:
    return [stored async for stored in client.files.put(jobs, wish or Wish())]


async def preview(client: Client, jobs: Sequence[Job], wish: Wish | None = None) -> list[Preview]:
    return [one async for one in client.files.preview(jobs, wish or Wish())]


async def test_a_file_that_looks_as_it_did_is_not_opened(tmp_path: Path, folder: Folder) -> None:
    folder.write("a", noise(100))
    folder.write("large", noise(20_000))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        assert [one.unchanged for one in await put(ann, [folder.job("a"), folder.job("large")])] == [False, False]
        folder.opened.clear()
        again = await put(ann, [folder.job("a"), folder.job("large")])
        assert [(one.unchanged, one.size, one.error) for one in again] == [(True, 100, None), (True, 20_000, None)]
        assert not folder.opened


async def test_a_rewrite_with_the_same_size_and_time_is_found_by_rereading(tmp_path: Path, folder: Folder) -> None:
    folder.write("a", noise(100))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, [folder.job("a")])
        folder.write("a", noise(100, "other"))
        [blind] = await put(ann, [folder.job("a")])
        assert blind.unchanged
        [seen] = await put(ann, [folder.job("a")], Wish(reread=True))
        assert isinstance(seen.error, RefusedError)
        [added] = await put(ann, [folder.job("a")], Wish(reread=True, new_version=True))
        assert added.error is None and not added.unchanged


@pytest.mark.parametrize("change", ["size", "time", "inode", "file system", "version"])
async def test_a_file_that_looks_otherwise_is_read(tmp_path: Path, folder: Folder, change: str) -> None:
    folder.write("a", noise(100))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, [folder.job("a")])
        if change == "size":
            folder.write("a", noise(101))
        elif change == "time":
            folder.write("a", noise(100, "other"), mtime_ns=LONG_AGO_NS + 1)
        elif change == "inode":
            folder.write("b", noise(100, "other"))
            (folder.root / "b").rename(folder.root / "a")
        elif change == "file system":  # as on two sticks that were mounted at one place
            folder.write("a", noise(100, "other"))
            folder.device += 1
        else:  # another version came to the key meanwhile
            stream = Job("a", lambda: StreamSource(io.BytesIO(noise(100, "other"))), repeatable=False)
            await put(ann, [stream], Wish(new_version=True))
        [stored] = await put(ann, [folder.job("a")])
        assert isinstance(stored.error, RefusedError)


async def test_a_touched_file_is_read_once_and_remembered(tmp_path: Path, folder: Folder) -> None:
    folder.write("a", noise(100))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, [folder.job("a")])
        folder.write("a", noise(100), mtime_ns=LONG_AGO_NS + 5)
        for opened in (["a"], []):
            folder.opened.clear()
            [stored] = await put(ann, [folder.job("a")])
            assert stored.unchanged
            assert folder.opened == opened


async def test_a_file_that_was_written_just_now_is_not_trusted(tmp_path: Path, folder: Folder) -> None:
    far_off_ns = 2 * LONG_AGO_NS  # later than any moment at which it is opened
    folder.write("a", noise(100), mtime_ns=far_off_ns)
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, [folder.job("a")])
        folder.write("a", noise(100, "other"), mtime_ns=far_off_ns)
        [stored] = await put(ann, [folder.job("a")])
        assert isinstance(stored.error, RefusedError)


async def test_what_is_remembered_is_of_the_file_that_was_read(tmp_path: Path, folder: Folder) -> None:
    """The file was replaced between listing and opening: the listing's stamp says nothing of what was read."""
    folder.write("a", noise(100))
    listed = folder.job("a")
    folder.write("b", noise(100, "other"), mtime_ns=LONG_AGO_NS + 7)
    (folder.root / "b").rename(folder.root / "a")
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, [listed])
        folder.opened.clear()
        await put(ann, [listed])
        assert folder.opened == ["a"]
        folder.opened.clear()
        await put(ann, [folder.job("a")])
        assert not folder.opened


async def test_links_and_folders_are_kept_as_such(tmp_path: Path, folder: Folder) -> None:
    (folder.root / "link").symlink_to("some/where")
    (folder.root / "empty").mkdir()
    jobs = [folder.job("link", LinkSource), folder.job("empty", FolderSource)]
    async with live(tmp_path, "ann ben", copies=1) as network, network.client("ann") as ann:
        stored = await put(ann, jobs)
        assert [(one.error, one.size, one.blocks, one.durable) for one in stored] == [(None, 0, 1, 2)] * 2
        caps = {one.key: one.cap for one in stored}
        assert caps["link"] is not None and caps["empty"] is not None
        root = await ann.reader.open(caps["link"])
        assert (root.kind, root.link_target, root.media_type) == (Kind.LINK, "some/where", "inode/symlink")
        root = await ann.reader.open(caps["empty"])
        assert (root.kind, root.media_type) == (Kind.FOLDER, "inode/directory")
        snapshot = await ann.files.catalog.snapshot()
        kinds = {view.key: view.current.kind async for view in snapshot.scan() if view.current}
        assert kinds == {"link": Kind.LINK, "empty": Kind.FOLDER}
        for name in ("link", "empty"):
            os.utime(folder.root / name, ns=(0, 1), follow_symlinks=False)
        assert [one.unchanged for one in await put(ann, jobs)] == [True, True]
        (folder.root / "link").unlink()
        (folder.root / "link").symlink_to("else/where")
        other = [folder.job("link", LinkSource)]
        assert [type(one.error) for one in await put(ann, other)] == [RefusedError]
        assert [one.error for one in await put(ann, other, Wish(new_version=True))] == [None]


async def test_only_a_folder_can_hold_keys(tmp_path: Path, folder: Folder) -> None:
    folder.write("file", b"x")
    (folder.root / "link").symlink_to("x")
    (folder.root / "empty").mkdir()

    def job(key: str, name: str, make: Callable[[Path], Source]) -> Job:
        return Job(key, lambda: make(folder.root / name))

    file = partial(job, name="file", make=FileSource)
    link = partial(job, name="link", make=LinkSource)
    empty = partial(job, name="empty", make=FolderSource)
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        assert [one.error for one in await put(ann, [empty("e"), file("e/x"), file("f/x"), link("l")])] == [None] * 4
        tries = [(file("e"), True), (link("e"), True), (file("l/x"), True), (empty("l/x"), True), (link("f"), True)]
        tries += [(empty("f"), False), (empty("e"), False), (file("e/y"), False), (file("e/x/y"), True)]
        wish = Wish(new_version=True)
        for one, refused in tries:
            assert [isinstance(seen.error, RefusedError) for seen in await preview(ann, [one], wish)] == [refused]
            assert [isinstance(stored.error, RefusedError) for stored in await put(ann, [one], wish)] == [refused]
        outcomes = await put(ann, [file("n/x"), file("n"), empty("m"), file("m/x")])
        assert {one.key: one.error is None for one in outcomes} == {"n": True, "n/x": False, "m": True, "m/x": True}


async def test_a_further_version_takes_the_keys_place_and_leaves_the_old_one(tmp_path: Path, folder: Folder) -> None:
    folder.write("a", noise(5_000))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        [first] = await put(ann, [folder.job("a")])
        folder.write("a", noise(5_000, "second"), mtime_ns=LONG_AGO_NS + 1)
        [refused] = await put(ann, [folder.job("a")])
        assert refused.error is not None and "--new-version" in refused.error.hint
        [second] = await put(ann, [folder.job("a")], Wish(new_version=True))
        [same] = await put(ann, [folder.job("a")], Wish(new_version=True))
        assert same.unchanged and same.cap == second.cap
        view = await (await ann.files.catalog.snapshot()).look_up("a")
        assert [version.cap for version in view.versions] == [second.cap, first.cap]
        assert await ann.get(first, tmp_path / "old") == noise(5_000)
        assert await ann.get(second, tmp_path / "new") == noise(5_000, "second")


async def test_a_preview_says_what_a_put_would_do_and_does_nothing(tmp_path: Path, folder: Folder) -> None:
    for name in ("same", "touched", "other"):
        folder.write(name, noise(100))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, [folder.job(name) for name in ("same", "touched", "other")])
        folder.write("touched", noise(100), mtime_ns=LONG_AGO_NS + 1)
        folder.write("other", noise(90, "other"))
        folder.write("new", noise(80))
        folder.opened.clear()
        jobs = [folder.job(name) for name in ("same", "touched", "other", "new")]
        jobs.append(Job("bad//key", jobs[-1].open))
        for _ in range(2):  # the second finds all as it was: nothing was remembered either
            found = await preview(ann, jobs)
            told = [(one.key, one.size, one.what, one.error is None) for one in found]
            assert told == [
                ("same", 100, "unchanged", True),
                ("touched", 100, "unchanged", True),
                ("other", 90, "changed", False),
                ("new", 80, "new", True),
                ("bad//key", 0, None, False),
            ]
        assert sorted(folder.opened) == ["other", "other", "touched", "touched"]
        assert [one.error for one in await preview(ann, jobs[:3], Wish(new_version=True))] == [None] * 3
        snapshot = await ann.files.catalog.snapshot()
        assert [view.key async for view in snapshot.scan()] == ["other", "same", "touched"]


async def test_jobs_are_taken_two_batches_ahead_at_the_most(tmp_path: Path) -> None:
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for number in range(5 * BATCH_FILES):
            taken = number + 1
            yield Job(f"{number:06}", missing)

    def missing() -> Source:
        raise NotFoundError("It vanished.")

    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        told = 0
        async for stored in ann.files.put(jobs()):
            told += 1
            assert isinstance(stored.error, NotFoundError)
            assert taken - told < 3 * BATCH_FILES
        assert told == taken == 5 * BATCH_FILES


async def test_unchanged_files_are_told_in_order_however_far_ahead_others_are_judged(tmp_path: Path) -> None:
    path = write(tmp_path / "file", noise(10))
    count = 3 * BATCH_FILES + 1
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for number in range(count):
            taken = number + 1
            yield Job(f"{number:06}", lambda: FileSource(path))

    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        assert all(one.error is None for one in await put(ann, list(jobs())))
        taken, told = 0, list[str]()
        async for stored in ann.files.put(jobs()):
            told.append(stored.key)
            assert stored.unchanged
            assert taken - len(told) < 3 * BATCH_FILES
        assert told == [f"{number:06}" for number in range(count)]


async def test_a_key_that_comes_again_meets_what_came_first_be_it_batches_before(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", b"1"), write(tmp_path / "other", b"2")
    same = [Job(f"a{number:06}", lambda: FileSource(one)) for number in range(BATCH_FILES)]
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await put(ann, same)
        again = [
            Job("b", lambda: FileSource(one)),
            Job("b", lambda: FileSource(other)),
            Job("b", lambda: FileSource(one)),
        ]
        stored = (await put(ann, [*same, *again]))[BATCH_FILES:]
        assert [(one.unchanged, type(one.error)) for one in stored] == [
            (False, type(None)),
            (False, RefusedError),
            (True, type(None)),
        ]


async def test_a_file_that_is_not_waited_for_is_told_in_the_copies_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "file", noise(20_000))
    async with live(tmp_path, "ann ben cid", copies=2) as network, network.client("ann") as ann:
        [stored] = await put(ann, [Job("file", lambda: FileSource(path))], Wish(wait=False))
        assert (stored.error, stored.durable, stored.wanted) == (None, 1, 3)
        [alone] = await put(ann, [Job("alone", lambda: FileSource(path))], Wish(wait=False, copies=0))
        assert (alone.error, alone.durable, alone.wanted) == (None, 1, 1)
