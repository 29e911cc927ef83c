"""What a catalog holds: versions of files, and removals that name them by dot. Entries are only ever added."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from capsa.core.caps import Cap
from capsa.core.ids import CLAIM_ID_SIZE, ID_SIZE, ClaimId, NodeId
from capsa.core.names import check_key
from capsa.core.pages import Id, Key, Kind, Size, check_media_type
from capsa.errors import FormatError, UsageError

REMOVES_MAX: Final = 256
"""Dots that one removal names; more versions take more removals."""

Claim: TypeAlias = Annotated[ClaimId, Meta(min_length=CLAIM_ID_SIZE, max_length=CLAIM_ID_SIZE)]
Device: TypeAlias = Annotated[NodeId, Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
Digest: TypeAlias = Annotated[bytes, Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Dot(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """The name of one added entry, never given twice: the device, the sequence number of its head, a running index."""

    device: Device
    sequence: Count
    index: Annotated[int, Meta(ge=0, le=2**32 - 1)]


class VersionEntry(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """One stored version of a file.

    `size` in bytes; `mtime_ns` in nanoseconds since 1970; `root` and `root_key` are its cap; `digest` is the BLAKE3
    of the whole plaintext; `blocks`, `copies` (on nodes other than the home) and `retain_until` (Unix seconds, 0 for
    none) are those of its claim. The representation leaves `root_key` out.
    """

    key: str
    dot: Dot
    lamport: Count
    kind: Kind
    size: Size
    media_type: Annotated[str, Meta(max_length=255)]
    mtime_ns: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    root: Id
    root_key: Key
    claim: Claim
    digest: Digest
    blocks: Count
    copies: Annotated[int, Meta(ge=0, le=255)]
    retain_until: Count

    @property
    def cap(self) -> Cap:
        """Who has this can read the version."""
        return Cap(self.root, self.root_key)

    def __repr__(self) -> str:
        return f"VersionEntry(key={self.key!r}, dot={self.dot!r}, lamport={self.lamport})"


class RemovalEntry(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """The end of some versions of one key: those that `removes` names, in ascending order, and no others."""

    key: str
    dot: Dot
    lamport: Count
    removes: Annotated[tuple[Dot, ...], Meta(min_length=1, max_length=REMOVES_MAX)]


Entry: TypeAlias = VersionEntry | RemovalEntry
Order: TypeAlias = tuple[str, Dot]


def order_of(entry: Entry) -> Order:
    """What a catalog is sorted by. Python compares strings by code point, which is the order of their UTF-8 bytes."""
    return entry.key, entry.dot


def check_entry(entry: Entry) -> None:
    """Raise `FormatError` unless key and media type are in normal form and the dots of a removal strictly ascend."""
    try:
        normal = check_key(entry.key)
    except UsageError:
        raise FormatError("A catalog entry has an impossible key.") from None
    if normal != entry.key:
        raise FormatError("A catalog entry's key is not in Unicode's normal form C.")
    if isinstance(entry, VersionEntry):
        check_media_type(entry.media_type)
    elif any(a >= b for a, b in pairwise(entry.removes)):
        raise FormatError("A catalog removal names its versions out of order.")
