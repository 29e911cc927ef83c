"""The head lock: one command at a time signs this home's next head."""

from __future__ import annotations

import asyncio

from capsa.net.session import Session


class HeadLock:
    """A lock held by a session, and given back when the session ends."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._holder: Session | None = None

    async def take(self, session: Session) -> None:
        """Wait for the lock. The session must be alive when its turn comes; a dead one's turn passes on."""
        if self._holder is session:
            return
        await self._lock.acquire()
        self._holder = session
        if session.closed:
            self.free(session)

    def held_by(self, session: Session) -> bool:
        """Whether the lock is this session's now."""
        return self._holder is session

    def free(self, session: Session) -> None:
        """Give the lock back; does nothing for a session that does not hold it."""
        if self._holder is session:
            self._holder = None
            self._lock.release()
