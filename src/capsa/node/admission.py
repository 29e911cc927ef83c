"""Coming in: admitting those who bring a grant, and asking to be admitted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from capsa.core.gossip import Learned
from capsa.core.ids import NodeId
from capsa.core.joining import judge_joiner
from capsa.core.messages import Admit, Admitted, Sync
from capsa.core.signing import decode_signed, encode_signed
from capsa.core.statements import Certificate, admit, read_statement
from capsa.errors import CapsaError, LostConnectionError, NotMemberError, ProtocolError, RefusedError
from capsa.net.identity import Peer
from capsa.net.pool import Pool
from capsa.net.session import Session
from capsa.node.membership import Members
from capsa.node.settings import NodeConfig
from capsa.seams import Clock

_log = logging.getLogger(__name__)
_ASKED_AT_ONCE = 8
_ROUNDS = 16
"""Exchanges within which a member tells all that makes an owner a member, however much else it knows."""


class Admissions:
    """Both sides of an admission."""

    def __init__(self, config: NodeConfig, *, members: Members, clock: Clock) -> None:
        self._config = config
        self._members = members
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self.refusal: CapsaError | None = None
        """Why a member would not admit this node, when last asked."""

    async def admit(self, peer: Peer, message: Admit) -> tuple[Admitted, Learned]:
        """Countersign a joiner's grant; the answer, and what is news for all members.

        A repeat finds the first admission again.
        """
        async with self._one_at_a_time:  # the second user of an invite must see the first
            statements = [decode_signed(blob) for blob in message.statements]
            now = int(self._clock.now())
            roster = self._members.roster
            request = judge_joiner(roster, statements, now, admitter=self._config.node)
            if request.node != peer.node:
                raise NotMemberError("A joiner asks for another device than its own.")
            signed = list(message.statements)
            if not request.admitted:
                admission = admit(
                    self._config.device,
                    self._config.network,
                    join_digest=request.join_digest,
                    owner=request.owner,
                    admitted=now,
                )
                signed.append(encode_signed(admission))
            learned = await self._members.learn(statements=signed)
            known = [encode_signed(statement) for statement in self._members.roster.proof(NodeId(request.node))]
            return Admitted(tuple(known)), learned

    async def seek(self, pool: Pool, admitted: Callable[[], Awaitable[None]]) -> None:
        """Ask the members whose addresses we have until one admits us; then call `admitted`.

        A joiner asks one after the other: two that admit it do work that one would do. A returning device has to find
        out who is still there, and asks several at once.
        """
        returning = self._returning()
        pause = self._config.timing.dial_retry
        while not self._members.admitted:
            at_once = asyncio.Semaphore(_ASKED_AT_ONCE if returning else 1)
            async with asyncio.TaskGroup() as group:
                for address in self._config.bootstrap:
                    group.create_task(self._ask(pool, address, at_once, returning=returning))
            if not self._members.admitted:
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._config.timing.dial_retry_max)
        await admitted()

    def _returning(self) -> bool:
        """Whether this device brings its owner's certificate alone: that owner is a member, or has no way in."""
        papers = [read_statement(decode_signed(blob)) for blob in self._members.joiner_papers()]
        return all(isinstance(body, Certificate) for body in papers)

    async def _ask(self, pool: Pool, address: str, at_once: asyncio.Semaphore, *, returning: bool) -> None:
        async with at_once:
            if self._members.admitted:
                return
            try:
                session = await pool.dial(address)
            except NotMemberError as error:  # a stranger has no say in this
                _log.warning("nobody of the network answers at %s: %s", address, error.message)
                return
            except CapsaError as error:
                self._note(address, error, returning=returning)
                return
            try:
                if returning:
                    await self._learn_standing(session)
                else:
                    await self._be_admitted(session)
            except CapsaError as error:
                self._note(address, error, returning=returning)

    def _note(self, address: str, error: CapsaError, *, returning: bool) -> None:
        """Remember why a member did not let us in; that nobody answers is no reason."""
        if isinstance(error, LostConnectionError):
            # Who is nobody to them is told nothing, not even why.
            self.refusal = NotMemberError(
                "A member would not talk to this node: its owner may be no member any more."
                if returning
                else "A member would not talk to this node: the invite may be used up or expired."
            )
            _log.warning("not admitted by %s: it ended the connection", address)
        elif isinstance(error, RefusedError):
            self.refusal = error
            _log.warning("not admitted by %s: %s", address, error.message)
        else:
            _log.info("nobody of the network answers at %s: %s", address, error.message)

    async def _be_admitted(self, session: Session) -> None:
        try:
            ask = Admit(tuple(self._members.joiner_papers()))
            reply = await session.call(ask, timeout=self._config.timing.ask)
            if not isinstance(reply.body, Admitted):
                raise ProtocolError("A member answered a request for admission with something else.")
            await self._members.learn(statements=reply.body.statements)
        finally:
            session.close()  # it serves admission only: the next one proves membership

    async def _learn_standing(self, session: Session) -> None:
        """Take in what a member knows, until it shows that our owner is a member. The session stays: it is in full."""
        say = self._members.offer()
        for _ in range(_ROUNDS):
            reply = await session.call(say, timeout=self._config.timing.ask)
            if not isinstance(reply.body, Sync):
                raise ProtocolError("A member answered with something else than its list.")
            await self._members.absorb(reply.body)
            if self._members.admitted:
                return
            say = self._members.answer(reply.body)
        raise NotMemberError("A member does not know that the owner of this node is one, too.")
