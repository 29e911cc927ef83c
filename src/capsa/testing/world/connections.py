"""The two ends of a simulated connection, each a `Connection` as `capsa.net.base` says.

A receiver is only ever called by the loop, never from within a call on its connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from capsa.net.base import Receiver
from capsa.testing.world.trace import Trace
from capsa.testing.world.wires import Item, Mark, Pipe, Wire


class End:
    """One end of a connection.

    `opening` is called when the other side knocks (at the server) or answers (at the client): it gives the receiver,
    or None to refuse. `on_end` is called once, opened or not.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        local: str,
        remote: str,
        answers: bool,
        opening: Callable[[], Receiver | None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        self._trace = trace
        self._local = local
        self._remote = remote
        self._answers = answers
        self._opening = opening
        self._on_end = on_end
        self._receiver: Receiver | None = None
        self._other: End
        self._outgoing: Pipe
        self._unread: deque[memoryview] = deque()
        self._kept: memoryview | None = None
        self._paused = False
        self._other_closed = False
        self._closing = False
        self._ended = False

    @staticmethod
    def join(client: End, server: End, there: Wire, back: Wire) -> None:
        """Lay a pipe each way and let the client knock."""

        def lose() -> None:
            client.lose()
            server.lose()

        client._other, server._other = server, client
        client._outgoing = Pipe(there, server._arrive, lose)
        server._outgoing = Pipe(back, client._arrive, lose)
        client._outgoing.mark(Mark.OPEN)

    @property
    def remote(self) -> str:
        return self._remote

    @property
    def local(self) -> str:
        return self._local

    def write(self, data: memoryview) -> bool:
        assert self._kept is None, "written to while clogged: wait for `writable`"
        if self._closing or self._ended:
            return True
        rest = self._outgoing.take(data)
        self._kept = rest if len(rest) else None
        return self._kept is None

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._deliver)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._end_when_written()

    def abort(self) -> None:
        if not self._ended:
            self._outgoing.reset()
            self._end(None)

    def lose(self) -> None:
        """The connection is gone without a word from the other side. A repeat does nothing."""
        if not self._ended:
            self._outgoing.stop()
            self._end(ConnectionResetError("The simulated connection was lost."))

    def resume(self) -> None:
        """The wires are whole again."""
        self._outgoing.resume()

    # What happens when items arrive; called by the loop.

    def _arrive(self, item: Item) -> None:
        if isinstance(item, bytes):
            self._trace.note("bytes", self._remote, self._local, len(item))
            if self._closing or self._ended:
                self._other._make_room(len(item))
            else:
                self._unread.append(memoryview(item))
                self._deliver()
        elif self._ended:
            return
        elif item is Mark.OPEN:
            self._open()
        elif item is Mark.END:
            self._other_closed = True
            self._deliver()
        else:
            self._end(ConnectionResetError("The other side broke the simulated connection."))

    def _open(self) -> None:
        self._receiver = self._opening()
        if self._receiver is None:
            self.abort()
        else:
            if self._answers:
                self._outgoing.mark(Mark.OPEN)  # before anything that `connected` may write
            self._receiver.connected(self)

    def _deliver(self) -> None:
        while self._unread and self._receiver is not None and not (self._paused or self._closing or self._ended):
            data = self._unread.popleft()
            buffer = self._receiver.get_buffer()
            size = min(len(buffer), len(data))
            assert size, "`get_buffer` gave no room"
            buffer[:size] = data[:size]
            if size < len(data):
                self._unread.appendleft(data[size:])
            self._other._make_room(size)
            self._receiver.buffer_updated(size)
        if self._other_closed and not self._unread and not self._paused and not self._ended:
            self._end(None)

    def _make_room(self, size: int) -> None:
        self._outgoing.free(size)
        if self._kept is not None:
            asyncio.get_running_loop().call_soon(self._write_on)

    def _write_on(self) -> None:
        if self._kept is None or self._ended:
            return
        rest = self._outgoing.take(self._kept)
        self._kept = rest if len(rest) else None
        if self._kept is None and self._closing:
            self._end_when_written()
        elif self._kept is None and self._receiver is not None:
            self._receiver.writable()

    def _end_when_written(self) -> None:
        if self._kept is None and not self._ended:
            self._outgoing.mark(Mark.END)
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self._ended = True
        self._kept = None
        self._unread.clear()
        self._trace.note("ended", self._local, self._remote, "in order" if error is None else "lost")
        self._on_end(error)
        if self._receiver is not None:
            asyncio.get_running_loop().call_soon(self._receiver.disconnected, error)
