"""What this node knows of its network: statements, records, heads, and who is there.

Facts only: sessions are in `capsa.node.links`, the exchange with peers in `capsa.node.gossip`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from blake3 import blake3

from capsa.core.gossip import Gossip, Learned, Record
from capsa.core.heads import Chain, Floors, Head, forked, keep, newest
from capsa.core.ids import NodeId, OwnerId
from capsa.core.inquiries import PeerLine
from capsa.core.membership import Membership, NodeView, Settings
from capsa.core.messages import Sync
from capsa.core.placement import Candidate, Orders
from capsa.core.signing import KIND_FOUNDING, decode_signed, encode_signed
from capsa.core.statements import NodeRecord, digest
from capsa.core.trust import Alarm, Roster
from capsa.errors import DiskError, HomeError, IntegrityError, NoSpaceError
from capsa.node.settings import NodeConfig
from capsa.node.state import State
from capsa.seams import Lane, Workers, outlast

_log = logging.getLogger(__name__)


class Members:
    """The network as this node knows it; what is learnt is durable before it is acted on."""

    def __init__(self, config: NodeConfig, *, state: State, workers: Workers) -> None:
        self._config = config
        self._state = state
        self._workers = workers
        founding = next((blob for blob in config.papers if decode_signed(blob).kind == KIND_FOUNDING), None)
        if founding is None or blake3(founding).digest() != config.network:
            raise HomeError("This home is damaged: its papers lack the network's founding.", "Restore it.")
        self.founding = founding
        self._gossip = Gossip(founding, Roster.evaluate)
        self._table = Membership(config.node, Settings())
        self._listed: dict[NodeId, Record] | None = None
        self._orders: tuple[set[NodeId], Orders] | None = None
        self._owed: list[Learned] = []
        self._floors = Floors()
        self.old_heads = 0
        """How often a peer passed on a head of our owner's that is older than what was seen before."""
        self._fallbacks: dict[bytes, bytes] = {}
        self._warned: set[Alarm | Chain] = set()
        self._saving = asyncio.Lock()

    async def open(self) -> None:
        """Recall what was known before."""
        statements, records, heads = await self._workers.run(Lane.DISK, self._state.known)
        self._floors = Floors(await self._workers.run(Lane.DISK, self._state.floors))
        self._fallbacks = await self._workers.run(Lane.DISK, self._state.fallbacks)
        self._gossip.learn(statements=list(self._config.papers))
        for kind, blobs in (("statements", statements), ("records", records), ("heads", heads)):
            for blob in blobs:
                try:
                    self._note(self._gossip.learn(**{kind: [blob]}))
                except IntegrityError as error:
                    _log.warning("a kept value of state.db does not hold any more: %s", error.message)
        self._warn()
        await self._forget_outdone(heads)

    async def _forget_outdone(self, blobs: Sequence[bytes]) -> None:
        """Of the heads kept, let go of those that gossip would not keep.

        Of an owner that is out for now the same stay: they may be all that is left when it is let in again.
        """
        heads: list[Head] = []
        for blob in blobs:
            with suppress(IntegrityError):
                heads.append(Head.parse(blob, self._config.network))
        outdone = {head.digest for head in heads} - {head.digest for head in keep(heads)}
        try:
            await self._workers.run(Lane.DISK, self._state.forget_heads, outdone)
        except (NoSpaceError, DiskError) as error:  # they take room, no more
            _log.warning("heads that nobody needs any more stay in state.db: %s", error.message)

    # --- facts

    @property
    def roster(self) -> Roster:
        return self._gossip.roster

    @property
    def admitted(self) -> bool:
        """Whether this node is one of a member's."""
        return self.roster.owner_of(self._config.node) is not None

    @property
    def table(self) -> Membership:
        """Who is there, by silence."""
        return self._table

    def others(self) -> list[NodeId]:
        """All other nodes that have a record."""
        return [node for node in self._records() if node != self._config.node]

    def record(self, node: NodeId) -> NodeRecord | None:
        """What a node says of itself."""
        record = self._records().get(node)
        return record.values if record else None

    def addresses(self, node: NodeId) -> tuple[str, ...]:
        """Where a node says it listens."""
        record = self.record(node)
        return record.addresses if record else ()

    def own_heads(self) -> list[Head]:
        """The head of each of our owner's devices to read its catalog from: the newest, or what it falls back to."""
        known = {head.digest: head for head in self._gossip.heads() if head.owner == self._config.owner}
        best = newest(known.values()).values()
        return [known.get(self._fallbacks.get(head.digest, b""), head) for head in best]

    def own_newest(self) -> list[tuple[Head, Head | None]]:
        """The newest head of each of our owner's devices, and the one that it names as complete, if that is known."""
        known = [head for head in self._gossip.heads() if head.owner == self._config.owner]
        by_chain = {(head.chain, head.ref): head for head in known}
        best = newest(known).values()
        return [(head, by_chain.get((head.chain, head.complete)) if head.complete else None) for head in best]

    def floor(self, device: NodeId) -> int:
        """The highest number ever seen of the heads of one of our owner's devices; 0 if none was."""
        return self._floors.sequences.get((self._config.owner, device), 0)

    def behind(self) -> dict[NodeId, int]:
        """Our owner's devices of which a newer head was seen than any that is known here, and its number."""
        best = {device: head.sequence for (_, device), head in newest(head for head, _ in self.own_newest()).items()}
        return {
            device: floor
            for (owner, device), floor in self._floors.sequences.items()
            if owner == self._config.owner and best.get(device, 0) < floor
        }

    def alarms(self) -> list[Alarm]:
        """Invites that let in several owners, of whom more than one is a member still."""
        return [
            alarm for alarm in self.roster.alarms if sum(self.roster.is_member(owner) for owner in alarm.owners) > 1
        ]

    def forked(self) -> set[Chain]:
        """Members' devices that signed several heads of one number, as far back as heads are kept."""
        return forked(self._gossip.heads())

    def orders(self) -> Orders:
        """Placement over the nodes that were not absent for too long."""
        absent = self._table.absent()
        if self._orders is None or self._orders[0] != absent:
            present = (record for node, record in self._records().items() if node not in absent)
            self._orders = (absent, Orders(_candidate(record) for record in present))
        return self._orders[1]

    def joiner_papers(self) -> list[bytes]:
        """What a node that is not admitted yet shows: all it was made with but the founding."""
        return [blob for blob in self._config.papers if blob != self.founding]

    def contacts(self) -> list[tuple[NodeId, OwnerId, tuple[str, ...]]]:
        """Nodes that listen, those that are there first."""
        views = {view.node: view for view in self._table.view(self._now())}
        listed = [record for record in self._gossip.records() if record.values.addresses]

        def away(record: Record) -> tuple[bool, bool]:
            view = views.get(record.node)
            return record.node != self._config.node, view is not None and view.state != "alive"

        return [
            (record.node, OwnerId(record.values.owner), record.values.addresses) for record in sorted(listed, key=away)
        ][:16]

    def lines(self) -> list[PeerLine]:
        """Every node, this one first."""
        views: dict[NodeId, NodeView] = {view.node: view for view in self._table.view(self._now())}
        lines = []
        for record in sorted(self._gossip.records(), key=lambda record: record.node != self._config.node):
            view = views.get(record.node)
            mine = record.node == self._config.node
            age = 0.0 if mine else view.seen_age_s if view and view.seen_age_s is not None else -1.0
            state = "alive" if mine else str(view.state) if view else "suspect"
            values = record.values
            owner = OwnerId(values.owner)
            lines.append(
                PeerLine(
                    record.node,
                    owner,
                    values.name or self.roster.name_of(owner),
                    values.zone,
                    state,
                    values.addresses,
                    values.free,
                    values.capacity,
                    age,
                )
            )
        return lines

    # --- learning

    def offer(self) -> Sync:
        """What we have, by name."""
        return self._gossip.offer()

    def answer(self, sync: Sync) -> Sync:
        """What we have, and what the sender lacks."""
        return self._gossip.answer(sync)

    async def absorb(self, sync: Sync) -> Learned:
        """Take in what a peer sent, durably; `ProtocolError` if it does not hold."""
        learned = self._gossip.absorb(sync)
        self._count_old(sync.heads)
        return await self._keep(learned)

    def _count_old(self, blobs: Sequence[bytes]) -> None:
        """Count our owner's heads that come though newer ones were seen, and that nothing falls back to."""
        kept = {head.signed for head in self._gossip.heads()} if blobs else ()
        for head in (Head.parse(blob, self._config.network) for blob in blobs if blob not in kept):
            if head.owner == self._config.owner and head.sequence < self.floor(head.device):
                self.old_heads += 1
                _log.info("an old head (number %d) of node %s came again", head.sequence, head.device.hex()[:8])

    async def learn(
        self, *, statements: Sequence[bytes] = (), records: Sequence[bytes] = (), heads: Sequence[bytes] = ()
    ) -> Learned:
        """Take in what this node, or a peer in its handshake, says; durably."""
        return await self._keep(self._gossip.learn(statements=statements, records=records, heads=heads))

    async def publish(self, head: Head, claims: Sequence[bytes]) -> None:
        """Take in this home's next head and close, in the same step, the open puts whose claims it records.

        A put that stayed open beside its head would be taken for one that was never finished, and released. Raises
        as `State.publish`, and takes nothing in then. Once begun it is carried out even if the caller is cancelled.
        """
        floors = self._floors.raised((head,))
        job = asyncio.ensure_future(
            self._workers.run(Lane.DISK, self._state.publish, head.digest, head.signed, claims, floors.sequences)
        )
        try:
            await outlast(job)
        finally:
            if not job.cancelled() and job.exception() is None:
                self._note(self._gossip.learn(heads=(head.signed,)))
        job.result()

    async def fall_back(self, newest: bytes, to: bytes) -> None:
        """Read a device's catalog from another head (both are digests) until a newer one than `newest` is known."""
        await self._workers.run(Lane.DISK, self._state.fall_back, newest, to)
        self._fallbacks[newest] = to

    def learn_soon(self, statements: Sequence[bytes]) -> None:
        """Take in verified statements at once; they are made durable with the next exchange.

        A handshake cannot wait for the disk, and what it taught is in no later exchange: both sides have it by then.
        """
        learned = self._gossip.learn(statements=statements)
        self._note(learned)
        self._warn()
        self._owed.append(learned)

    async def _keep(self, learned: Learned) -> Learned:
        """Returns when all that is known is durable, whoever brought it: what answers that it is known relies on it.

        What a full disk, or a cancelled caller, left undone is done by the next.
        """
        self._note(learned)
        if learned.statements or learned.heads:
            self._warn()
        self._owed.append(learned)
        async with self._saving:
            owed = _together(self._owed)
            count = len(self._owed)
            if owed:
                await self._workers.run(Lane.DISK, self._state.learnt, *as_rows(owed), self._floors.sequences)
            del self._owed[:count]
        return learned

    def _records(self) -> dict[NodeId, Record]:
        if self._listed is None:
            self._listed = {record.node: record for record in self._gossip.records()}
        return self._listed

    def _note(self, learned: Learned) -> None:
        if learned:
            self._listed = self._orders = None
        # Only our own owner signs what its devices have seen: nobody else can raise these, or make them many.
        self._floors = self._floors.raised(head for head in learned.heads if head.owner == self._config.owner)
        for record in learned.records:
            self._table.learn(record.node, record.values, self._now())

    def _warn(self) -> None:
        """Say once what somebody should look at."""
        alarms, forks = self.alarms(), self.forked()
        for alarm in alarms:
            if alarm not in self._warned:
                owners = ", ".join(self._called(owner) for owner in alarm.owners)
                _log.warning("one invite let in several owners: %s", owners)
        for owner, device in forks - self._warned:
            _log.warning("node %s of %s signed two catalog heads of one number", device.hex()[:8], self._called(owner))
        self._warned |= {*alarms, *forks}

    def _called(self, owner: OwnerId) -> str:
        return self.roster.name_of(owner) or owner.hex()[:8]

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _together(many: Sequence[Learned]) -> Learned:
    return Learned(
        tuple(signed for one in many for signed in one.statements),
        tuple(record for one in many for record in one.records),
        tuple(head for one in many for head in one.heads),
    )


def as_rows(
    learned: Learned,
) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """The rows in which `State.learnt` keeps what was learnt."""
    statements = [(digest(signed), encode_signed(signed)) for signed in learned.statements]
    records: list[tuple[bytes, bytes]] = [(record.node, record.signed) for record in learned.records]
    heads = [(head.digest, head.signed) for head in learned.heads]
    return statements, records, heads


def _candidate(record: Record) -> Candidate:
    values = record.values
    return Candidate(record.node, OwnerId(values.owner), values.zone, values.capacity, values.full)
