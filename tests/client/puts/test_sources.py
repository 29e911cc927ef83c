"""Sources: filled buffers, and files that do not stand still."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from capsa.client.puts.sources import FileSource, FolderSource, LinkSource, Readable, StreamSource
from capsa.client.puts.stamps import Stamp
from capsa.core.pages import Kind
from capsa.errors import CapsaError, ChangedError, NotFoundError, RefusedError, UsageError


class Trickle:
    """A stream that gives three bytes at a time, by `read` alone."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, 3))


class NotYet(io.RawIOBase):
    """A stream that does not wait."""

    def readinto(self, buffer: object, /) -> None:
        return None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file.bin"
    path.write_bytes(bytes(range(100)))
    return path


def test_a_file_tells_about_itself(file: Path) -> None:
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    with FileSource(file) as source:
        assert (source.name, source.size, source.mode) == ("a file.bin", 100, 0o640)
        assert source.mtime_ns == 1_700_000_000_123_456_789


@pytest.mark.parametrize("size", [1, 7, 10, 99, 100, 101])
def test_buffers_are_filled_but_for_the_last(file: Path, size: int) -> None:
    for source in (
        FileSource(file),
        StreamSource(io.BytesIO(file.read_bytes())),
        StreamSource(Trickle(file.read_bytes())),
    ):
        buffer = memoryview(bytearray(size))
        counts: list[int] = []
        data = b""
        while not counts or counts[-1] == size:
            counts.append(source.read_into(buffer))
            data += buffer[: counts[-1]]
        assert data == file.read_bytes()
        assert counts == [size] * (100 // size) + [100 % size]
        source.close()
        source.close()


def _append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"more")


def _replace(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def _touch(path: Path) -> None:
    os.utime(path, ns=(5, 5))


def _cut(path: Path) -> None:
    os.truncate(path, 50)


@pytest.mark.parametrize("change", [_append, _replace, _touch, _cut])
def test_a_file_that_changes_is_noticed(file: Path, change: Callable[[Path], None]) -> None:
    with FileSource(file) as source:
        buffer = memoryview(bytearray(40))
        assert source.read_into(buffer) == 40
        change(file)
        with pytest.raises(ChangedError):
            while source.read_into(buffer) == 40:
                pass


def test_a_file_that_is_removed_meanwhile_is_an_error(file: Path) -> None:
    with FileSource(file) as source:
        file.unlink()
        with pytest.raises(NotFoundError):
            source.read_into(memoryview(bytearray(200)))


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFoundError, match="cannot be read: No such file"):
        FileSource(tmp_path / "absent")
    with pytest.raises(RefusedError, match="not a regular file"):
        FileSource(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a folder"):
        FileSource(tmp_path)


def test_a_stream_knows_neither_size_nor_time() -> None:
    source = StreamSource(io.BytesIO(b""), "x")
    assert (source.name, source.size, source.mtime_ns, source.mode) == ("x", None, None, 0o644)


def test_a_stream_that_does_not_wait_has_not_ended() -> None:
    stream: Readable = NotYet()
    with pytest.raises(CapsaError):
        StreamSource(stream).read_into(memoryview(bytearray(5)))


@pytest.mark.parametrize("target", ["elsewhere", "/abs/olute", "../up", "träume 🌊", "x" * 4000])
def test_a_link_says_where_it_leads_and_is_not_followed(tmp_path: Path, target: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(target)
    source = LinkSource(link)
    assert (source.kind, source.link_target, source.size, source.name) == (Kind.LINK, target, 0, "link")
    assert source.stamp == Stamp.of(link.lstat())
    assert source.read_into(memoryview(bytearray(1))) == 0


def test_a_link_to_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(os.fsdecode(b"\xff"))
    with pytest.raises(UsageError, match="not UTF-8"):
        LinkSource(tmp_path / "link")


def test_what_is_no_link_or_folder_any_more_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for make in (LinkSource, FolderSource):
        with pytest.raises(ChangedError):
            make(file)
        with pytest.raises(NotFoundError):
            make(tmp_path / "missing")


def test_a_folder_has_a_time_and_permissions_and_no_stamp(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o750)
    os.utime(folder, ns=(1, 17))
    source = FolderSource(folder)
    assert (source.kind, source.size, source.mtime_ns, source.mode) == (Kind.FOLDER, 0, 17, 0o750)
    assert (source.stamp, source.link_target) == (None, "")


def test_a_file_that_is_not_to_be_followed_may_not_be_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"x")
    link.symlink_to(file)
    with FileSource(file, follow=False) as source:
        assert source.stamp == Stamp.of(file.stat())
    with FileSource(link) as source:
        assert source.size == 1
    with pytest.raises(RefusedError):
        FileSource(link, follow=False)
