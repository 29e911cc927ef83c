"""Heads: a device's signed pointers to its newest catalog, and what may be believed of several of them.

Who signs a head is its owner. That the device is one of that owner's is for the caller to check against the
network's statements. The root page's key travels sealed: its AEAD key is derived from the owner's catalog key and
the root's id, and since the id fixes the key that is sealed, that AEAD key never meets a second plaintext.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Final, TypeAlias

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta

from capsa.core.catalog.entries import Claim, Count, Device, Digest
from capsa.core.catalog.pages import PageRef
from capsa.core.encoding import decode, encode
from capsa.core.ids import Buffer, NetworkId, NodeId, OwnerId
from capsa.core.keys import Label, OwnerKeys, derive
from capsa.core.pages import Id
from capsa.core.sealing import KEY_SIZE, TAG_SIZE
from capsa.core.signing import check, decode_signed, encode_signed, sign
from capsa.errors import FormatError, IntegrityError, SignatureError

VERSION: Final = 1
SEEN_MAX: Final = 1024
HEADS_KEPT_MAX: Final = 256
"""Heads that a member keeps of one device, should the home never name a complete one."""
NO_HEAD: Final = bytes(32)
"""In place of the digest of a previous head, where there is none."""

_KIND: Final = "head"
_NONCE: Final = bytes(12)
_SEALED_SIZE: Final = KEY_SIZE + TAG_SIZE

SequenceNumber: TypeAlias = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Chain: TypeAlias = tuple[OwnerId, NodeId]
"""Whose heads: the owner and the device. A device alone would let any owner speak for another's."""


class HeadRef(msgspec.Struct, frozen=True, array_like=True):
    """A head of the same device by name."""

    sequence: SequenceNumber
    digest: Digest


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """The highest head that was seen of another device of the same owner."""

    device: Device
    sequence: SequenceNumber


class _Root(msgspec.Struct, frozen=True, array_like=True):
    id: Id
    sealed_key: Annotated[bytes, Meta(min_length=_SEALED_SIZE, max_length=_SEALED_SIZE)]
    claim: Claim


class _Body(msgspec.Struct, frozen=True, array_like=True):
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    device: Device
    sequence: SequenceNumber
    lamport: Count
    previous: Digest
    root: _Root | None
    entries: Count
    complete: HeadRef | None
    seen: Annotated[tuple[Seen, ...], Meta(max_length=SEEN_MAX)]
    created: Count


@dataclass(frozen=True, slots=True)
class Head:
    """One signed pointer.

    `lamport` is the highest in the catalog or seen when it was made; `previous` the digest of the head it builds on,
    or `NO_HEAD`; `entries` counts the catalog's; `complete` names the newest earlier head whose pages had all wanted
    receipts; `created` is in Unix seconds. `signed` are the verbatim bytes that are kept and handed on, `digest`
    their BLAKE3.
    """

    owner: OwnerId
    device: NodeId
    sequence: int
    lamport: int
    previous: bytes
    entries: int
    complete: HeadRef | None
    seen: tuple[Seen, ...]
    created: int
    signed: bytes = field(repr=False)
    digest: bytes
    _root: _Root | None = field(repr=False)

    @classmethod
    def parse(cls, signed: Buffer, network: NetworkId) -> Head:
        """The head in `signed`; `FormatError` if malformed, `SignatureError` if not validly signed for `network`."""
        envelope = decode_signed(signed)
        if envelope.kind != _KIND:
            raise FormatError("A signed value is not a head.")
        if envelope.network != network:
            raise SignatureError("A head was signed for another network.")
        check(envelope)
        body = decode(_Body, envelope.body, size_max=len(envelope.body))
        _check_body(body)
        return cls(
            owner=OwnerId(envelope.signer),
            device=body.device,
            sequence=body.sequence,
            lamport=body.lamport,
            previous=body.previous,
            entries=body.entries,
            complete=body.complete,
            seen=body.seen,
            created=body.created,
            signed=bytes(signed),
            digest=blake3(signed).digest(),
            _root=body.root,
        )

    @property
    def chain(self) -> Chain:
        return self.owner, self.device

    @property
    def ref(self) -> HeadRef:
        return HeadRef(self.sequence, self.digest)


def make_head(
    keys: OwnerKeys,
    network: NetworkId,
    *,
    device: NodeId,
    sequence: int,
    lamport: int,
    previous: HeadRef | None,
    root: PageRef | None,
    entries: int,
    complete: HeadRef | None,
    seen: Mapping[NodeId, int],
    created: int,
) -> Head:
    """Sign a head. `sequence` must have been written down durably before; it is never used for a second head."""
    body = _Body(
        version=VERSION,
        device=device,
        sequence=sequence,
        lamport=lamport,
        previous=NO_HEAD if previous is None else previous.digest,
        root=None if root is None else _Root(root.id, _seal_key(keys, root), root.claim),
        entries=entries,
        complete=complete,
        seen=tuple(Seen(other, seen[other]) for other in sorted(seen) if other != device),
        created=created,
    )
    assert previous is None or previous.sequence < sequence
    return Head.parse(encode_signed(sign(keys.signing, _KIND, network, encode(body))), network)


