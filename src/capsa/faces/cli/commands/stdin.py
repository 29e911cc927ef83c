"""Stdin as a source of a put, from which a waiting reader can be called away."""

from __future__ import annotations

import sys

from capsa.client.puts.sources import StreamSource
from capsa.errors import UsageError
from capsa.faces.cli.descriptors import Wakeable


class StdinSource(StreamSource):
    """What comes on stdin. `close`, on another thread, ends a read that waits: it finds the end of the input.

    Without that, an interrupted put would hang until somebody typed something.
    """

    def __init__(self) -> None:
        """Raises `UsageError` if the process has no stdin."""
        if sys.stdin is None:
            raise UsageError("There is no stdin to read.", "Name a file, or feed one in with a pipe.")
        self._stdin = Wakeable(sys.stdin.fileno())
        super().__init__(self._stdin)

    def close(self) -> None:
        self._stdin.wake()
