"""Claims, releases and receipts: who wants which blocks kept, until when, and who promised to.

A stored version is one claim; its block ids travel in *parts*, each signed by the owner. A part may also carry
many small claims. Holders keep parts and releases verbatim and hand them on, so that any holder can repair.
Whether a claim still keeps a block is the store's to judge; this module knows formats, bounds and signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Final, TypeAlias

import msgspec
from blake3 import blake3
from msgspec import Meta

from capsa.core.encoding import decode, encode
from capsa.core.ids import CLAIM_ID_SIZE, ID_SIZE, BlockId, Buffer, ClaimId, NetworkId, NodeId, OwnerId
from capsa.core.keys import SigningKey
from capsa.core.sealing import BLOCK_SIZE_MAX
from capsa.core.signing import SIGNED_SIZE_MAX, Signed, check, decode_signed, encode_signed, sign
from capsa.errors import FormatError, SignatureError

PART_BLOCKS_MAX: Final = 1024
PART_ITEMS_MAX: Final = 1024
RELEASE_CLAIMS_MAX: Final = 1024
COPIES_MAX: Final = 255
RETAIN_UNTIL_MAX: Final = 2**63 - 1

_KIND_CLAIM: Final = "claim"
_KIND_RELEASE: Final = "release"
_KIND_RECEIPT: Final = "receipt"

_Version: TypeAlias = Annotated[int, Meta(ge=1, le=1)]
_Id: TypeAlias = Annotated[bytes, Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
_ClaimId: TypeAlias = Annotated[bytes, Meta(min_length=CLAIM_ID_SIZE, max_length=CLAIM_ID_SIZE)]
_Nonce: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=32)]
_PackedIds: TypeAlias = Annotated[bytes, Meta(min_length=ID_SIZE, max_length=PART_BLOCKS_MAX * ID_SIZE)]
_Size: TypeAlias = Annotated[int, Meta(ge=1, le=BLOCK_SIZE_MAX)]
_Sizes: TypeAlias = Annotated[tuple[_Size, ...], Meta(min_length=1, max_length=PART_BLOCKS_MAX)]


class _ItemBody(msgspec.Struct, frozen=True, array_like=True):
    claim: _ClaimId
    copies: Annotated[int, Meta(ge=0, le=COPIES_MAX)]
    retain_until: Annotated[int, Meta(ge=0, le=RETAIN_UNTIL_MAX)]
    ids: _PackedIds
    sizes: _Sizes


class _PartBody(msgspec.Struct, frozen=True, array_like=True):
    version: _Version
    home: _Id
    number: Annotated[int, Meta(ge=0, lt=2**32)]
    items: Annotated[tuple[_ItemBody, ...], Meta(min_length=1, max_length=PART_ITEMS_MAX)]


class _ReleaseBody(msgspec.Struct, frozen=True, array_like=True):
    version: _Version
    claims: Annotated[bytes, Meta(min_length=CLAIM_ID_SIZE, max_length=RELEASE_CLAIMS_MAX * CLAIM_ID_SIZE)]


class _ReceiptBody(msgspec.Struct, frozen=True, array_like=True):
    version: _Version
    part: _Id
    ids: _Id
    nonce: _Nonce


@dataclass(frozen=True, slots=True)
class ClaimItem:
    """One claim's blocks within one part.

    `copies` are wanted on nodes other than the claim's home; `retain_until` is Unix time in seconds, 0 for no
    retention; `sizes` are block sizes in bytes, one for each id.
    """

    claim: ClaimId
    copies: int
    retain_until: int
    ids: tuple[BlockId, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class ClaimPart:
    """An owner's signed wish that the listed blocks be kept.

    `home` is the device that put them and is never a pick for them; `signed` are the verbatim bytes that are
    stored and handed on, `digest` their BLAKE3-256.
    """

    owner: OwnerId
    home: NodeId
    number: int
    items: tuple[ClaimItem, ...]
    signed: bytes = field(repr=False)
    digest: bytes

    @classmethod
    def parse(cls, signed: Buffer, network: NetworkId) -> ClaimPart:
        """The part in `signed`; `FormatError` if malformed or out of bounds, `SignatureError` if not validly signed."""
        verbatim = bytes(signed)
        envelope = _open(verbatim, _KIND_CLAIM, network)
        body = decode(_PartBody, envelope.body, size_max=SIGNED_SIZE_MAX)
        items = tuple(_item(item) for item in body.items)
        _check_items(items)
        digest = blake3(verbatim).digest()
        return cls(OwnerId(envelope.signer), NodeId(body.home), body.number, items, verbatim, digest)

    @cached_property
    def blocks(self) -> tuple[tuple[BlockId, int, ClaimItem], ...]:
        """(id, size in bytes, item) of every block; positions here are the indexes that messages name."""
        return tuple(
            (block, size, item) for item in self.items for block, size in zip(item.ids, item.sizes, strict=True)
        )


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """The end of claims, signed by their owner; it ends no other owner's. Fields as in `ClaimPart`."""

    owner: OwnerId
    claims: tuple[ClaimId, ...]
    signed: bytes = field(repr=False)
    digest: bytes

    @classmethod
    def parse(cls, signed: Buffer, network: NetworkId) -> ReleaseNote:
        """The release in `signed`; raises as `ClaimPart.parse`."""
        verbatim = bytes(signed)
        envelope = _open(verbatim, _KIND_RELEASE, network)
        packed = decode(_ReleaseBody, envelope.body, size_max=SIGNED_SIZE_MAX).claims
        claims = tuple(ClaimId(claim) for claim in _unpack(packed, CLAIM_ID_SIZE))
        return cls(OwnerId(envelope.signer), claims, verbatim, blake3(verbatim).digest())


