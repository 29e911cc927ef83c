"""Stamps: which may be gone by later, and which may hide a change."""

from __future__ import annotations

import pytest

from capsa.client.puts.stamps import Stamp

SECOND = 10**9
MS = 10**6


@pytest.mark.parametrize(
    ("mtime_ns", "before_ns", "racy"),
    [
        (SECOND + 1, SECOND + 1, True),
        (SECOND + 1, SECOND + 1 + 50 * MS, True),
        (SECOND + 1, SECOND + 2 + 50 * MS, False),
        (SECOND + 1 + 50 * MS, SECOND + 1, True),  # written while it waited to be opened
        (99 * SECOND + 1, SECOND + 1, True),  # or the file system's clock is ahead of ours
        (9 * SECOND, 9 * SECOND + 60 * MS, True),
        (9 * SECOND, 11 * SECOND, True),
        (9 * SECOND, 11 * SECOND + 1, False),
        (9 * SECOND + 1, 11 * SECOND, False),
    ],
)
def test_a_file_that_was_just_written_may_change_unseen(mtime_ns: int, before_ns: int, racy: bool) -> None:
    assert Stamp(1, mtime_ns, 7, 1).is_racy(before_ns) is racy
