"""The pool: all sessions of a node, at most one a peer, opened on demand and used both ways.

Which peers to talk to is the caller's business. Which of two sessions with one peer stands is decided in
`Pool._stands`, and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from capsa.core.envelope import Codec
from capsa.core.ids import NodeId
from capsa.core.messages import PEER_MESSAGES, Hello, Message
from capsa.errors import (
    BusyError,
    CapsaError,
    DeadlineError,
    LostConnectionError,
    NotMemberError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from capsa.net.base import Listener, Transport
from capsa.net.channel import Channel
from capsa.net.doorkeeper import Doorkeeper
from capsa.net.identity import Authenticator, Role
from capsa.net.memory import BulkMemory
from capsa.net.rpc import Answer, Handler
from capsa.net.secure import SecureChannel
from capsa.net.session import Session
from capsa.seams import Entropy

HANDSHAKE_TIMEOUT_SECONDS: Final = 10.0
"""From an accepted connection to a greeted peer."""
JOINER_SECONDS: Final = 60.0
"""How long a session lasts that serves admission only, of which one invite can open any number."""
DIAL_TIMEOUT_SECONDS: Final = 10.0
"""From a dialled address to a greeted peer."""
SESSIONS_MAX: Final = 256
"""Open sessions beyond this close when idle, the longest idle first."""
SIMULTANEOUS_SECONDS: Final = 10.0
"""Two sessions opened within this time, dialled from both sides, are simultaneous dials."""
VERSION: Final = 1

_log = logging.getLogger(__name__)


class OwnAddressError(RefusedError):
    """Whoever answered at an address has our own device key."""


def _nothing(session: Session) -> None:
    """Nobody is told."""


def _end_old(old: Session, new: Session) -> None:
    """The peer was started again."""
    old.abort()


class Pool:
    """All sessions of a node. `run` owns every task; nothing works before it runs, and its end closes everything.

    `on_open` is called for each session that was greeted and stands, `on_close` for each of those once it ended.
    A peer that is not admitted yet gets a session too, but is not listed in `sessions`: what it may ask is the
    handler's to judge. `on_rival` is called with the old and the new session when a peer's place is taken by one of
    another boot id, and has the old one to end, at once or after a question. `keep` says whose idle session stays
    open whatever their number. `greet` makes our hello (by default, it tells the version and a random boot id).
    """

    def __init__(
        self,
        transports: Mapping[str, Transport],
        authenticator: Authenticator,
        handler: Handler,
        *,
        entropy: Entropy,
        messages: Sequence[type[Message]] = PEER_MESSAGES,
        greet: Callable[[Session], Hello] | None = None,
        on_open: Callable[[Session], None] = _nothing,
        on_close: Callable[[Session], None] = _nothing,
        on_rival: Callable[[Session, Session], None] = _end_old,
        keep: Callable[[NodeId], bool] = lambda _: False,
    ) -> None:
        self._transports = transports
        self._authenticator = authenticator
        self._handler = handler
        self._entropy = entropy
        self._codec = Codec((Hello, *messages))
        self._static_private = entropy.take(32)
        boot = entropy.take(16)
        self._greet = greet or (lambda session: Hello(VERSION, 0.0, boot, observed=session.remote))
        self._on_open = on_open
        self._on_close = on_close
        self._on_rival = on_rival
        self._keep = keep
        self._sessions: dict[NodeId, Session] = {}
        self._opened_at: dict[Session, float] = {}
        self._dials: dict[NodeId, asyncio.Future[Session]] = {}
        self._doorkeeper = Doorkeeper()
        self._memory = BulkMemory()
        self._listeners: list[Listener] = []
        self._tasks: asyncio.TaskGroup | None = None
        self._running = asyncio.Event()
        self.sessions: Mapping[NodeId, Session] = MappingProxyType(self._sessions)
        """The session with each admitted peer."""

    # --- for everybody ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Own all tasks, until cancelled; then listeners close and sessions end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._running.set()
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    self._tasks = None  # a group that is shutting down takes no more
        finally:
            self._running.clear()
            for listener in self._listeners:
                await listener.close()

    async def listen(self, address: str) -> Listener:
        """Accept peers at `address`, until the listener is closed; raises as `Transport.listen`."""
        await self._running.wait()
        listener = await self._transport(address).listen(address, self._accept)
        self._listeners.append(listener)
        return listener

    async def dial(self, address: str, *, expect: NodeId | None = None) -> Session:
        """The session with whoever answers at `address`, greeted.

        It is the one that stands: an older one with the same peer, if simultaneous dials were decided that way.
        Raises `UnreachableError`, `UsageError`, `ProtocolError`, and `NotMemberError` if the other side is no
        member or not `expect`. Cancellation leaves nothing open.
        """
        await self._running.wait()
        transport = self._transport(address)
        session = self._session(Role.INITIATOR)
        session.dialled = True
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_SECONDS):
                await transport.dial(address, session.channel)
                peer = await session.opened()
                if peer.node == self._authenticator.node:
                    raise OwnAddressError(f"The node at {address} is this node, or has its device key.")
                if expect is not None and peer.node != expect:
                    raise NotMemberError(f"Another node than expected answers at {address}.")
                self._spawn(session)
                reply = await session.call(self._greet(session), timeout=DIAL_TIMEOUT_SECONDS)
        except TimeoutError:
            session.abort()
            raise DeadlineError(f"Nobody answered at {address} within {DIAL_TIMEOUT_SECONDS:g} seconds.") from None
        except BaseException:
            session.abort()
            raise
        if not isinstance(reply.body, Hello):
            session.abort()
            raise ProtocolError(f"The node at {address} did not greet back.")
        return self._greeted(session, reply.body)

    async def session(self, node: NodeId, addresses: Sequence[str]) -> Session:
        """The session with `node`: the open one, or a new one by the first of `addresses` that works.

        Callers who wait for the same node share one attempt, which goes on if one of them is cancelled.
        Raises `UnreachableError` if no address works.
        """
        await self._running.wait()
        current = self._sessions.get(node)
        if current is not None and not current.closed and not current.retiring:
            return current
        dial = self._dials.get(node)
        if dial is None:
            if self._tasks is None:
                raise LostConnectionError("This node is stopping.")
            dial = self._dials[node] = asyncio.get_running_loop().create_future()
            self._tasks.create_task(self._dial_in_order(node, tuple(addresses), dial))
        return await asyncio.shield(dial)

    # --- dialling --------------------------------------------------------------------------------

    async def _dial_in_order(self, node: NodeId, addresses: Sequence[str], dial: asyncio.Future[Session]) -> None:
        problem: CapsaError = UnreachableError("No address of the node is known.")
        try:
            for address in addresses:
                try:
                    session = await self.dial(address, expect=node)
                except CapsaError as error:
                    problem = error
                    continue
                _settle(dial, session)
                return
            _fail(dial, UnreachableError(f"The node cannot be reached: {problem.message}", problem.hint))
        finally:
            if self._dials.get(node) is dial:
                del self._dials[node]
            _fail(dial, LostConnectionError("This node is stopping."))  # only if none of the above came

    def _transport(self, address: str) -> Transport:
        scheme = address.partition(":")[0]
        if scheme not in self._transports:
            known = ", ".join(self._transports)
            raise UsageError(f"{address!r} is not an address that this node can use.", f"It can use {known}.")
        return self._transports[scheme]

    # --- accepting -------------------------------------------------------------------------------

    def _accept(self) -> Channel:
        session = self._session(Role.RESPONDER)
        if self._tasks is None:
            session.abort()
            return session.channel
        self._doorkeeper.enter(session)
        self._tasks.create_task(self._welcome(session))
        return session.channel

    async def _welcome(self, session: Session) -> None:
        """Serve an accepted connection to its end; without a greeting in time it ends early."""
        loop = asyncio.get_running_loop()
        alarms = [loop.call_later(HANDSHAKE_TIMEOUT_SECONDS, self._give_up, session)]
        try:
            peer = await session.opened()
            self._doorkeeper.leave(session)
            if not peer.admitted:
                alarms.append(loop.call_later(JOINER_SECONDS, session.close))
            await session.run()
        except CapsaError as error:
            _log.info("refused a connection from %s: %s", session.remote or "nowhere", error.message)
        finally:
            for alarm in alarms:
                alarm.cancel()
            self._doorkeeper.leave(session)
            session.abort()
            self._closed(session)

    def _give_up(self, session: Session) -> None:
        if session.hello is None:
            session.abort(DeadlineError("The other side did not finish its handshake in time."))

    # --- sessions --------------------------------------------------------------------------------

    def _session(self, role: Role) -> Session:
        return Session(
            lambda owner: SecureChannel(
                owner,
                role,
                self._authenticator,
                self._memory,
                static_private=self._static_private,
                ephemeral_private=self._entropy.take(32),
            ),
            self._codec,
            self._handle,
        )

    def _spawn(self, session: Session) -> None:
        if self._tasks is None:
            raise LostConnectionError("This node is stopping.")
        self._tasks.create_task(self._serve(session))

    async def _serve(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            self._closed(session)

    async def _handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        """Hellos are ours to answer; all else is the handler's, once the peer has said hello."""
        if isinstance(message, Hello):
            hello = self._greet(session)
            self._greeted(session, message)
            return hello, ()
        if session.hello is None and not session.dialled:
            raise BusyError("Say hello first.")
        return await self._handler(session, message, payload)

    def _greeted(self, session: Session, hello: Hello) -> Session:
        """The peer has said hello: list its session, and return the one that stands."""
        known = session.hello is not None
        session.hello = hello
        if known:
            return session
        if session.closed:
            raise LostConnectionError("The session ended right after the handshake.")
        node = session.peer.node
        if node == self._authenticator.node:
            raise RefusedError("This node was dialled by itself, or by another one with the same device key.")
        if session.peer.admitted:
            current = self._sessions.get(node)
            if current is not None and not self._stands(session, current):
                session.retire()
                return current
            self._sessions[node] = session
            if current is not None and current.hello is not None and current.hello.boot != hello.boot:
                self._on_rival(current, session)
            elif current is not None:
                current.retire()
            self._close_idle()
        self._opened_at[session] = asyncio.get_running_loop().time()
        self._on_open(session)
        dial = self._dials.get(node)
        if dial is not None and session.peer.admitted:
            _settle(dial, session)
        return session

    def _stands(self, new: Session, current: Session) -> bool:
        """Whether `new` takes the place of `current`, which has the same peer.

        It does, unless both were dialled at the same time from both sides and the lower node id's was `current`:
        whoever dials anew, or from a new boot, has found the old session dead.
        """
        assert new.hello is not None and current.hello is not None
        if current.closed or current.retiring or new.dialled == current.dialled or new.hello.boot != current.hello.boot:
            return True
        if asyncio.get_running_loop().time() - self._opened_at[current] > SIMULTANEOUS_SECONDS:
            return True
        return new.dialled == (self._authenticator.node < new.peer.node)

    def _close_idle(self) -> None:
        for session in sorted(self._sessions.values(), key=lambda one: one.used_at):
            if len(self._sessions) <= SESSIONS_MAX:
                return
            if session.idle and not self._keep(session.peer.node):
                session.retire()
                del self._sessions[session.peer.node]

    def _closed(self, session: Session) -> None:
        if self._opened_at.pop(session, None) is None:
            return
        if self._sessions.get(session.peer.node) is session:
            del self._sessions[session.peer.node]
        self._on_close(session)


def _settle(dial: asyncio.Future[Session], session: Session) -> None:
    if not dial.done():
        dial.set_result(session)


def _fail(dial: asyncio.Future[Session], error: CapsaError) -> None:
    if not dial.done():
        dial.set_exception(error)
        dial.exception()  # looked at, whether or not anybody still waits
