"""Membership: which nodes this one knows, and which of them are there, judged by their silence.

A pure table: the monotonic time `now` (seconds) and what was heard go in; whom to ping and what changed come out.
Who may be a member is `capsa.core.trust`'s to judge; what records say is gossip's to carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from capsa.core.ids import NodeId, OwnerId
from capsa.core.statements import NodeRecord


class State(StrEnum):
    """What silence says about a node."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    """Silent, or never heard so far."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Settings:
    """All in seconds."""

    ping_after_s: float = 2.0
    """A node quiet for this long is pinged, and again at this interval."""
    suspect_after_s: float = 6.0
    gone_after_s: float = 15.0
    ping_gone_every_s: float = 10.0
    """So that a healed partition, or a node that comes back, is noticed."""
    absent_after_s: float = 12 * 3600.0
    """Absence after which placement passes a node over; home machines sleep."""
    tick_gap_max_s: float = 60.0
    """A longer gap between ticks means that we slept ourselves: it counts as nobody's absence."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A node's state is another one now."""

    node: NodeId
    state: State


@dataclass(frozen=True, slots=True)
class Step:
    """What to do after a tick: whom to ping (dialling first where there is no session), and what changed."""

    pings: list[NodeId]
    events: list[StateChanged]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as this one sees it; `seen_age_s` is None until it was heard, `record` until one was learnt."""

    node: NodeId
    owner: OwnerId | None
    state: State
    seen_age_s: float | None
    record: NodeRecord | None


@dataclass(slots=True)
class _Entry:
    silent_since: float
    record: NodeRecord | None = None
    heard_at: float | None = None
    state: State = State.SUSPECT
    lost: bool = True
    pinged_at: float = field(default=float("-inf"))


class Membership:
    """The table. Inputs change it at once; `tick` reports what changed since the last one."""

    def __init__(self, me: NodeId, settings: Settings | None = None, absences: Mapping[NodeId, float] | None = None):
        """`absences` are those that `absences()` gave before a restart."""
        self._me = me
        self._settings = settings or Settings()
        self._entries: dict[NodeId, _Entry] = {}
        self._absences: dict[NodeId, float] = dict(absences or {})
        self._events: list[StateChanged] = []
        self._ticked_at: float | None = None

    def learn(self, node: NodeId, record: NodeRecord, now: float) -> None:
        """A verified node record; an older incarnation than the known one changes nothing."""
        if node == self._me:
            return
        entry = self._entry(node, now)
        if entry.record is None or record.incarnation > entry.record.incarnation:
            entry.record = record
            if entry.state is not State.ALIVE:
                entry.pinged_at = float("-inf")  # it was up to sign this: worth a try at once

    def heard(self, node: NodeId, now: float) -> None:
        """Something authenticated came from the node: it is alive, and absent no more."""
        if node == self._me:
            return
        entry = self._entry(node, now)
        entry.heard_at = entry.silent_since = now
        entry.lost = False
        self._absences.pop(node, None)
        self._enter(node, entry, State.ALIVE)

    def lost(self, node: NodeId, now: float) -> None:
        """The session with the node ended: it is suspect, and pinged at the next tick."""
        entry = self._entries.get(node)
        if entry is not None and entry.state is State.ALIVE:
            entry.lost = True
            entry.pinged_at = float("-inf")
            self._enter(node, entry, self._judge(entry, now))

    def forget(self, node: NodeId) -> None:
        """The node is no member any more; a repeat does nothing."""
        self._entries.pop(node, None)
        self._absences.pop(node, None)

    def tick(self, now: float) -> Step:
        """Judge silence; call this about once a second."""
        pings: list[NodeId] = []
        for node, entry in self._entries.items():
            self._enter(node, entry, self._judge(entry, now))
            if self._ping_due(entry, now):
                entry.pinged_at = now
                pings.append(node)
        self._count_absence(now)
        events, self._events = self._events, []
        return Step(pings, events)

    def view(self, now: float) -> list[NodeView]:
        """Every known node except this one, by id."""
        return [
            NodeView(
                node=node,
                owner=OwnerId(entry.record.owner) if entry.record else None,
                state=self._judge(entry, now),
                seen_age_s=None if entry.heard_at is None else now - entry.heard_at,
                record=entry.record,
            )
            for node, entry in sorted(self._entries.items())
        ]

    def absent(self) -> set[NodeId]:
        """Nodes that placement passes over: absent for `absent_after_s` of the time in which we would have noticed."""
        return {node for node, seconds in self._absences.items() if seconds > self._settings.absent_after_s}

    def absences(self) -> dict[NodeId, float]:
        """Seconds of absence by node, to be kept across restarts."""
        return dict(self._absences)

    def _entry(self, node: NodeId, now: float) -> _Entry:
        return self._entries.setdefault(node, _Entry(silent_since=now))

    def _enter(self, node: NodeId, entry: _Entry, state: State) -> None:
        if entry.state is not state:
            entry.state = state
            self._events.append(StateChanged(node, state))

    def _judge(self, entry: _Entry, now: float) -> State:
        silence = now - entry.silent_since
        if silence >= self._settings.gone_after_s:
            return State.GONE
        if silence >= self._settings.suspect_after_s or entry.lost:
            return State.SUSPECT
        return State.ALIVE

    def _ping_due(self, entry: _Entry, now: float) -> bool:
        settings = self._settings
        interval = settings.ping_gone_every_s if entry.state is State.GONE else settings.ping_after_s
        quiet = entry.lost or now - entry.silent_since >= settings.ping_after_s
        return quiet and now - entry.pinged_at >= interval

    def _count_absence(self, now: float) -> None:
        elapsed = 0.0 if self._ticked_at is None else now - self._ticked_at
        self._ticked_at = now
        connected = any(entry.state is State.ALIVE for entry in self._entries.values())
        if not connected or not 0.0 < elapsed <= self._settings.tick_gap_max_s:
            return
        for node, entry in self._entries.items():
            if entry.state is not State.ALIVE:
                self._absences[node] = self._absences.get(node, 0.0) + elapsed
