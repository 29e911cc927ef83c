"""Frames: how messages share one stream of bytes, so that small ones overtake bulk.

A frame is a header of 4 bytes (kind, then length in 3 bytes, big-endian) and as many bytes. A small message is
one WHOLE frame. A bulk message is a FIRST frame, whose header is followed by the message's total length
(4 bytes), and MORE frames. At most one bulk message is under way in a direction; WHOLE frames may come between
its frames. Frames and records are cut independently: a frame may span records, a record may hold many frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from capsa.core.ids import Buffer
from capsa.core.messages import BODY_SIZE_MAX, PAYLOAD_SIZE_MAX
from capsa.core.records import PLAINTEXT_SIZE_MAX
from capsa.errors import ProtocolError

WHOLE: Final = 1
FIRST: Final = 2
MORE: Final = 3

HEADER_SIZE: Final = 4
FIRST_HEADER_SIZE: Final = 8
SMALL_SIZE_MAX: Final = 16 * 1024
FRAME_SIZE_MAX: Final = 4 * PLAINTEXT_SIZE_MAX
"""How much bulk a small message may have to wait for: four full records."""
MESSAGE_SIZE_MAX: Final = 16 + BODY_SIZE_MAX + PAYLOAD_SIZE_MAX

_DIRECT_SIZE_MIN: Final = 8 * 1024  # below this, copying beats a record of its own
_SCRATCH_SIZE: Final = 16 * 1024
_NOTHING: Final = memoryview(b"")


class Outgoing:
    """A message on its way out: its parts, one after the other, are its bytes."""

    __slots__ = ("begun", "left", "on_sent", "parts", "size")

    def __init__(self, parts: Sequence[Buffer], on_sent: Callable[[], None] | None = None) -> None:
        self.parts = deque(memoryview(part).cast("B") for part in parts if len(part))
        self.size = sum(map(len, self.parts))
        self.left = self.size
        self.begun = False
        self.on_sent = on_sent

    def keep(self) -> None:
        """Copy what has not left yet, so that the caller may have its buffers back."""
        self.parts = deque(memoryview(bytes(part)) for part in self.parts)


class FrameWriter:
    """Turns messages into plaintexts; small messages first, bulk ones in order, without joining their parts."""

    def __init__(self) -> None:
        self._small: deque[Outgoing] = deque()
        self._bulk: deque[Outgoing] = deque()
        self._scratch = memoryview(bytearray(_SCRATCH_SIZE))
        self._current: Outgoing | None = None
        self._frame_left = 0

    def send(self, message: Outgoing) -> None:
        """Queue a message of 1 to `MESSAGE_SIZE_MAX` bytes; its parts stay untouched until `on_sent` is called."""
        assert 0 < message.size <= MESSAGE_SIZE_MAX, message.size
        (self._small if message.size <= SMALL_SIZE_MAX else self._bulk).append(message)

    def withdraw(self, message: Outgoing) -> bool:
        """Give the caller its buffers back. True: not a byte had left, and none will; false: the rest was copied."""
        if message.begun:
            message.keep()
            return False
        (self._small if message.size <= SMALL_SIZE_MAX else self._bulk).remove(message)
        return True

    @property
    def pending(self) -> bool:
        """Whether anything is left to send."""
        return bool(self._frame_left or self._small or self._bulk)

    @property
    def bulky(self) -> bool:
        """Whether a bulk message is under way or waiting."""
        return bool(self._bulk)

    def next(self, limit: int) -> memoryview:
        """The next plaintext, at most `limit` (64 or more) bytes; empty when nothing is pending.

        It is a slice of a message's own part where that is worth it, else of a scratch that the next call reuses.
        """
        scratch = self._scratch
        room = min(limit, _SCRATCH_SIZE)
        used = 0
        while True:
            if not self._frame_left:
                if room - used < FIRST_HEADER_SIZE:
                    break
                header = self._begin_frame()
                if not header:
                    break
                scratch[used : used + len(header)] = header
                used += len(header)
            assert self._current is not None
            available = min(len(self._current.parts[0]), self._frame_left)
            if available >= _DIRECT_SIZE_MIN:
                return scratch[:used] if used else self._take(min(available, limit))
            take = min(available, room - used)
            if not take:
                break
            scratch[used : used + take] = self._take(take)
            used += take
        return scratch[:used]

    def _begin_frame(self) -> bytes:
        """Choose whose frame comes next; its header, or nothing."""
        if self._small:
            message = self._current = self._small.popleft()
            message.begun = True
            self._frame_left = message.size
            return (WHOLE << 24 | message.size).to_bytes(HEADER_SIZE, "big")
        if not self._bulk:
            return b""
        message = self._current = self._bulk[0]
        length = self._frame_left = min(message.left, FRAME_SIZE_MAX)
        if message.begun:
            return (MORE << 24 | length).to_bytes(HEADER_SIZE, "big")
        message.begun = True
        return (FIRST << 24 | length).to_bytes(HEADER_SIZE, "big") + message.size.to_bytes(4, "big")

    def _take(self, size: int) -> memoryview:
        """The next bytes of the current frame, all within one part."""
        message = self._current
        assert message is not None
        part = message.parts[0]
        if size == len(part):
            message.parts.popleft()
            piece = part
        else:
            piece = part[:size]
            message.parts[0] = part[size:]
        self._frame_left -= size
        message.left -= size
        if not message.left:
            if message.size > SMALL_SIZE_MAX:
                self._bulk.popleft()
            if message.on_sent is not None:
                message.on_sent()
        return piece


def _fresh(size: int) -> memoryview:
    return memoryview(bytearray(size))


class FrameReader:
    """Turns plaintexts into messages; each is delivered as a view of memory that nobody else uses.

    Memory is taken when a header announces it, at most `SMALL_SIZE_MAX` + `size_max` at a time. Raises
    `ProtocolError` on a header that breaks the rules; the reader is of no use afterwards.
    """

    def __init__(
        self,
        deliver: Callable[[memoryview], None],
        size_max: int = MESSAGE_SIZE_MAX,
        memory: Callable[[int], memoryview] = _fresh,
    ) -> None:
        """`memory` gives the memory of a bulk message, whatever may be in it."""
        self._deliver = deliver
        self._memory = memory
        self._size_max = size_max
        self._header = bytearray(FIRST_HEADER_SIZE)
        self._header_have = 0
        self._header_need = HEADER_SIZE
        self._bulk: memoryview | None = None
        self._bulk_have = 0
        self._small: memoryview | None = None
        self.room = _NOTHING
        """What the current frame still lacks, in the message's own memory; empty between frames."""

    def feed(self, data: memoryview) -> None:
        """Take the next bytes of the stream, which may be cut anywhere."""
        at, end = 0, len(data)
        while at < end:
            if self.room:
                size = min(len(self.room), end - at)
                self.room[:size] = data[at : at + size]
                self.advance(size)
            else:
                have = self._header_have
                size = min(self._header_need - have, end - at)
                self._header[have : have + size] = data[at : at + size]
                self._header_have = have + size
                if self._header_have == self._header_need:
                    self._begin_frame()
            at += size

    def advance(self, size: int) -> None:
        """Say that the next `size` bytes of the stream have landed at the start of `room`."""
        self.room = self.room[size:]
        if self.room:
            return
        self._header_have, self._header_need = 0, HEADER_SIZE
        if self._small is not None:
            message, self._small = self._small, None
            self._deliver(message)
        elif self._bulk is not None and self._bulk_have == len(self._bulk):
            message, self._bulk = self._bulk, None
            self._deliver(message)

    def _begin_frame(self) -> None:
        header = self._header
        kind = header[0]
        length = header[1] << 16 | header[2] << 8 | header[3]
        if kind == FIRST and self._header_need == HEADER_SIZE:
            self._header_need = FIRST_HEADER_SIZE
        elif kind == FIRST:
            total = int.from_bytes(header[HEADER_SIZE:], "big")
            if self._bulk is not None or total > self._size_max:
                raise ProtocolError(f"The other side began a message of {total} bytes out of bounds or out of turn.")
            if not 0 < length <= min(total, FRAME_SIZE_MAX):
                raise ProtocolError(f"The other side sent a frame of {length} bytes.")
            self._bulk = self._memory(total)
            self._bulk_have = length
            self.room = self._bulk[:length]
        elif kind == MORE:
            if self._bulk is None:
                raise ProtocolError("The other side went on with a message that it had not begun.")
            have = self._bulk_have
            if not 0 < length <= min(len(self._bulk) - have, FRAME_SIZE_MAX):
                raise ProtocolError(f"The other side sent a frame of {length} bytes.")
            self._bulk_have = have + length
            self.room = self._bulk[have : have + length]
        elif kind == WHOLE and 0 < length <= SMALL_SIZE_MAX:
            self._small = memoryview(bytearray(length))
            self.room = self._small
        else:
            raise ProtocolError(f"The other side sent a frame of kind {kind} with {length} bytes.")
