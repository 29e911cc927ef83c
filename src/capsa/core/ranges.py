"""Ranges of a file's bytes, as people write them: `A-B` with both ends included, `A-` to the end, `-N` the last N."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from capsa.errors import UsageError

_FORM: Final = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From `first` up to and including `last` (None: to the end); without `first`, the last `last` bytes."""

    first: int | None
    last: int | None

    def within(self, size: int) -> tuple[int, int]:
        """Start and stop (not included) in a file of `size` bytes; `UsageError` if it has none of these bytes."""
        if self.first is None:
            assert self.last is not None
            start, stop = max(0, size - self.last), size
        else:
            start, stop = self.first, size if self.last is None else min(size, self.last + 1)
        if start >= size:
            raise UsageError(
                f"The range begins at byte {start}, and the file has {size} bytes.", "The first byte is number 0."
            )
        return start, stop


def parse_range(text: str) -> ByteRange:
    """What was typed; `UsageError`."""
    match = _FORM.fullmatch(text)
    first, last = (int(part) if part else None for part in match.groups()) if match else (None, None)
    if (first is None and not last) or (first is not None and last is not None and last < first):
        raise UsageError(f"{text!r} is no range of bytes.", "Write 0-99 for the first hundred, 100- or -100.")
    return ByteRange(first, last)
