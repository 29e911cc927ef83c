"""Who may stand in the door: bounds on handshakes that are not finished."""

from __future__ import annotations

from collections import Counter
from typing import Final
from urllib.parse import urlsplit

from capsa.net.session import Session

HANDSHAKES_MAX: Final = 64
HANDSHAKES_A_HOST_MAX: Final = 16
_LOOPBACK: Final = ("127.", "::1")


def _host(session: Session) -> str:
    """The other side's host; empty where hosts mean nothing (loopback, other transports, not yet connected)."""
    host = urlsplit(session.remote).hostname or ""
    return "" if host.startswith(_LOOPBACK) else host


class Doorkeeper:
    """Drops the oldest unfinished handshake when the house, or its host's share, is full.

    Silent sockets so make room for those who speak, and lock nobody out.
    """

    def __init__(self) -> None:
        self._waiting: list[Session] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, session: Session) -> None:
        """A connection is being accepted; its handshake begins. Its host shows from the next call on."""
        hosts = Counter(host for host in map(_host, self._waiting) if host)
        crowded = next((host for host, count in hosts.items() if count > HANDSHAKES_A_HOST_MAX), None)
        if crowded is not None:
            self._drop(next(waiting for waiting in self._waiting if _host(waiting) == crowded))
        elif len(self._waiting) >= HANDSHAKES_MAX:
            self._drop(self._waiting[0])
        self._waiting.append(session)

    def leave(self, session: Session) -> None:
        """Its handshake is over, well or badly; a repeat does nothing."""
        if session in self._waiting:
            self._waiting.remove(session)

    def _drop(self, session: Session) -> None:
        self._waiting.remove(session)
        session.abort()
