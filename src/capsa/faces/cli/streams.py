"""The three standard streams, any of which may be closed when the process starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

_STANDARD: Final = (0, 1, 2)


def fill_gaps() -> None:
    """Put /dev/null in the place of every standard stream that is closed.

    The next file that is opened, such as the home's database, would else have its number, and take what is meant for
    stdout. Python, too, prints on stdout what is meant for a stderr that is not there.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays open
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays open