def open_root(head: Head, keys: OwnerKeys) -> PageRef | None:
    """Where the catalog of one's own head begins; None if it is empty. `IntegrityError` if it does not open."""
    if head.owner != keys.owner:
        raise IntegrityError("This head is another owner's.")
    root = head._root
    if root is None:
        return None
    try:
        key = _root_aead(keys, root.id).decrypt(_NONCE, root.sealed_key, Label.CATALOG_ROOT.encode())
    except InvalidTag:
        raise IntegrityError("The catalog root in a head does not open.") from None
    return PageRef(root.id, key, root.claim)


class Relation(StrEnum):
    """What one head is to another."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"
    FORK = "fork"
    UNRELATED = "unrelated"


def compare(one: Head, other: Head) -> Relation:
    """What `one` is to `other`. A fork, the same sequence number on two different heads, is kept as evidence."""
    if one.chain != other.chain:
        return Relation.UNRELATED
    if one.sequence != other.sequence:
        return Relation.NEWER if one.sequence > other.sequence else Relation.OLDER
    return Relation.SAME if one.digest == other.digest else Relation.FORK


def newest(heads: Iterable[Head]) -> dict[Chain, Head]:
    """Each device's highest head; of a fork, the one with the greater digest, so that all choose alike."""
    best: dict[Chain, Head] = {}
    for head in heads:
        present = best.setdefault(head.chain, head)
        if (head.sequence, head.digest) > (present.sequence, present.digest):
            best[head.chain] = head
    return best


def forked(heads: Iterable[Head]) -> set[Chain]:
    """The devices that signed several heads of one number: somebody else has their keys, or they took a copy back."""
    known: dict[tuple[Chain, int], Head] = {}
    pairs = ((known.setdefault((head.chain, head.sequence), head), head) for head in heads)
    return {head.chain for first, head in pairs if compare(first, head) is Relation.FORK}


def keep(heads: Iterable[Head]) -> list[Head]:
    """The heads that a member keeps, newest first for each device: back to the one the newest says is complete.

    Both sides of a fork stay while they are that new. Where there are more than `HEADS_KEPT_MAX` of a device, the
    newest and the complete one stay.
    """
    chains: dict[Chain, dict[bytes, Head]] = {}
    for head in heads:
        chains.setdefault(head.chain, {})[head.digest] = head
    kept: list[Head] = []
    for chain in sorted(chains):
        ordered = sorted(chains[chain].values(), key=lambda head: (head.sequence, head.digest), reverse=True)
        complete = ordered[0].complete
        wanted = [head for head in ordered if complete is None or head.sequence >= complete.sequence]
        kept += wanted[:HEADS_KEPT_MAX]
        kept += [head for head in wanted[HEADS_KEPT_MAX:] if head.ref == complete]
    return kept


@dataclass(frozen=True, slots=True)
class Floors:
    """The highest sequence number ever seen of each device; what is below is refused as an old head served again."""

    sequences: Mapping[Chain, int] = field(default_factory=dict)

    def check(self, head: Head) -> None:
        """Raise `IntegrityError` if a newer head of the same device has been seen before."""
        floor = self.sequences.get(head.chain, 0)
        if head.sequence < floor:
            raise IntegrityError(
                f"A catalog head is older (number {head.sequence}) than one seen before (number {floor}).",
                "Try again when more nodes are reachable.",
            )

    def raised(self, heads: Iterable[Head]) -> Floors:
        """The floors after seeing heads, and all that they have seen of their owner's other devices.

        To be written durably before a head is used.
        """
        sequences = dict(self.sequences)
        for head in heads:
            for device, sequence in ((head.device, head.sequence), *((s.device, s.sequence) for s in head.seen)):
                chain = (head.owner, device)
                sequences[chain] = max(sequences.get(chain, 0), sequence)
        return Floors(sequences)


def _check_body(body: _Body) -> None:
    if (body.root is None) != (body.entries == 0):
        raise FormatError("A head counts entries without a catalog, or none with one.")
    if body.complete is not None and (body.complete.sequence >= body.sequence or body.previous == NO_HEAD):
        raise FormatError("A head names a complete one that is not earlier.")
    if any(one.device >= other.device for one, other in pairwise(body.seen)):
        raise FormatError("A head lists the devices it has seen out of order.")
    if any(seen.device == body.device for seen in body.seen):
        raise FormatError("A head lists its own device among the others it has seen.")


def _root_aead(keys: OwnerKeys, root: bytes) -> AESGCM:
    return AESGCM(derive(keys.catalog, Label.CATALOG_ROOT, salt=root))


def _seal_key(keys: OwnerKeys, root: PageRef) -> bytes:
    return _root_aead(keys, root.id).encrypt(_NONCE, root.key, Label.CATALOG_ROOT.encode())
