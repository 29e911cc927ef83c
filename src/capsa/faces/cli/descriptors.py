"""Reading a descriptor so that a waiting reader can be called away."""

from __future__ import annotations

import os
import select
from typing import Final

_AWAY: Final = b"!"


class Wakeable:
    """Reads a descriptor, and can be told, on another thread, to stop waiting for it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._door, self._bell = os.pipe()

    def read(self, size: int, /) -> bytes:
        """What is there, once something is: at most `size` bytes, none at the end or when called away."""
        ready, _, _ = select.select([self._descriptor, self._door], [], [])
        return b"" if self._door in ready else os.read(self._descriptor, size)

    def wake(self) -> None:
        """End a read that waits, and every later one, as if the input had ended."""
        os.write(self._bell, _AWAY)

    def __del__(self) -> None:
        os.close(self._bell)
        os.close(self._door)
