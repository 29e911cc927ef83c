"""What this node does for other members: one handler for each kind of message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from capsa.core.claims import ClaimPart, ReleaseNote, make_receipt
from capsa.core.ids import BlockId, Buffer, ClaimId
from capsa.core.messages import (
    LIST_MAX,
    Admit,
    Claim,
    Claimed,
    Duplicate,
    Find,
    Found,
    Get,
    GetPart,
    Got,
    Have,
    Held,
    Inventory,
    Message,
    Parts,
    Ping,
    Pong,
    Put,
    PutDone,
    Release,
    Released,
    Sync,
)
from capsa.core.proofs import SAMPLE_SIZE, proof, sample_offset
from capsa.errors import (
    IntegrityError,
    NotFoundError,
    NotMemberError,
    ProtocolError,
    RefusedError,
    UnknownKindError,
)
from capsa.net.session import Session
from capsa.node.admission import Admissions
from capsa.node.duplicates import Duplicates
from capsa.node.gossip import Gossiper
from capsa.node.membership import Members
from capsa.node.settings import NodeConfig
from capsa.node.transfers import Transfers
from capsa.stores.base import BlockStore

Answer = tuple[Message, Sequence[Buffer]]
_Handler = Callable[[Session, Any, memoryview], Awaitable[Answer]]


class Serving:
    """Answers members. `guests` is the store under the bound of what is kept for others."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        store: BlockStore,
        guests: BlockStore,
        members: Members,
        gossiper: Gossiper,
        admissions: Admissions,
        duplicates: Duplicates,
        transfers: Transfers,
    ) -> None:
        self._config = config
        self._store = store
        self._guests = guests
        self._members = members
        self._gossiper = gossiper
        self._admissions = admissions
        self._duplicates = duplicates
        self._transfers = transfers
        self._handlers: dict[type[Message], _Handler] = {
            Ping: self._ping,
            Sync: self._sync,
            Admit: self._admit,
            Duplicate: self._duplicate,
            Put: self._put,
            Have: self._have,
            Claim: self._claim,
            Release: self._release,
            Get: self._get,
            Find: self._find,
            Inventory: self._inventory,
            GetPart: self._get_part,
        }

    async def handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        """Answer one request; raises a `CapsaError`, which becomes the typed reply."""
        handler = self._handlers.get(type(message))
        if handler is None:
            raise UnknownKindError("This node does not serve that kind of message.")
        if not session.peer.admitted and handler != self._admit:
            raise NotMemberError("This session is for admission only.", "Ask to be admitted first.")
        self._gossiper.heard(session)
        return await handler(session, message, payload)

    async def _ping(self, session: Session, message: Ping, payload: memoryview) -> Answer:
        return Pong(), ()

    async def _sync(self, session: Session, message: Sync, payload: memoryview) -> Answer:
        return await self._gossiper.answer(session, message), ()

    async def _admit(self, session: Session, message: Admit, payload: memoryview) -> Answer:
        admitted, news = await self._admissions.admit(session.peer, message)
        self._gossiper.pass_on(news, None)  # before another member admits somebody else on the same invite
        return admitted, ()

    async def _duplicate(self, session: Session, message: Duplicate, payload: memoryview) -> Answer:
        return self._duplicates.answer(message), ()

    async def _put(self, session: Session, message: Put, payload: memoryview) -> Answer:
        if not self._config.capacity:
            raise RefusedError("This node stores nothing for others.")
        await self._guests.put(ClaimId(message.claim), cut(message.ids, message.sizes, payload))
        self._transfers.taken(session.peer.node, len(payload))
        return PutDone(), ()

    async def _have(self, session: Session, message: Have, payload: memoryview) -> Answer:
        blocks = [BlockId(block) for block in message.ids]
        held = set(await self._store.claimed(blocks))
        proofs = [await self._prove(block, message.nonce) if block in held else b"" for block in blocks]
        return Held(tuple(proofs)), ()

    async def _prove(self, block: BlockId, nonce: bytes) -> bytes:
        """A proof, or nothing where the bytes turn out to be lost: that says nothing of the blocks asked with it."""
        try:
            sample, length = await self._store.sample(block, sample_offset(nonce, block), SAMPLE_SIZE)
        except (IntegrityError, NotFoundError):
            return b""
        return proof(nonce, self._config.node, block, sample, length)

    async def _claim(self, session: Session, message: Claim, payload: memoryview) -> Answer:
        if not self._config.capacity:
            raise RefusedError("This node stores nothing for others.")
        part = ClaimPart.parse(message.part, self._config.network)
        if not self._members.roster.is_member(part.owner):
            raise NotMemberError("The owner of this claim is not a member of the network.")
        if any(index >= len(part.blocks) for index in message.indexes):
            raise ProtocolError("A claim names blocks that its part does not have.")
        await self._guests.claim(part)
        asked = [part.blocks[index][0] for index in message.indexes]
        held = set(await self._store.claimed(asked))
        missing = tuple(index for index in message.indexes if part.blocks[index][0] not in held)
        promised = [block for block in asked if block in held]
        receipt = make_receipt(self._config.device, self._config.network, part.digest, promised, message.nonce)
        return Claimed(receipt, missing), ()

    async def _release(self, session: Session, message: Release, payload: memoryview) -> Answer:
        note = ReleaseNote.parse(message.release, self._config.network)
        if not self._members.roster.is_member(note.owner):
            raise NotMemberError("The owner of this release is not a member of the network.")
        await self._store.release(note)
        return Released(), ()

    async def _get(self, session: Session, message: Get, payload: memoryview) -> Answer:
        block = await self._store.get(BlockId(message.id))
        self._transfers.served(session.peer.node, len(block))
        return Got(), (block,)

    async def _find(self, session: Session, message: Find, payload: memoryview) -> Answer:
        missing = set(await self._store.missing([BlockId(block) for block in message.ids]))
        return Found(tuple(index for index, block in enumerate(message.ids) if block not in missing)), ()

    async def _inventory(self, session: Session, message: Inventory, payload: memoryview) -> Answer:
        later = sorted(digest for digest in await self._store.parts() if digest > message.after)
        return Parts(tuple(later[:LIST_MAX])), ()

    async def _get_part(self, session: Session, message: GetPart, payload: memoryview) -> Answer:
        return Got(), (await self._store.part(message.digest),)


def cut(ids: Sequence[bytes], sizes: Sequence[int], payload: memoryview) -> list[tuple[BlockId, Buffer]]:
    """The blocks that lie one after the other in a payload; `ProtocolError` if they do not fill it exactly."""
    if len(ids) != len(sizes) or sum(sizes) != len(payload) or not ids:
        raise ProtocolError("A payload does not have the size that its message names.")
    blocks: list[tuple[BlockId, Buffer]] = []
    start = 0
    for block, size in zip(ids, sizes, strict=True):
        blocks.append((BlockId(block), payload[start : start + size]))
        start += size
    return blocks
