"""The trace of a run: what happened, when and where, and one hash over it all.

Events are names, times, kinds and sizes, never ciphertext: two runs from one seed must give the same hash, and a
difference is found by comparing the newest events of both.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from blake3 import blake3

EVENTS_KEPT_MAX: Final = 100_000
"""The hash covers all events; only the newest are kept to be read."""


class Trace:
    """Events in the order in which they happened."""

    def __init__(self) -> None:
        self._hash = blake3()
        self._newest: deque[str] = deque(maxlen=EVENTS_KEPT_MAX)
        self._count = 0

    def note(self, kind: str, *facts: str | int | float) -> None:
        """Record an event at the loop's time; `facts` are names and sizes."""
        event = f"{asyncio.get_running_loop().time():.9f} {kind} {' '.join(map(str, facts))}".rstrip()
        self._hash.update(event.encode() + b"\n")
        self._newest.append(event)
        self._count += 1

    @property
    def events(self) -> list[str]:
        """The newest events, oldest first."""
        return list(self._newest)

    @property
    def digest(self) -> str:
        """The hash over all events so far, in hexadecimal."""
        return self._hash.hexdigest()

    def __len__(self) -> int:
        return self._count
