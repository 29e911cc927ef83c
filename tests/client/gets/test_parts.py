"""Part files: atomic, continued, locked, and hard to trick."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from capsa.client.gets.parts import PartFile, part_path
from capsa.core.ids import BlockId, Buffer
from capsa.errors import NoSpaceError, NotFoundError, RefusedError

ROOT = BlockId(bytes(range(32)))
MTIME_NS = 1_700_000_000_123_456_789


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "film.mp4"


def _fetch(target: Path, data: bytes, *, overwrite: bool = False) -> None:
    with PartFile(target, ROOT, overwrite=overwrite) as part:
        part.truncate(0)
        part.write(data)
        part.finish(mtime_ns=MTIME_NS, mode=0o640)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_takes_its_name_time_and_mode(target: Path) -> None:
    with PartFile(target, ROOT) as part:
        assert part.path.parent == target.parent
        assert stat.S_IMODE(part.path.stat().st_mode) == 0o600
        part.write(b"hello, ")
        part.write(memoryview(b"world"))
        assert not target.exists()
        part.finish(mtime_ns=MTIME_NS, mode=0o104640)
    found = target.stat()
    assert target.read_bytes() == b"hello, world"
    assert (found.st_mtime_ns, stat.S_IMODE(found.st_mode)) == (MTIME_NS, 0o640)
    assert _names(target.parent) == ["film.mp4"]


def test_an_earlier_part_is_read_cut_and_continued(target: Path) -> None:
    with PartFile(target, ROOT) as part:
        part.write(b"right then wrong")
    with PartFile(target, ROOT) as part:
        buffer = memoryview(bytearray(5))
        assert part.size == 16
        assert part.read_into(buffer, 6) == 5 and bytes(buffer) == b"then "
        assert part.read_into(buffer, 14) == 2
        assert part.read_into(buffer, 16) == 0
        part.truncate(11)
        assert part.size == 11
        part.write(b"right")
        part.finish(mtime_ns=0, mode=0o644)
    assert target.read_bytes() == b"right then right"


def test_an_existing_target_is_refused_before_anything_is_fetched(target: Path) -> None:
    target.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="exists already"):
        PartFile(target, ROOT)
    assert _names(target.parent) == ["film.mp4"]


def test_a_target_that_comes_into_being_meanwhile_is_refused(target: Path) -> None:
    with PartFile(target, ROOT) as part:
        part.write(b"theirs")
        target.write_bytes(b"mine")
        with pytest.raises(RefusedError, match="exists already"):
            part.finish(mtime_ns=0, mode=0o644)
    assert target.read_bytes() == b"mine"
    assert part.path.read_bytes() == b"theirs"


def test_a_dangling_link_counts_as_existing(target: Path) -> None:
    target.symlink_to("nowhere")
    with pytest.raises(RefusedError):
        PartFile(target, ROOT)


def test_overwriting_replaces_the_name_not_what_a_link_leads_to(target: Path) -> None:
    precious = target.with_name("precious")
    precious.write_bytes(b"precious")
    target.symlink_to(precious)
    _fetch(target, b"new", overwrite=True)
    assert (target.read_bytes(), precious.read_bytes()) == (b"new", b"precious")
    assert not target.is_symlink()


def test_overwriting_a_folder_is_refused(target: Path) -> None:
    target.mkdir()
    with pytest.raises(RefusedError):
        _fetch(target, b"new", overwrite=True)
    assert target.is_dir()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("through_link", [False, True])
def test_what_is_no_plain_file_is_never_replaced(target: Path, overwrite: bool, through_link: bool) -> None:
    pipe = target.with_name("pipe")
    os.mkfifo(pipe)  # as /dev/null is, and /dev/stdout leads to
    target.symlink_to(pipe) if through_link else pipe.rename(target)
    with pytest.raises(RefusedError, match="not a plain file"):
        PartFile(target, ROOT, overwrite=overwrite)
    assert stat.S_ISFIFO(target.stat().st_mode)


def test_two_gets_at_once_do_not_mix(target: Path) -> None:
    with PartFile(target, ROOT) as first:
        first.write(b"first")
        with pytest.raises(RefusedError, match="being fetched already"):
            PartFile(target, ROOT)
        first.finish(mtime_ns=0, mode=0o644)
    assert target.read_bytes() == b"first"
    _fetch(target, b"second", overwrite=True)
    assert target.read_bytes() == b"second"


def test_a_finished_file_that_still_has_its_part_name_is_not_written_to(target: Path) -> None:
    """As a crash between giving the name and removing the part leaves it."""
    target.write_bytes(b"finished")
    part_path(target, ROOT).hardlink_to(target)
    with PartFile(target, ROOT, overwrite=True) as part:
        assert part.size == 0
        part.write(b"spoiled?")
        assert target.read_bytes() == b"finished"


def test_planted_links_pipes_and_folders_are_refused(target: Path) -> None:
    precious = target.with_name("precious")
    precious.write_bytes(b"precious")
    planted = part_path(target, ROOT)
    planted.symlink_to(precious)
    with pytest.raises(RefusedError, match="symbolic link"):
        PartFile(target, ROOT)
    assert precious.read_bytes() == b"precious"
    planted.unlink()
    os.mkfifo(planted)
    with pytest.raises(RefusedError, match="not a file of yours"):
        PartFile(target, ROOT)
    planted.unlink()
    planted.mkdir()
    with pytest.raises(RefusedError):
        PartFile(target, ROOT)


def test_a_missing_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        PartFile(tmp_path / "absent" / "film.mp4", ROOT)


def test_a_full_disk_keeps_what_was_written(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite

    def full(descriptor: int, data: Buffer, offset: int) -> int:
        if offset >= 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, memoryview(data)[: 8 - offset], offset)

    with PartFile(target, ROOT) as part:
        part.write(b"hello")
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(NoSpaceError):
            part.write(b" world")
        assert part.size == 5
    assert part.path.read_bytes().startswith(b"hello")
    assert not target.exists()


def test_a_file_system_without_hard_links(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: str, **folders: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    _fetch(target, b"hello")
    assert target.read_bytes() == b"hello"
    with PartFile(target, ROOT, overwrite=True) as part:
        part.discard()
    other = target.with_name("other")
    with PartFile(other, ROOT) as part:
        other.write_bytes(b"mine")
        with pytest.raises(RefusedError):
            part.finish(mtime_ns=0, mode=0o644)
    assert other.read_bytes() == b"mine"


def test_discard_leaves_nothing(target: Path) -> None:
    with PartFile(target, ROOT) as part:
        part.write(b"x")
        part.discard()
    assert _names(target.parent) == []


def test_long_names_have_part_files_too(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 127)
    _fetch(target, b"hello")
    assert target.read_bytes() == b"hello"
    assert len(os.fsencode(part_path(target, ROOT).name)) <= 255


def test_what_cannot_fit_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with PartFile(tmp_path / "film.mkv", ROOT) as part:
        part.expect(1000)
        with pytest.raises(NoSpaceError, match="does not fit"):
            part.expect(2**62)
