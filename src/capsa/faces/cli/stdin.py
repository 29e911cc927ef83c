"""Stdin as a source of a put, from which a waiting reader can be called away."""

from __future__ import annotations

import os
import select
import sys
from typing import Final

from capsa.client.sources import StreamSource
from capsa.errors import UsageError

_AWAY: Final = b"!"


class StdinSource(StreamSource):
    """What comes on stdin. `close`, on another thread, ends a read that waits: it finds the end of the input.

    Without that, an interrupted put would hang until somebody typed something.
    """

    def __init__(self) -> None:
        """Raises `UsageError` if the process has no stdin."""
        if sys.stdin is None:
            raise UsageError("There is no stdin to read.", "Name a file, or feed one in with a pipe.")
        self._stdin = _Wakeable(sys.stdin.fileno())
        super().__init__(self._stdin)

    def close(self) -> None:
        self._stdin.wake()


class _Wakeable:
    """Reads a descriptor, and can be told to stop waiting for it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._door, self._bell = os.pipe()

    def read(self, size: int, /) -> bytes:
        ready, _, _ = select.select([self._descriptor, self._door], [], [])
        return b"" if self._door in ready else os.read(self._descriptor, size)

    def wake(self) -> None:
        os.write(self._bell, _AWAY)

    def __del__(self) -> None:
        os.close(self._bell)
        os.close(self._door)
