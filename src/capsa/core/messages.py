"""What nodes say to each other, and a home's commands to its node: every request and its reply.

A message travels as an envelope (request id, kind, body and payload length), a MessagePack body whose type
the kind names, and a bulk payload behind it (`capsa.core.envelope`). Fields that a reader does not know are
ignored; what it reads is bounded by `BODY_SIZE_MAX`, `LIST_MAX` and `PAYLOAD_SIZE_MAX`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

import msgspec
from msgspec import Meta

LIST_MAX = 1024
BODY_SIZE_MAX = 1024 * 1024
PAYLOAD_SIZE_MAX = 4 * 1024 * 1024

Id: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Claim16: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Nonce: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=32)]
Ids: TypeAlias = Annotated[tuple[Id, ...], Meta(max_length=LIST_MAX)]
Sizes: TypeAlias = Annotated[tuple[Annotated[int, Meta(ge=1, le=PAYLOAD_SIZE_MAX)], ...], Meta(max_length=LIST_MAX)]
Indexes: TypeAlias = Annotated[tuple[Annotated[int, Meta(ge=0, lt=LIST_MAX)], ...], Meta(max_length=LIST_MAX)]
Blob: TypeAlias = Annotated[bytes, Meta(max_length=128 * 1024)]
Blobs: TypeAlias = Annotated[tuple[Blob, ...], Meta(max_length=LIST_MAX)]
Text: TypeAlias = Annotated[str, Meta(max_length=1024)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A body; `code` is its kind on the wire."""

    code: ClassVar[int]


class Failure(Message, frozen=True, array_like=True):
    """The reply that is an error (see `capsa.errors`)."""

    code = 1
    kind: Text
    message: Text
    hint: Text = ""


# --- peers ---------------------------------------------------------------------------------------


class Hello(Message, frozen=True, array_like=True):
    """First on every session, both ways: request and reply have the same shape."""

    code = 10
    version: Count
    clock: float
    boot: Nonce
    features: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    observed: Text = ""


class Ping(Message, frozen=True, array_like=True):
    """Are you there? The reply is a `Pong`."""

    code = 12
    incarnation: Count = 0


class Pong(Message, frozen=True, array_like=True):
    code = 13
    incarnation: Count = 0


class HeadMark(msgspec.Struct, frozen=True, array_like=True):
    """A head by name: what the sender already has."""

    owner: Id
    device: Id
    sequence: Count
    digest: Id


class RecordMark(msgspec.Struct, frozen=True, array_like=True):
    """A node record by name."""

    node: Id
    incarnation: Count


class Sync(Message, frozen=True, array_like=True):
    """What I have (marks) and what I believe you lack (blobs); the reply is a `Sync` of the same shape.

    The marks are complete for one shard out of `shards`: the things whose name (digest, node id) begins with two
    bytes that leave `shard` when divided by `shards`.
    """

    code = 14
    record_marks: Annotated[tuple[RecordMark, ...], Meta(max_length=LIST_MAX)] = ()
    statement_marks: Ids = ()
    head_marks: Annotated[tuple[HeadMark, ...], Meta(max_length=LIST_MAX)] = ()
    records: Blobs = ()
    statements: Blobs = ()
    heads: Blobs = ()
    shard: Annotated[int, Meta(ge=0, lt=65536)] = 0
    shards: Annotated[int, Meta(ge=1, le=65536)] = 1


class Admit(Message, frozen=True, array_like=True):
    """A joiner's grant chain and device certificate, as signed statements."""

    code = 16
    statements: Blobs


class Admitted(Message, frozen=True, array_like=True):
    """The admission, and all statements that a new member needs."""

    code = 17
    statements: Blobs


class Duplicate(Message, frozen=True, array_like=True):
    """Another process with your device key and this boot id has a session with me, and answers: are you there, too?

    `proof` is its proof of presence towards you (`capsa.core.presence`), once there is one.
    """

    code = 18
    boot: Nonce
    proof: Annotated[bytes, Meta(max_length=64)] = b""


class Present(Message, frozen=True, array_like=True):
    """I am: my proof of presence towards that other process."""

    code = 19
    proof: Annotated[bytes, Meta(min_length=64, max_length=64)]


# --- store ---------------------------------------------------------------------------------------


class Put(Message, frozen=True, array_like=True):
    """Keep these blocks, pending, under a claim id; the payload is their bytes, one after the other."""

    code = 20
    claim: Claim16
    ids: Ids
    sizes: Sizes


class PutDone(Message, frozen=True, array_like=True):
    """They are fsynced."""

    code = 21


class Have(Message, frozen=True, array_like=True):
    """Which of these do you hold? Prove it under this nonce (`capsa.core.proofs`)."""

    code = 22
    ids: Ids
    nonce: Nonce


class Held(Message, frozen=True, array_like=True):
    """A proof for each id asked, empty where the block is not held or not claimed."""

    code = 23
    proofs: Annotated[tuple[Annotated[bytes, Meta(max_length=32)], ...], Meta(max_length=LIST_MAX)]


class Claim(Message, frozen=True, array_like=True):
    """A signed claim part, and which of its blocks (by index) the receiver is to hold."""

    code = 24
    part: Blob
    indexes: Indexes
    nonce: Nonce


class Claimed(Message, frozen=True, array_like=True):
    """A receipt over the asked blocks that are held durably, and the indexes that are missing."""

    code = 25
    receipt: Blob
    missing: Indexes


class Release(Message, frozen=True, array_like=True):
    """A signed release."""

    code = 26
    release: Blob


class Released(Message, frozen=True, array_like=True):
    code = 27


# --- get -----------------------------------------------------------------------------------------


class Get(Message, frozen=True, array_like=True):
    """One block; the reply is `Got` with its bytes as payload, or a `not_found` failure."""

    code = 30
    id: Id


class Got(Message, frozen=True, array_like=True):
    code = 31


class Find(Message, frozen=True, array_like=True):
    """The broadcast of last resort: who has these?"""

    code = 32
    ids: Ids


class Found(Message, frozen=True, array_like=True):
    """Indexes of the ids that the sender holds."""

    code = 33
    indexes: Indexes


# --- care ----------------------------------------------------------------------------------------


class Inventory(Message, frozen=True, array_like=True):
    """Digests of the claim parts that you hold, in order, after this one (empty: from the first)."""

    code = 40
    after: Annotated[bytes, Meta(max_length=32)] = b""


class Parts(Message, frozen=True, array_like=True):
    """At most `LIST_MAX` digests; fewer mean that there are no more."""

    code = 41
    digests: Ids


class GetPart(Message, frozen=True, array_like=True):
    """One claim part, verbatim; the reply is `Got` with its bytes as payload, or a `not_found` failure."""

    code = 42
    digest: Id


PEER_MESSAGES: tuple[type[Message], ...] = (
    *(Failure, Hello, Ping, Pong, Sync, Admit, Admitted, Duplicate, Present),
    *(Put, PutDone, Have, Held, Claim, Claimed, Release, Released),
    *(Get, Got, Find, Found),
    *(Inventory, Parts, GetPart),
)
