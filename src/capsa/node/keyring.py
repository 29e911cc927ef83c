"""The keyring: the owner's entropy in the node's memory, for a while, so that commands need no passphrase."""

from __future__ import annotations

import asyncio

from capsa.core.ids import OwnerId
from capsa.core.keystore import OpenKeystore
from capsa.seams import Clock


class Keyring:
    """Keeps an owner's entropy until it is dropped, its time is over, or the process ends. Nothing is written.

    Its time is over when either clock says so: the event loop's cannot be turned back, and the wall clock goes on
    while the machine sleeps.
    """

    def __init__(self, owner: OwnerId, clock: Clock) -> None:
        self._owner = owner
        self._clock = clock
        self._entropy = b""
        self._deadline = 0.0
        self._until = 0.0
        self._end: asyncio.TimerHandle | None = None

    def keep(self, entropy: bytes, seconds: float) -> None:
        """Keep it for so long from now, whatever was said before; `HomeError` if it is not this home's owner's."""
        entropy = OpenKeystore(entropy).reveal(self._owner)
        self.drop()
        loop = asyncio.get_running_loop()
        self._entropy = entropy
        self._deadline, self._until = loop.time() + seconds, self._clock.now() + seconds
        self._end = loop.call_later(seconds, self.drop)

    def take(self) -> bytes:
        """The entropy, or nothing where none is kept."""
        if self._entropy and self.seconds_left() <= 0:
            self.drop()
        return self._entropy

    def seconds_left(self) -> float:
        """For how long it is still kept; 0 where none is."""
        if not self._entropy:
            return 0.0
        now = asyncio.get_running_loop().time()
        return max(0.0, min(self._deadline - now, self._until - self._clock.now()))

    def drop(self) -> None:
        """Forget it; a repeat does nothing."""
        self._entropy = b""
        if self._end is not None:
            self._end.cancel()
            self._end = None
