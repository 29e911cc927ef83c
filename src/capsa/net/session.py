"""A session: calls in both directions over one channel, each request in a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from capsa.core.envelope import Codec, Envelope, Type, parse_envelope
from capsa.core.frames import Outgoing
from capsa.core.ids import Buffer
from capsa.core.messages import PAYLOAD_SIZE_MAX, Failure, Hello, Message
from capsa.errors import (
    CapsaError,
    DeadlineError,
    LostConnectionError,
    ProtocolError,
    UnknownKindError,
    from_wire,
)
from capsa.net.channel import Channel, ChannelOwner
from capsa.net.identity import Peer
from capsa.net.rpc import (
    HANDLERS_MAX,
    REPLY_BYTES_MAX,
    REQUEST_BYTES_MAX,
    REQUESTS_MAX,
    Handler,
    Reply,
    Turnstile,
)

LIFETIME_SECONDS: Final = 24 * 3600.0
"""After this a session is replaced by one with new keys."""
RETIRE_GRACE_SECONDS: Final = 30.0
"""How long a retired session may take to finish what is under way."""
_LINGER_SECONDS: Final = 1.0  # a request that was already on its way still gets its answer
_TEXT_MAX: Final = 1024

_log = logging.getLogger(__name__)


class _Call:
    """A request of ours that the other side has not answered yet, even if nobody waits for it any more."""

    __slots__ = ("reply", "size")

    def __init__(self, size: int, reply: asyncio.Future[Reply]) -> None:
        self.size = size
        self.reply = reply


class _Request:
    """A request of the other side that waits for its handler."""

    __slots__ = ("message", "number", "payload")

    def __init__(self, number: int, message: Message, payload: memoryview) -> None:
        self.number = number
        self.message = message
        self.payload = payload


class Session:
    """One session with one peer. Made before its connection: `channel` is the connection's receiver."""

    def __init__(self, channel: Callable[[ChannelOwner], Channel], codec: Codec, handler: Handler) -> None:
        self.channel = channel(self)
        self.hello: Hello | None = None
        """What the peer said first, where sessions begin with a greeting."""
        self.dialled = False
        """Whether this side dialled."""
        self.retiring = False
        """Whether it takes no new work and ends once idle."""
        loop = asyncio.get_running_loop()
        self.used_at = loop.time()
        """When a request last passed, either way (`loop.time()`)."""
        self._loop = loop
        self._codec = codec
        self._handler = handler
        self._peer: Peer | None = None
        self._opened: asyncio.Future[Peer] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._error: CapsaError | None = None
        self._next_request = 0
        self._calls: dict[int, _Call] = {}
        self._turnstile = Turnstile()
        self._requests: deque[_Request] = deque()
        self._handled: dict[int, int] = {}
        self._handled_bytes = 0
        self._paused = False
        self._reply_bytes = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._handlers: dict[int, asyncio.Task[None]] = {}
        self._timers: list[asyncio.TimerHandle] = []

    def __repr__(self) -> str:
        return f"Session({self.channel.remote or 'not connected'})"

    # --- for everybody ---------------------------------------------------------------------------

    @property
    def peer(self) -> Peer:
        """The other end, proven; there once the session is open."""
        assert self._peer is not None
        return self._peer

    @property
    def remote(self) -> str:
        """The other end's address, for people."""
        return self.channel.remote

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._ended.done()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way in either direction."""
        return not self._calls and not self._handled

    async def opened(self) -> Peer:
        """Wait for the end of the handshake; raises what ended it. Set a deadline."""
        return await asyncio.shield(self._opened)

    async def wait_closed(self) -> None:
        """Wait for the end."""
        await asyncio.shield(self._ended)

    async def call(self, message: Message, payload: Sequence[Buffer] = (), *, timeout: float) -> Reply:
        """Send a request with its payload (at most `PAYLOAD_SIZE_MAX` bytes); return the answer.

        Waits its turn when much is under way. Raises the error that the other side answered with,
        `DeadlineError` after `timeout` seconds, `LostConnectionError` when the session ends; whether the
        request was handled is unknown then, and a retry is the caller's to judge. The buffers of `payload` stay
        untouched until the call returns. Cancellation takes a request back that has not begun to leave.
        """
        size = sum(memoryview(part).nbytes for part in payload)
        assert size <= PAYLOAD_SIZE_MAX, size
        try:
            async with asyncio.timeout(timeout):
                return await self._call(message, payload, size)
        except TimeoutError:
            raise DeadlineError(f"No answer came within {timeout:g} seconds.") from None

    def close(self) -> None:
        """End in order: what is queued still leaves; unanswered calls fail."""
        self.channel.close()

    def abort(self, error: CapsaError | None = None) -> None:
        """End now."""
        self.channel.abort(error)

    def retire(self) -> None:
        """Take leave: end in order once idle, at the latest after `RETIRE_GRACE_SECONDS`."""
        if not self.retiring and not self.closed:
            self.retiring = True
            self._timers.append(self._loop.call_later(RETIRE_GRACE_SECONDS, self.close))
            self._settle()

    async def run(self) -> None:
        """Handle the other side's requests until the session ends; cancelling this ends it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                try:
                    self._start_handlers()
                    await self.wait_closed()
                    for task in self._handlers.values():
                        task.cancel()
                finally:
                    self._tasks = None  # a group that is shutting down takes no more
        finally:
            self.abort()

    # --- for the channel -------------------------------------------------------------------------

    def proven(self, peer: Peer) -> None:
        self._peer = peer
        self._timers.append(self._loop.call_later(LIFETIME_SECONDS, self.retire))
        self._opened.set_result(peer)

    def received(self, message: memoryview) -> None:
        envelope = parse_envelope(message)
        if envelope.type is Type.REPLY:
            self._answered(envelope)
            return
        number, size = envelope.request, len(envelope.payload)
        if len(self._handled) >= REQUESTS_MAX or number in self._handled:
            raise ProtocolError("The other side sent more requests than a session may have under way.")
        self.used_at = self._loop.time()
        self._handled[number] = size
        self._handled_bytes += size
        if self._handled_bytes > REQUEST_BYTES_MAX:
            self._paused = True
            self.channel.pause_reading()
        try:
            body = self._codec.decode(envelope)
        except UnknownKindError as error:
            self._reply(number, self._encode(number, _failure(error)))
            return
        self._requests.append(_Request(number, body, envelope.payload))
        self._start_handlers()

    def worn(self) -> None:
        self.retire()

    def ended(self, error: CapsaError | None) -> None:
        self._error = error
        for timer in self._timers:
            timer.cancel()
        lost = self._lost()
        if not self._opened.done():
            self._opened.set_exception(
                error
                or LostConnectionError(
                    "The other side ended the connection during the handshake.",
                    "It may be of another network, or not admit this node.",
                )
            )
            self._opened.exception()  # looked at, whether or not somebody waits
        for call in self._calls.values():
            if not call.reply.done():
                call.reply.set_exception(lost)
                call.reply.exception()
        self._calls.clear()
        self._turnstile.close(lost)
        self._requests.clear()
        self._ended.set_result(None)

    # --- calls -----------------------------------------------------------------------------------

    def _lost(self) -> LostConnectionError:
        because = f" ({self._error.message})" if self._error is not None else ""
        return LostConnectionError(f"The session ended before the answer came{because}.")

    async def _call(self, message: Message, payload: Sequence[Buffer], size: int) -> Reply:
        if self.closed:
            raise self._lost()
        request = self._next_request
        self._next_request = (request + 1) % 2**32
        head = self._codec.encode(Type.REQUEST, request, message, size)
        await self._turnstile.enter(size)
        if self.closed:
            raise self._lost()
        call = self._calls[request] = _Call(size, self._loop.create_future())
        self.used_at = self._loop.time()
        outgoing = self.channel.send((head, *payload))
        try:
            return await call.reply
        except asyncio.CancelledError:
            self._forget(request, outgoing)
            raise

    def _forget(self, request: int, outgoing: Outgoing) -> None:
        """Nobody waits any more; if the request has begun to leave, its place stays taken until it is answered."""
        call = self._calls.get(request)
        if call is not None and self.channel.withdraw(outgoing):
            del self._calls[request]
            self._turnstile.leave(call.size)
            self._settle()

    def _answered(self, envelope: Envelope) -> None:
        call = self._calls.pop(envelope.request, None)
        if call is None:
            raise ProtocolError("The other side answered what it was not asked.")
        self._turnstile.leave(call.size)
        self._settle()
        if not call.reply.done():
            try:
                body = self._codec.decode(envelope)
            except UnknownKindError as error:
                call.reply.set_exception(error)
                return
            if isinstance(body, Failure):
                call.reply.set_exception(from_wire(body.kind, body.message, body.hint))
            else:
                call.reply.set_result(Reply(body, envelope.payload))

    def _settle(self) -> None:
        """A session in retirement ends when nothing is under way."""
        if self.retiring and self.idle and not self.closed:
            self._timers.append(self._loop.call_later(_LINGER_SECONDS, self._close_if_idle))

    def _close_if_idle(self) -> None:
        if self.idle:
            self.close()

    # --- requests --------------------------------------------------------------------------------

    def _start_handlers(self) -> None:
        while (
            self._requests
            and self._tasks is not None
            and len(self._handlers) < HANDLERS_MAX
            and self._reply_bytes < REPLY_BYTES_MAX
        ):
            request = self._requests.popleft()
            self._handlers[request.number] = self._tasks.create_task(self._handle(request))

    async def _handle(self, request: _Request) -> None:
        number = request.number
        try:
            body, payload = await self._handler(self, request.message, request.payload)
            answer = self._encode(number, body, payload)
        except asyncio.CancelledError:
            self.abort()
            raise
        except CapsaError as error:
            answer = self._encode(number, _failure(error))
        except Exception:  # noqa: BLE001 - a handler's bug is answered and logged; it does not end the session
            _log.exception("a handler failed")
            message = "The other side failed to handle the request; its log says more."
            answer = self._encode(number, Failure(CapsaError.kind, message))
        del self._handlers[number]
        if not self.closed:
            self._reply(number, answer)
            self._start_handlers()

    def _encode(self, number: int, body: Message, payload: Sequence[Buffer] = ()) -> Sequence[Buffer]:
        payload_size = sum(memoryview(part).nbytes for part in payload)
        return (self._codec.encode(Type.REPLY, number, body, payload_size), *payload)

    def _reply(self, number: int, answer: Sequence[Buffer]) -> None:
        size = sum(memoryview(part).nbytes for part in answer)
        self._reply_bytes += size
        self._handled_bytes -= self._handled[number]
        self._handled[number] = 0
        if self._paused and self._handled_bytes <= REQUEST_BYTES_MAX:
            self._paused = False
            self.channel.resume_reading()
        self.channel.send(answer, lambda: self._replied(number, size))

    def _replied(self, number: int, size: int) -> None:
        """The answer has left. Until then its request counted: whoever asks, and never reads, is bounded by that."""
        del self._handled[number]
        self._reply_bytes -= size
        self._start_handlers()
        self._settle()


def _failure(error: CapsaError) -> Failure:
    return Failure(error.kind, error.message[:_TEXT_MAX], error.hint[:_TEXT_MAX])
