"""The machine, judged by tables."""

from __future__ import annotations

import pytest

from capsa.core.diagnosis.findings import Finding, Level
from capsa.core.diagnosis.machine import (
    EARLIEST_UNIX_SECONDS,
    LATEST_UNIX_SECONDS,
    DiskFacts,
    judge_capacity,
    judge_clock,
    judge_disk,
    judge_limits,
    judge_versions,
)

OK, NOTE, WARNING, ERROR = Level

ROOMY = DiskFacts(free=500, total=1000)
NOW = EARLIEST_UNIX_SECONDS + 86400


@pytest.mark.parametrize(
    ("finding", "level", "says"),
    [
        (judge_disk(ROOMY), OK, "50 %"),
        (judge_disk(DiskFacts(0, 0)), OK, "0 %"),
        (judge_disk(DiskFacts(500, 1000, read_only=True)), ERROR, "only be read"),
        (judge_disk(DiskFacts(101, 1000)), OK, "89 %"),
        (judge_disk(DiskFacts(100, 1000)), WARNING, "90 %"),
        (judge_disk(DiskFacts(50, 1000)), ERROR, "95 %"),
        (judge_disk(DiskFacts(500, 1000, inodes_free=1, inodes=100)), WARNING, "few more files"),
        (judge_disk(DiskFacts(500, 1000, inodes_free=50, inodes=100)), OK, "50 %"),
        (judge_disk(DiskFacts(500, 1000, file_system="nfs4")), WARNING, "nfs4"),
        (judge_disk(DiskFacts(500, 1000, file_system="ext4")), OK, "50 %"),
        (judge_capacity(capacity=None, used=0, disk=ROOMY), NOTE, "never said"),
        (judge_capacity(capacity=0, used=0, disk=ROOMY), NOTE, "nothing"),
        (judge_capacity(capacity=500, used=0, disk=ROOMY), OK, "0 %"),
        (judge_capacity(capacity=501, used=0, disk=ROOMY), WARNING, "More was promised"),
        (judge_capacity(capacity=900, used=500, disk=ROOMY), OK, "55 %"),
        (judge_capacity(capacity=100, used=96, disk=ROOMY), NOTE, "Nearly all"),
        (judge_capacity(capacity=100, used=200, disk=ROOMY), NOTE, "Nearly all"),
        (judge_clock(NOW), OK, "no other node"),
        (judge_clock(0.0), ERROR, "years off"),
        (judge_clock(LATEST_UNIX_SECONDS), ERROR, "years off"),
        (judge_clock(float("nan")), ERROR, "years off"),
        (judge_clock(NOW, newest_file=NOW + 10), OK, "likely"),
        (judge_clock(NOW, newest_file=NOW + 3 * 3600), WARNING, "3 h in the future"),
        (judge_clock(NOW, ahead=[0.5, -1.0, 2.0]), OK, "within 2 min"),
        (judge_clock(NOW, ahead=[600.0, 610.0, 0.0]), WARNING, "10 min behind"),
        (judge_clock(NOW, ahead=[-600.0]), WARNING, "10 min ahead of"),
        (judge_clock(NOW, ahead=[7200.0, 7201.0]), ERROR, "2 h behind"),
        # One that lies decides nothing among three.
        (judge_clock(NOW, ahead=[0.0, 1e300, 1.0]), OK, "within"),
        (judge_limits(None), OK, "Enough"),
        (judge_limits(1024), OK, "Enough"),
        (judge_limits(256), WARNING, "256"),
        (judge_versions(capsa="1", python="2", sqlite="3"), OK, "capsa 1, Python 2, SQLite 3."),
    ],
)
def test_findings(finding: Finding, level: Level, says: str) -> None:
    assert finding.level is level
    assert says in finding.message
    assert finding.message.endswith(".")
    assert bool(finding.remedy) == (level is not OK)
