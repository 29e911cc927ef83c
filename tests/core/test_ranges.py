"""Ranges as people write them."""

from __future__ import annotations

import pytest

from capsa.core.ranges import parse_range
from capsa.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "size", "within"),
    [
        ("0-0", 10, (0, 1)),
        ("0-9", 10, (0, 10)),
        ("3-5", 10, (3, 6)),
        ("3-", 10, (3, 10)),
        ("9-9", 10, (9, 10)),
        ("5-100", 10, (5, 10)),
        ("-1", 10, (9, 10)),
        ("-10", 10, (0, 10)),
        ("-11", 10, (0, 10)),
        ("000-001", 10, (0, 2)),
        ("0-999999999999999999", 10, (0, 10)),
    ],
)
def test_both_ends_are_included_and_the_end_is_clipped(typed: str, size: int, within: tuple[int, int]) -> None:
    assert parse_range(typed).within(size) == within


@pytest.mark.parametrize(("typed", "size"), [("10-", 10), ("10-20", 10), ("11-", 10), ("0-", 0), ("-1", 0)])
def test_a_range_of_which_the_file_has_nothing_names_the_size(typed: str, size: int) -> None:
    with pytest.raises(UsageError, match=f" {size} bytes"):
        parse_range(typed).within(size)


@pytest.mark.parametrize(
    "typed",
    ["", "-", "5", "5-4", "-0", "a-b", "1-2-3", " 1-2", "1 - 2", "--1", "1-2,4-5", "+1-2", "٣-٤", "9" * 19 + "-"],
)
def test_what_is_no_range_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="no range"):
        parse_range(typed)
