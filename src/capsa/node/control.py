"""`control.sock`: what this node does for its own owner's commands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from capsa.core import commands as c
from capsa.core import inquiries as q
from capsa.core import openkeys as keys
from capsa.core.heads import Head
from capsa.core.ids import BlockId, NodeId
from capsa.core.messages import Got, Have, Held, Message, Sync
from capsa.core.proofs import SAMPLE_SIZE, proves, sample_offset
from capsa.errors import CapsaError, RefusedError, UnknownKindError
from capsa.net.session import Session
from capsa.node.admission import Admissions
from capsa.node.duplicates import Duplicates
from capsa.node.examination import Examiner
from capsa.node.fetching import Fetcher
from capsa.node.gossip import Gossiper
from capsa.node.headlock import HeadLock
from capsa.node.keyring import Keyring
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.putting import Handler, Putting
from capsa.node.refill import UNDER_WAY
from capsa.node.replication import NONCE_SIZE
from capsa.node.serving import Answer
from capsa.node.settings import NodeConfig
from capsa.node.state import State
from capsa.node.transfers import Transfers
from capsa.seams import Clock, Entropy, Lane, Workers
from capsa.stores.base import BlockStore

_SEQUENCE = "head sequence"
_COMPLETE = "complete head"

_CHANGING: Final = frozenset(
    (c.Keep, c.Commit, c.OpenPuts, c.ForgetPuts, c.StalePuts, c.TakeHeadLock, c.PublishHead, c.EndClaims)
)
"""What stores, claims, releases or names something for the owner."""


class Control:
    """Answers the home's commands. Whoever can open the socket is the home's user."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        store: BlockStore,
        state: State,
        members: Members,
        links: Links,
        gossiper: Gossiper,
        admissions: Admissions,
        duplicates: Duplicates,
        examiner: Examiner,
        fetcher: Fetcher,
        putting: Putting,
        transfers: Transfers,
        workers: Workers,
        clock: Clock,
        entropy: Entropy,
        listening: Callable[[], Sequence[str]],
        damaged: Callable[[], Awaitable[int]],
        full: Callable[[], Awaitable[bool]],
    ) -> None:
        self._config = config
        self._store = store
        self._state = state
        self._members = members
        self._links = links
        self._gossiper = gossiper
        self._admissions = admissions
        self._duplicates = duplicates
        self._fetcher = fetcher
        self._transfers = transfers
        self._workers = workers
        self._clock = clock
        self._entropy = entropy
        self._listening = listening
        self._damaged = damaged
        self._full = full
        self._head_lock = HeadLock()
        self._keyring = Keyring(config.owner, clock)
        self._handlers: dict[type[Message], Handler] = {
            c.Greet: self._greet,
            c.Fetch: self._fetch,
            c.TakeHeadLock: self._take_head_lock,
            c.FreeHeadLock: self._free_head_lock,
            c.PublishHead: self._publish_head,
            c.HearAll: self._hear_all,
            c.FallBack: self._fall_back,
            c.Heads: self._heads,
            q.Holders: self._holders,
            q.Contacts: self._contacts,
            q.Peers: self._peers,
            q.Status: self._status,
            q.Examine: examiner.examine,
            q.Probe: examiner.probe,
            keys.KeepKeys: self._keep_keys,
            keys.DropKeys: self._drop_keys,
            keys.TakeKeys: self._take_keys,
            keys.AreKeysKept: self._are_keys_kept,
            q.Transfers: self._transfers_told,
            q.Unfinished: self._unfinished,
            **putting.handlers,
        }

    async def handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        """Answer one command; raises a `CapsaError`, which becomes the typed reply."""
        handler = self._handlers.get(type(message))
        if handler is None:
            raise UnknownKindError("This node does not know that command.", "Restart the node with this capsa.")
        if type(message) in _CHANGING:
            self._duplicates.check_alone()
        return await handler(session, message, payload)

    def closed(self, session: Session) -> None:
        """A command went away."""
        self._head_lock.free(session)

    async def _greet(self, session: Session, message: c.Greet, payload: memoryview) -> Answer:
        roster = self._members.roster
        admitted = roster.is_member(self._config.owner)
        facts = (self._config.network, self._config.owner, self._config.node)
        refusal = self._admissions.refusal
        return c.Greeted(
            *facts,
            copies=roster.founding.copies,
            admitted=admitted,
            members=1 + len(self._members.others()),
            settled=admitted and self._gossiper.settled(),
            refusal=refusal.message if refusal and not admitted else "",
            serving=self._config.serving,
        ), ()

    # --- reading

    async def _fetch(self, session: Session, message: c.Fetch, payload: memoryview) -> Answer:
        return Got(), (await self._fetcher.fetch(BlockId(message.id)),)

    async def _heads(self, session: Session, message: c.Heads, payload: memoryview) -> Answer:
        return c.HeadsTold(tuple(head.signed for head in self._members.own_heads())), ()

    async def _holders(self, session: Session, message: q.Holders, payload: memoryview) -> Answer:
        blocks = tuple(BlockId(block) for block in message.ids)
        here = set(blocks) - set(await self._store.missing(blocks))
        lines = [q.NodeHolds(self._config.node, tuple(i for i, block in enumerate(blocks) if block in here))]
        nonce = self._entropy.take(NONCE_SIZE)
        others = () if message.here_only else self._links.connected()
        async with asyncio.TaskGroup() as group:
            asked = {node: group.create_task(self._held_by(node, blocks, here, nonce)) for node in others}
        lines += [q.NodeHolds(node, task.result()) for node, task in asked.items()]
        return q.HoldersTold(tuple(line for line in lines if line.indexes)), ()

    async def _held_by(
        self, node: NodeId, blocks: tuple[BlockId, ...], here: set[BlockId], nonce: bytes
    ) -> tuple[int, ...]:
        """Which blocks a node proves to hold; its word alone counts for those that we cannot check ourselves."""
        try:
            session = await self._links.session(node)
            reply = await session.call(Have(blocks, nonce), timeout=self._config.timing.ask)
        except CapsaError:
            return ()
        if not isinstance(reply.body, Held) or len(reply.body.proofs) != len(blocks):
            return ()
        held = []
        for index, (block, given) in enumerate(zip(blocks, reply.body.proofs, strict=True)):
            if given and (block not in here or await self._proves(given, session.peer.node, block, nonce)):
                held.append(index)
        return tuple(held)

    async def _proves(self, given: bytes, node: NodeId, block: BlockId, nonce: bytes) -> bool:
        try:
            sample, length = await self._store.sample(block, sample_offset(nonce, block), SAMPLE_SIZE)
        except CapsaError:
            return True  # lost here meanwhile, so that we cannot check it either
        return proves(given, nonce, node, block, sample, length)

    # --- heads

    async def _take_head_lock(self, session: Session, message: c.TakeHeadLock, payload: memoryview) -> Answer:
        await self._head_lock.take(session)
        await self._gossiper.catch_up()
        heads = [head.signed for head in self._members.own_heads()]
        floor = self._members.floor(self._config.node)
        sequence = await self._workers.run(Lane.DISK, self._state.next_number, _SEQUENCE, floor)
        complete = await self._workers.run(Lane.DISK, self._state.value, _COMPLETE) or b""
        return c.HeadLockTaken(sequence, tuple(heads), complete), ()

    async def _free_head_lock(self, session: Session, message: c.FreeHeadLock, payload: memoryview) -> Answer:
        self._head_lock.free(session)
        return c.Done(), ()

    async def _publish_head(self, session: Session, message: c.PublishHead, payload: memoryview) -> Answer:
        head = self._parse_head(message.head)
        if head.owner != self._config.owner or head.device != self._config.node:
            raise RefusedError("This home publishes its own heads only.")
        if not self._head_lock.held_by(session):
            raise RefusedError("Whoever publishes a head must hold the head lock.", "Run the command again.")
        await self._members.publish(head, message.closes)
        if message.complete:
            await self._workers.run(Lane.DISK, self._state.set_value, _COMPLETE, head.digest)
        return c.HeadPublished(await self._gossiper.spread(Sync(heads=(message.head,)))), ()

    async def _hear_all(self, session: Session, message: c.HearAll, payload: memoryview) -> Answer:
        answered = {self._members.roster.owner_of(node) for node in await self._gossiper.ask_all()} - {None}
        others = {self._members.roster.owner_of(node) for node in self._members.others()} - {None, self._config.owner}
        heads = self._members.own_newest()
        behind = self._members.behind()
        return c.HeardAll(
            tuple(sorted(owner for owner in answered if owner)),
            len(others | answered),
            tuple(c.DeviceHeads(head.signed, complete.signed if complete else b"") for head, complete in heads),
            tuple(c.DeviceBehind(device, behind[device]) for device in sorted(behind)),
        ), ()

    async def _fall_back(self, session: Session, message: c.FallBack, payload: memoryview) -> Answer:
        await self._members.fall_back(message.newest, message.complete)
        return c.Done(), ()

    def _parse_head(self, signed: bytes) -> Head:
        return Head.parse(signed, self._config.network)

    # --- keys

    async def _keep_keys(self, session: Session, message: keys.KeepKeys, payload: memoryview) -> Answer:
        if not self._config.serving:
            raise RefusedError("No node runs in this home that could keep the keys open.", "Start one with 'capsa up'.")
        self._keyring.keep(message.entropy, message.seconds)
        return keys.KeysKept(message.seconds), ()

    async def _drop_keys(self, session: Session, message: keys.DropKeys, payload: memoryview) -> Answer:
        self._keyring.drop()
        return c.Done(), ()

    async def _take_keys(self, session: Session, message: keys.TakeKeys, payload: memoryview) -> Answer:
        return keys.KeysTaken(self._keyring.take()), ()

    async def _are_keys_kept(self, session: Session, message: keys.AreKeysKept, payload: memoryview) -> Answer:
        return keys.KeysKept(math.ceil(self._keyring.seconds_left())), ()

    # --- looking

    async def _contacts(self, session: Session, message: q.Contacts, payload: memoryview) -> Answer:
        lines = tuple(q.ContactLine(*line) for line in self._members.contacts())
        return q.ContactsTold(lines, self._members.founding), ()

    async def _peers(self, session: Session, message: q.Peers, payload: memoryview) -> Answer:
        return q.PeersTold(tuple(self._members.lines())), ()

    async def _status(self, session: Session, message: q.Status, payload: memoryview) -> Answer:
        stats = await self._store.stats()
        states = [line.state for line in self._members.lines() if line.node != self._config.node]
        return q.StatusTold(
            admitted=self._members.roster.is_member(self._config.owner),
            blocks=stats.blocks,
            size_bytes=stats.size_bytes,
            alive=states.count("alive"),
            suspect=states.count("suspect"),
            gone=states.count("gone"),
            underreplicated=await self._workers.run(Lane.DISK, self._state.short_count),
            reachable=self._gossiper.reachable(),
            listening=tuple(self._listening()),
            damaged=await self._damaged(),
            serving=self._config.serving,
            alarms=len(self._members.alarms()),
            forks=len(self._members.forked()),
            duplicate=self._duplicates.found,
            full=await self._full(),
        ), ()

    async def _transfers_told(self, session: Session, message: q.Transfers, payload: memoryview) -> Answer:
        lines = [
            q.NodeTransfers(
                node,
                one.copies,
                one.copies_size,
                one.promised,
                one.promised_size,
                one.served_size,
                one.taken_size,
                one.fetched_size,
                one.under_way,
            )
            for node, one in self._transfers.tallies().items()
        ]
        return q.TransfersTold(tuple(lines)), ()

    async def _unfinished(self, session: Session, message: q.Unfinished, payload: memoryview) -> Answer:
        lines = await self._workers.run(Lane.DISK, self._state.short_summary)
        refilling = await self._workers.run(Lane.DISK, self._state.value, UNDER_WAY)
        return q.UnfinishedTold(tuple(q.ShortLine(*line) for line in lines), bool(refilling)), ()
