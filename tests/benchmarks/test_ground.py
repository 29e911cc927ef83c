"""A benchmark on the wrong ground is refused, and wrong bytes fail it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import ground
from benchmarks.processes import FailedError

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:20 / /dev/shm rw - tmpfs tmpfs rw
24 22 0:21 / /mnt/two\\040words rw shared:2 master:3 - xfs /dev/vdb rw
25 23 0:22 / /dev/shm/disk rw - ext4 /dev/vdc rw
26 22 0:23 / /mnt/covered rw - ext4 /dev/vdd rw
27 22 0:24 / /mnt/covered rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ann", "ext4"),
        ("/dev/shm/x", "tmpfs"),
        ("/dev/shmother", "ext4"),
        ("/dev/shm/disk/x", "ext4"),
        ("/mnt/two words", "xfs"),
        ("/mnt/covered", "tmpfs"),
    ],
)
def test_the_innermost_and_newest_mount_counts(
    folder: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounts := tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(ground, "MOUNTS", mounts)
    assert ground.file_system_of(Path(folder)) == kind


def test_memory_is_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mounts := tmp_path / "mountinfo").write_text("22 1 0:20 / / rw - tmpfs tmpfs rw\n")
    monkeypatch.setattr(ground, "MOUNTS", mounts)
    with pytest.raises(FailedError, match="lies in memory"):
        ground.check(tmp_path, 0)


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "file_system_of", lambda folder: "ext4")
    ground.check(tmp_path, 0)
    with pytest.raises(FailedError, match="are needed"):
        ground.check(tmp_path, 2**62)


def test_other_bytes_are_noticed(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    ground.make_file(one, 3_000_000)
    assert one.stat().st_size == 3_000_000
    data = one.read_bytes()
    other.write_bytes(data)
    ground.check_same(one, other)
    other.write_bytes(data[1_000_000:2_500_000])
    ground.check_same(one, other, start=1_000_000)
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data + b"x"):
        other.write_bytes(wrong)
        with pytest.raises(FailedError):
            ground.check_same(one, other)
