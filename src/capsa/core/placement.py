"""Placement: which nodes hold a block, computed alike by everyone from the block id and the known nodes.

Weighted rendezvous hashing in integers only: a node's score for a group of blocks is −log2 of a keyed hash,
divided by its weight; the lowest scores come first, and a node is first in proportion to its weight (Schindelhauer
and Schomaker, "Weighted Distributed Hash Tables", SPAA 2005). Adding or losing a node moves only its own share.
This is a constant of the network, frozen by `tests/vectors/placement.json`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from capsa.core.ids import BlockId, NodeId, OwnerId
from capsa.core.keys import Label, length_prefixed

GROUP_BITS: Final = 16
ORDERS_KEPT_MAX: Final = 4096
"""Groups whose order `Orders` remembers: at 50 nodes about 2 MB."""

_LABEL: Final = Label.PLACEMENT.encode()
_HASH_BITS: Final = 64
_FRACTION_BITS: Final = 32
_WEIGHT_TO_MEDIAN_LOG2_MAX: Final = 2  # at most 4 x the median


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may hold blocks: `capacity` in bytes as declared, `full` as it last signed."""

    node: NodeId
    owner: OwnerId
    zone: str
    capacity: int
    full: bool = False


def group_of(block: BlockId) -> int:
    """The placement group of a block: the first 16 bits of its id."""
    return int.from_bytes(block[: GROUP_BITS // 8], "big")


class Orders:
    """The order of a fixed set of candidates for every group, computed when asked and remembered."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._weighted = _weigh(candidates)
        self._kept: dict[int, tuple[Candidate, ...]] = {}

    def of_group(self, group: int) -> tuple[Candidate, ...]:
        """All candidates with capacity, the one that should hold the group's blocks first."""
        order = self._kept.get(group)
        if order is None:
            while len(self._kept) >= ORDERS_KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            order = self._kept[group] = _rank(group, self._weighted)
        return order

    def of(self, block: BlockId) -> tuple[Candidate, ...]:
        """The order for a block's group."""
        return self.of_group(group_of(block))


def order(group: int, candidates: Iterable[Candidate]) -> list[Candidate]:
    """The order of `candidates` for one group; `Orders` is cheaper for many."""
    return list(_rank(group, _weigh(candidates)))


def picks(
    order: Iterable[Candidate],
    *,
    copies: int,
    home: NodeId,
    home_owner: OwnerId,
    home_zone: str,
    holds: Container[NodeId] = (),
    avoid: Container[NodeId] = (),
) -> list[NodeId]:
    """The first `copies` holders: by order, new owners first, then new zones, then new nodes.

    The claim's home device is skipped; its owner and zone count as used. A full node is taken only if it is in
    `holds`, the nodes known to hold the block already. Nodes in `avoid` are passed over, for the next in order to
    take their place. Fewer come back when there are no more. The picks for fewer copies are a prefix of those
    for more.
    """
    left = [c for c in order if c.node != home and c.node not in avoid and (not c.full or c.node in holds)]
    owners, zones = {home_owner}, {home_zone}
    picked: list[Candidate] = []

    def take(candidate: Candidate) -> None:
        picked.append(candidate)
        owners.add(candidate.owner)
        zones.add(candidate.zone)

    for candidate in left:
        if candidate.owner not in owners:
            take(candidate)
    for candidate in left:
        if candidate.zone not in zones:
            take(candidate)
    taken = {candidate.node for candidate in picked}
    picked += [candidate for candidate in left if candidate.node not in taken]
    return [candidate.node for candidate in picked[:copies]]


def _weigh(candidates: Iterable[Candidate]) -> list[tuple[int, Candidate]]:
    """Pairs of (log2 of the weight, candidate); the median is the lower one of an even count."""
    exponents = [(c.capacity.bit_length() - 1, c) for c in candidates if c.capacity > 0]
    if not exponents:
        return []
    median = sorted(exponent for exponent, _ in exponents)[(len(exponents) - 1) // 2]
    return [(min(exponent, median + _WEIGHT_TO_MEDIAN_LOG2_MAX), c) for exponent, c in exponents]


def _rank(group: int, weighted: list[tuple[int, Candidate]]) -> tuple[Candidate, ...]:
    highest = max((exponent for exponent, _ in weighted), default=0)
    scored = [(_score(group, c.node) << (highest - exponent), c.node, c) for exponent, c in weighted]
    return tuple(candidate for _, _, candidate in sorted(scored, key=lambda entry: entry[:2]))


def _score(group: int, node: NodeId) -> int:
    digest = blake3(length_prefixed(_LABEL, group.to_bytes(GROUP_BITS // 8, "big"), node)).digest(_HASH_BITS // 8)
    uniform = int.from_bytes(digest, "big") + 1  # 1 to 2^64, so that the logarithm exists
    return (_HASH_BITS << _FRACTION_BITS) - _log2(uniform)


def _log2(value: int) -> int:
    """log2 of a positive integer below 2^65 with 32 fractional bits, rounded down.

    One squaring a bit (Turner, "A Fast Binary Logarithm Algorithm", IEEE Signal Processing Magazine, 2010); the
    mantissa keeps 64 fractional bits, cut after each squaring, which is part of the definition.
    """
    exponent = value.bit_length() - 1
    mantissa = value << (_HASH_BITS - exponent)  # in [1, 2), times 2^64
    result = exponent
    for _ in range(_FRACTION_BITS):
        mantissa = mantissa * mantissa >> _HASH_BITS
        carry = mantissa >> (_HASH_BITS + 1)
        mantissa >>= carry
        result = result << 1 | carry
    return result
