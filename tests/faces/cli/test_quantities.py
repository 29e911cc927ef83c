from __future__ import annotations

import pytest

from capsa.errors import UsageError
from capsa.faces.cli.quantities import (
    count_of,
    parse_duration,
    parse_size,
    rfc3339,
    show_age,
    show_seconds,
    show_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17", 17),
        ("17 B", 17),
        ("200GB", 200 * 10**9),
        ("200gb", 200 * 10**9),
        ("10GiB", 10 * 2**30),
        ("1.5kB", 1500),
        ("9PiB", 9 * 2**50),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_sizes_are_understood(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 GB GB", "1e3", "0x10", "half", "99999999PB", "١GB"])
def test_what_is_no_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("48h", 172800), ("7d", 604800), ("1y", 31536000), ("1s", 1), ("1.5h", 5400)]
)
def test_durations_are_understood(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "48", "0h", "0.5s", "-1h", "h", "5 fortnights", "999999y"])
def test_what_is_no_duration_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1536000, "1.5 MB"), (256 * 10**6, "256 MB"), (10**16, "10.0 PB")],
)
def test_sizes_are_shown(size: int, text: str) -> None:
    assert show_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (864000, "10 days")]
)
def test_stretches_of_time_are_shown(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 copies"), (1, "1 copy"), (2, "2 copies"), (1234567, "1,234,567 copies")]
)
def test_numbers_of_things_are_shown(number: int, text: str) -> None:
    assert count_of(number, "copy", "copies") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "never"), (0.2, "now"), (42, "42 s"), (59.6, "1 min"), (3600, "1 h"), (90000, "1 d"), (1e8, "1,157 d")],
)
def test_ages_are_shown(seconds: float, text: str) -> None:
    assert show_age(seconds) == text


def test_most_plurals_take_an_s() -> None:
    assert (count_of(1, "block"), count_of(2, "block")) == ("1 block", "2 blocks")


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-0.5, "1969-12-31T23:59:59Z"),
        (1700000000.9, "2023-11-14T22:13:20Z"),
        (-(2**63) / 1e9, "1677-09-21T00:12:43Z"),
        (-1e15, "0001-01-01T00:00:00Z"),
        (1e15, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_are_rfc_3339(time: float, text: str) -> None:
    assert rfc3339(time) == text