def make_part(key: SigningKey, network: NetworkId, home: NodeId, number: int, items: Sequence[ClaimItem]) -> ClaimPart:
    """Sign a part with the owner's `key`; `number` counts the parts of a claim from 0.

    `FormatError` if the items exceed what a part may carry, so that nothing is signed which no peer would take.
    """
    _check_items(items)
    bodies = tuple(_ItemBody(i.claim, i.copies, i.retain_until, b"".join(i.ids), i.sizes) for i in items)
    signed = _seal(key, _KIND_CLAIM, network, _PartBody(1, home, number, bodies))
    return ClaimPart(OwnerId(key.public), home, number, tuple(items), signed, blake3(signed).digest())


def make_release(key: SigningKey, network: NetworkId, claims: Sequence[ClaimId]) -> ReleaseNote:
    """Sign, with the owner's `key`, the end of 1 to `RELEASE_CLAIMS_MAX` claims; `FormatError` on other counts."""
    if not 1 <= len(claims) <= RELEASE_CLAIMS_MAX:
        raise FormatError(f"A release names {len(claims)} claims where 1 to {RELEASE_CLAIMS_MAX} are allowed.")
    signed = _seal(key, _KIND_RELEASE, network, _ReleaseBody(1, b"".join(claims)))
    return ReleaseNote(OwnerId(key.public), tuple(claims), signed, blake3(signed).digest())


def make_receipt(
    key: SigningKey, network: NetworkId, part_digest: bytes, ids: Sequence[BlockId], nonce: bytes
) -> bytes:
    """A holder's promise, signed with its device `key`: it holds the part, and of its blocks `ids`, durably."""
    return _seal(key, _KIND_RECEIPT, network, _ReceiptBody(1, part_digest, ids_digest(ids), nonce))


def check_receipt(
    signed: Buffer, *, network: NetworkId, holder: NodeId, part_digest: bytes, ids: Sequence[BlockId], nonce: bytes
) -> None:
    """Raise `FormatError` or `SignatureError` unless `signed` is `holder`'s receipt for exactly this request."""
    envelope = _open(bytes(signed), _KIND_RECEIPT, network)
    body = decode(_ReceiptBody, envelope.body, size_max=SIGNED_SIZE_MAX)
    if envelope.signer != holder:
        raise SignatureError("A receipt is signed by another node than the one that was asked.")
    if body != _ReceiptBody(1, part_digest, ids_digest(ids), nonce):
        raise SignatureError("A receipt is for something else than what was asked.")


def _seal(key: SigningKey, kind: str, network: NetworkId, body: msgspec.Struct) -> bytes:
    return encode_signed(sign(key, kind, network, encode(body)))


def _open(signed: bytes, kind: str, network: NetworkId) -> Signed:
    envelope = decode_signed(signed)
    if envelope.kind != kind:
        raise FormatError(f"A signed value is a {envelope.kind[:32]!r} where a {kind} is expected.")
    if envelope.network != network:
        raise SignatureError(f"A {kind} belongs to another network.")
    check(envelope)
    return envelope


def ids_digest(ids: Sequence[BlockId]) -> bytes:
    """BLAKE3-256 of the ids, one after the other: names a list of blocks in receipts and in the home's journal."""
    return blake3(b"".join(ids)).digest()


def _unpack(packed: bytes, size: int) -> list[bytes]:
    if len(packed) % size:
        raise FormatError("A packed list of ids has a torn last one.")
    return [packed[start : start + size] for start in range(0, len(packed), size)]


def _item(body: _ItemBody) -> ClaimItem:
    ids = tuple(BlockId(block) for block in _unpack(body.ids, ID_SIZE))
    return ClaimItem(ClaimId(body.claim), body.copies, body.retain_until, ids, body.sizes)


def _check_items(items: Sequence[ClaimItem]) -> None:
    if not 1 <= len(items) <= PART_ITEMS_MAX:
        raise FormatError(f"A claim part has {len(items)} claims where 1 to {PART_ITEMS_MAX} are allowed.")
    if len({item.claim for item in items}) != len(items):
        raise FormatError("A claim part names the same claim twice.")
    for item in items:
        if not item.ids or len(item.ids) != len(item.sizes):
            raise FormatError("A claim has no blocks, or not one size for each.")
        if not all(1 <= size <= BLOCK_SIZE_MAX for size in item.sizes):
            raise FormatError("A claim has a block of impossible size.")
        if not 0 <= item.copies <= COPIES_MAX or not 0 <= item.retain_until <= RETAIN_UNTIL_MAX:
            raise FormatError("A claim has an impossible number of copies or retention.")
    blocks = sum(len(item.ids) for item in items)
    if blocks > PART_BLOCKS_MAX:
        raise FormatError(f"A claim part has {blocks} blocks where at most {PART_BLOCKS_MAX} are allowed.")
