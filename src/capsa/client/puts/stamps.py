"""Stamps: by which a file is known again without being read, as far as the file system can be trusted with that."""

from __future__ import annotations

import os
from typing import Final

from msgspec import Struct

_SECOND_NS: Final = 1_000_000_000
RACY_NS: Final = 50_000_000
"""File systems date a change by a clock that ticks every few milliseconds: two changes within a tick look alike."""
RACY_COARSE_NS: Final = 2 * _SECOND_NS
"""The same where times have whole (FAT: even) seconds only."""


class Stamp(Struct, frozen=True, gc=False):
    """By which a file is taken for the one that was read before: bytes, nanoseconds since 1970, inode number.

    An inode number says something only together with the file system, here by its device number: on two sticks, files
    of one name may have the same.
    """

    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """The stamp of what `stat` found."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)

    def is_racy(self, before_ns: int) -> bool:
        """Whether the file may have changed, or may yet change, unseen: with this very stamp, after it was opened.

        `before_ns`, in nanoseconds since 1970, is a moment before that. Then nobody may go by the stamp, and the next
        put has to read the file again; so it is with every file from the future.
        """
        coarse = self.mtime_ns % _SECOND_NS == 0
        return self.mtime_ns >= before_ns - (RACY_COARSE_NS if coarse else RACY_NS)
