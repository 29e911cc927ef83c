"""Replication, the deciding half: what a claim part still lacks, and which node should be sent what.

Facts go in (who proved to hold which block, who should, who can be reached), a plan comes out;
`capsa.node.replication` carries it out. Blocks are named by their index within the part (`ClaimPart.blocks`).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from capsa.core.claims import ClaimPart
from capsa.core.ids import ClaimId, NodeId


@dataclass(frozen=True, slots=True)
class Push:
    """Send the blocks at these indexes, and the part, to this node."""

    node: NodeId
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Copies:
    """Of a claim's worst-off block: the copies that are durable, and those wanted; the home counts in both."""

    durable: int
    wanted: int

    @property
    def complete(self) -> bool:
        """Whether there are as many copies as were asked for."""
        return self.durable >= self.wanted


def plan(
    part: ClaimPart,
    *,
    preferences: Sequence[Sequence[NodeId]],
    holders: Mapping[int, Collection[NodeId]],
    reachable: Container[NodeId],
) -> list[Push]:
    """What to send to whom, so that every block gets its copies as far as reachable nodes allow.

    `preferences` has for each block the nodes that may hold it, best first (`placement.picks` for as many copies
    as there are nodes): the first `copies` of a claim are its picks, and the next stand in for picks that neither
    hold the block nor can be reached. `holders` are the nodes other than the home that proved to hold a block.
    Nothing is sent to a holder, and nothing is sent twice.
    """
    pushes: dict[NodeId, list[int]] = {}
    for index, (_, _, item) in enumerate(part.blocks):
        for node in _targets(preferences[index], item.copies, holders.get(index, ()), reachable):
            pushes.setdefault(node, []).append(index)
    return [Push(node, tuple(indexes)) for node, indexes in pushes.items()]


def count_copies(
    part: ClaimPart, holders: Mapping[int, Collection[NodeId]], *, home_holds: bool
) -> dict[ClaimId, Copies]:
    """The copies of each claim in the part; `holders` as for `plan`, any holder counts, pick or not."""
    found: dict[ClaimId, Copies] = {}
    for index, (_, _, item) in enumerate(part.blocks):
        copies = Copies(len(holders.get(index, ())) + home_holds, item.copies + 1)
        found[item.claim] = least(filter(None, (found.get(item.claim), copies)))
    return found


def least(copies: Iterable[Copies]) -> Copies:
    """The worst of several: of one claim's parts, or of a file and its pages; at least one is given."""
    return min(copies, key=lambda each: (each.durable - each.wanted, each.durable))


def _targets(
    preferred: Sequence[NodeId], copies: int, holders: Collection[NodeId], reachable: Container[NodeId]
) -> list[NodeId]:
    picks, others = preferred[:copies], preferred[copies:]
    targets = [node for node in picks if node not in holders and node in reachable]
    kept = sum(node in holders for node in picks)
    standing_in = sum(node not in picks for node in holders)
    short = copies - kept - len(targets) - standing_in
    free = (node for node in others if node not in holders and node in reachable)
    return targets + [node for _, node in zip(range(short), free, strict=False)]
