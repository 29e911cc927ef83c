"""Sizes, durations and times: how people write them, and how they are shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from capsa.errors import UsageError

SIZE_MAX: Final = 2**63 - 1

_SIZE_UNITS: Final = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000 ** (power + 1) for power, letter in enumerate("kmgtp")},
    **{f"{letter}ib": 1024 ** (power + 1) for power, letter in enumerate("kmgtp")},
}
_DURATION_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_NUMBER = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?)\s*([a-z]*)", re.ASCII)
_DURATION_MAX: Final = 1000 * 365 * 86400


def parse_size(text: str) -> int:
    """Bytes in a size such as `200GB` (powers of 1000), `10GiB` (of 1024) or `0`; `UsageError`."""
    found = _NUMBER.fullmatch(text.strip().lower())
    unit = _SIZE_UNITS.get(found[2]) if found else None
    if found is None or unit is None or float(found[1]) * unit > SIZE_MAX:
        raise UsageError(f"{text!r} is not a size.", "Write sizes like 200GB, 10GiB or 0.")
    return int(found[1]) * unit if found[1].isdecimal() else int(float(found[1]) * unit)


def parse_duration(text: str) -> int:
    """Seconds in a duration such as `30m`, `48h`, `7d` or `1y` (365 days); `UsageError` unless above zero."""
    found = _NUMBER.fullmatch(text.strip().lower())
    seconds = float(found[1]) * _DURATION_UNITS.get(found[2], 0) if found else 0
    if not 1 <= seconds <= _DURATION_MAX:
        raise UsageError(f"{text!r} is not a duration.", "Write durations like 30m, 48h or 7d.")
    return int(seconds)


def show_size(size: float) -> str:
    """A number of bytes for people, in powers of 1000: `999 B`, `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} PB"


def show_seconds(seconds: float) -> str:
    """A stretch of time for people: `42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def show_age(seconds: float) -> str:
    """How long ago something was, in one short word: `now`, `42 s`, `5 min`, `3 h`, `12 d`; `never` below zero."""
    if seconds < 0:
        return "never"
    whole = round(seconds)
    if whole < 1:
        return "now"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= size:
            return f"{whole // size:,} {unit}"
    return f"{whole} s"


def count_of(number: int, noun: str, nouns: str = "") -> str:
    """A number of things for people: `1 block`, `1,500 blocks`; `nouns` where the plural takes more than an s."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


def rfc3339(unix_seconds: float) -> str:
    """A time in UTC as RFC 3339 has it, to the second; years that it cannot write become its first or last."""
    earliest, latest = -62135596800, 253402300799  # 0001-01-01 and 9999-12-31
    moment = datetime.fromtimestamp(min(max(int(unix_seconds // 1), earliest), latest), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
