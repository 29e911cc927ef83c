"""The machine that a home is on, judged: its disk, its clock, its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from capsa.core.diagnosis.findings import Finding, Level

DISK_FULL_PERCENT: Final = 95
"""From here on a store takes no more blocks."""
DISK_TIGHT_PERCENT: Final = 90
INODES_TIGHT_PERCENT: Final = 95
SKEW_SECONDS_NOTABLE: Final = 120.0
SKEW_SECONDS_MAX: Final = 3600.0
"""Beyond, a node collects nothing (docs/design.md, section 6)."""
EARLIEST_UNIX_SECONDS: Final = 1_767_225_600.0
"""2026-01-01: a clock that shows less was never set."""
LATEST_UNIX_SECONDS: Final = 4_102_444_800.0
"""2100-01-01."""
OPEN_FILES_MIN: Final = 1024
_BACK_SECONDS: Final = 300.0
_NETWORK_FILE_SYSTEMS: Final = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "fuse.rclone", "davfs")
)


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The file system that a home lies on; sizes in bytes, `file_system` empty where it is not known."""

    free: int
    total: int
    read_only: bool = False
    inodes_free: int = 0
    inodes: int = 0
    """0 where the file system does not count them."""
    file_system: str = ""


def judge_disk(disk: DiskFacts) -> Finding:
    """Whether there is room, and whether the disk is one to keep a home on."""
    if disk.read_only:
        return Finding("disk", Level.ERROR, "The disk of this home can only be read.", "Mount it for writing.")
    used = _percent(disk.total - disk.free, disk.total)
    if used >= DISK_FULL_PERCENT:
        return Finding(
            "disk",
            Level.ERROR,
            f"The disk of this home is {used} % full: nothing more is stored from {DISK_FULL_PERCENT} % on.",
            "Free some space on it.",
        )
    if disk.inodes and _percent(disk.inodes - disk.inodes_free, disk.inodes) >= INODES_TIGHT_PERCENT:
        return Finding(
            "disk", Level.WARNING, "The disk of this home can hold few more files.", "Remove small files from it."
        )
    if used >= DISK_TIGHT_PERCENT:
        return Finding("disk", Level.WARNING, f"The disk of this home is {used} % full.", "Free some space on it.")
    if disk.file_system in _NETWORK_FILE_SYSTEMS:
        return Finding(
            "disk",
            Level.WARNING,
            f"The home lies on a network file system ({disk.file_system}): locks may not hold, nor writes be durable.",
            "Move the home to a disk of this machine.",
        )
    return Finding("disk", Level.OK, f"The disk of this home is {used} % full.")


def judge_capacity(*, capacity: int | None, used: int, disk: DiskFacts) -> Finding:
    """Whether what is promised to others (`capacity`; None where nothing was) and not yet `used` is there, in bytes."""
    if capacity is None:
        return Finding(
            "capacity",
            Level.NOTE,
            "What to keep for others was never said.",
            "The first 'capsa up' takes half of what is free, or what --capacity says.",
        )
    if not capacity:
        return Finding(
            "capacity", Level.NOTE, "This node keeps nothing for others.", "Set it with 'capsa up --capacity'."
        )
    left = capacity - used
    if left > disk.free:
        return Finding(
            "capacity",
            Level.WARNING,
            "More was promised to others than the disk has free.",
            "Free some space, or promise less with 'capsa up --capacity'.",
        )
    if left * 20 < capacity:
        return Finding(
            "capacity",
            Level.NOTE,
            "Nearly all that this node keeps for others is taken.",
            "Promise more with 'capsa up --capacity', if there is room.",
        )
    return Finding("capacity", Level.OK, f"{_percent(used, capacity)} % of what was promised to others is taken.")


def judge_clock(now: float, *, newest_file: float = 0.0, ahead: Sequence[float] = ()) -> Finding:
    """The clock, in Unix seconds, against reason, against the home's newest file, and against those of members.

    `ahead` holds by how many seconds the clock of each member is ahead of ours; their median counts, so that a few
    that are wrong, or lie, decide nothing.
    """
    remedy = "Let the machine set its clock by the network (NTP)."
    if not EARLIEST_UNIX_SECONDS <= now < LATEST_UNIX_SECONDS:
        return Finding("clock", Level.ERROR, "The clock of this machine is years off.", remedy)
    skew = median(ahead) if ahead else 0.0
    if abs(skew) >= SKEW_SECONDS_NOTABLE:
        where = "behind" if skew > 0 else "ahead of"
        far = abs(skew) >= SKEW_SECONDS_MAX
        return Finding(
            "clock",
            Level.ERROR if far else Level.WARNING,
            f"The clock of this machine is {_span(abs(skew))} {where} those of most other nodes.",
            remedy,
        )
    if newest_file - now > _BACK_SECONDS:
        return Finding(
            "clock",
            Level.WARNING,
            f"The clock of this machine was set back, or is wrong: a file of this home is {_span(newest_file - now)} "
            "in the future.",
            remedy,
        )
    if not ahead:
        return Finding("clock", Level.OK, "The clock of this machine shows a likely time; no other node was asked.")
    return Finding(
        "clock", Level.OK, f"The clock of this machine is within {_span(SKEW_SECONDS_NOTABLE)} of the others."
    )


def judge_limits(open_files: int | None) -> Finding:
    """How many files and connections a process may have open; None for any number."""
    if open_files is not None and open_files < OPEN_FILES_MIN:
        return Finding(
            "limits",
            Level.WARNING,
            f"A process here may have {open_files} files and connections open, which is few.",
            f"Raise the limit: ulimit -n {4 * OPEN_FILES_MIN}",
        )
    return Finding("limits", Level.OK, "Enough files and connections may be open at once.")


def judge_versions(*, capsa: str, python: str, sqlite: str) -> Finding:
    """What runs here, for whoever is asked for help."""
    return Finding("versions", Level.OK, f"capsa {capsa}, Python {python}, SQLite {sqlite}.")


def _percent(part: int, whole: int) -> int:
    return 100 * part // whole if whole > 0 else 0


def _span(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"
