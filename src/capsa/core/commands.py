"""What a home's commands say to its node over `control.sock`, beside `Get` and the like from `messages`.

The command holds the owner's keys and seals and signs; the node stores, sends and remembers.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from capsa.core.inquiries import INQUIRY_MESSAGES
from capsa.core.messages import Blob, Blobs, Claim16, Count, Failure, Got, Id, Ids, Indexes, Message, Sizes, Text
from capsa.core.openkeys import AreKeysKept, DropKeys, KeepKeys, KeysKept, KeysTaken, TakeKeys

Claims16 = Annotated[tuple[Claim16, ...], Meta(max_length=1024)]
Counts = Annotated[tuple[Count, ...], Meta(max_length=1024)]
Secrets = Annotated[tuple[Annotated[bytes, Meta(max_length=48)], ...], Meta(max_length=1024)]


class Greet(Message, frozen=True, array_like=True):
    """Who are you?"""

    code = 100


class Greeted(Message, frozen=True, array_like=True):
    """The home: its network, owner, node, the network's default number of copies, and whether it is admitted.

    `members` counts known nodes, this one too; `settled` says that all of them are connected or were tried in vain;
    `serving` is false for a command that is the home's node for as long as it runs.
    """

    code = 101
    network: Id
    owner: Id
    node: Id
    copies: Count
    admitted: bool
    members: Count
    settled: bool
    refusal: Text = ""
    serving: bool = False


class Keep(Message, frozen=True, array_like=True):
    """Store these blocks at home and on `copies` other nodes, pending under a claim id; the payload is their bytes.

    Without `spread` nothing is sent to other nodes now.
    """

    code = 102
    claim: Claim16
    copies: Count
    ids: Ids
    sizes: Sizes
    spread: bool = True


class Kept(Message, frozen=True, array_like=True):
    """They are durable at home, and the picks that could be reached were sent them; which were new here."""

    code = 103
    new: Indexes


class Commit(Message, frozen=True, array_like=True):
    """A signed claim part: collect receipts for it from all wanted holders; without `wait`, after the answer."""

    code = 104
    part: Blob
    wait: bool = True


class Committed(Message, frozen=True, array_like=True):
    """For each item of the part, the least number of durable copies of any of its blocks, the home counted."""

    code = 105
    durable: Counts


class OpenPuts(Message, frozen=True, array_like=True):
    """Begin or take up puts: the keyed hash of each key, and the claim id to use where none is open.

    With `secrets`, which are sealed, puts are private: one for each, to be kept with the claim id until it closes.
    """

    code = 106
    names: Ids
    proposed: Claims16
    secrets: Secrets = ()


class PutsOpened(Message, frozen=True, array_like=True):
    """The claim id of each, and the digests of the items that were already committed under it.

    And the sealed secret that is kept with it; empty where there is none.
    """

    code = 107
    claims: Claims16
    items: Annotated[tuple[Ids, ...], Meta(max_length=1024)]
    secrets: Secrets = ()


class ForgetPuts(Message, frozen=True, array_like=True):
    """These open puts came out different: their claim ids are to be released. The reply is `Done`."""

    code = 108
    names: Ids


class StalePuts(Message, frozen=True, array_like=True):
    """Which claim ids of puts that were never finished are due for release?"""

    code = 109


class PutsStale(Message, frozen=True, array_like=True):
    code = 110
    claims: Claims16


class Copies(Message, frozen=True, array_like=True):
    """How many durable copies have these claims, as last known?"""

    code = 111
    claims: Claims16


class CopiesTold(Message, frozen=True, array_like=True):
    """Durable and wanted copies of each claim, the home counted; wanted 0 where this node knows of no shortfall."""

    code = 112
    durable: Counts
    wanted: Counts


class Fetch(Message, frozen=True, array_like=True):
    """One block, from here or from whoever has it, checked against its id. The reply is `Got`."""

    code = 113
    id: Id


class TakeHeadLock(Message, frozen=True, array_like=True):
    """Wait for the right to sign this home's next head; closing the connection gives it back."""

    code = 114


class HeadLockTaken(Message, frozen=True, array_like=True):
    """The next sequence number, durable before it is told, and the newest known head of each of the owner's devices.

    `complete` is the digest of this home's newest head whose pages had all wanted receipts, or empty.
    """

    code = 115
    sequence: Count
    heads: Blobs
    complete: Blob = b""


class FreeHeadLock(Message, frozen=True, array_like=True):
    code = 116


class PublishHead(Message, frozen=True, array_like=True):
    """Keep this head, tell all members, and close the open puts with these claim ids, which it records.

    `complete`: its pages had all wanted receipts.
    """

    code = 117
    head: Blob
    closes: Claims16
    complete: bool


class HeadPublished(Message, frozen=True, array_like=True):
    """How many other members have it now."""

    code = 118
    members: Count


class Heads(Message, frozen=True, array_like=True):
    """The newest known head of each device of this home's owner."""

    code = 119


class HeadsTold(Message, frozen=True, array_like=True):
    code = 120
    heads: Blobs


class EndClaims(Message, frozen=True, array_like=True):
    """A signed release: keep it, and hand it to all who hold what it ends. The reply is `Done`."""

    code = 121
    release: Blob


class Done(Message, frozen=True, array_like=True):
    code = 130


class Recall(Message, frozen=True, array_like=True):
    """Which of these files looked like this when they were put last? Keyed hashes of keys, and of stamps."""

    code = 140
    names: Ids
    stamps: Ids


class Recalled(Message, frozen=True, array_like=True):
    """These, by index."""

    code = 141
    indexes: Indexes


class Remember(Message, frozen=True, array_like=True):
    """What these files looked like, in place of what was remembered of them. The reply is `Done`."""

    code = 142
    names: Ids
    stamps: Ids


class HearAll(Message, frozen=True, array_like=True):
    """Ask every member that can be reached for all it knows of the network; answered when they have, by `HeardAll`."""

    code = 150


class DeviceHeads(msgspec.Struct, frozen=True, array_like=True):
    """The newest known head of one device, and the earlier one that it names as complete, or nothing."""

    newest: Blob
    complete: Blob


class DeviceBehind(msgspec.Struct, frozen=True, array_like=True):
    """A device of which a head of this number was seen, by another of its owner's, and none as new is known."""

    device: Id
    sequence: Count


class HeardAll(Message, frozen=True, array_like=True):
    """Who answered, as owners, of how many others there are; and what is known now of the home's owner's devices."""

    code = 151
    answered: Ids
    others: Count
    heads: Annotated[tuple[DeviceHeads, ...], Meta(max_length=1024)]
    behind: Annotated[tuple[DeviceBehind, ...], Meta(max_length=1024)]


class FallBack(Message, frozen=True, array_like=True):
    """Read a device's catalog from its complete head (both by digest) while this newest one of it is the newest.

    The reply is `Done`.
    """

    code = 152
    newest: Id
    complete: Id


class Retire(Message, frozen=True, array_like=True):
    """Others have taken the place of these claims, with fewer copies so far: they are to be released some days later.

    The reply is `Done`.
    """

    code = 143
    claims: Claims16


class Reprieve(Message, frozen=True, array_like=True):
    """The catalog holds what these claims cover: they are not to be released after all. The reply is `Done`."""

    code = 144
    claims: Claims16


COMMAND_MESSAGES: tuple[type[Message], ...] = (
    *(Failure, Got, Done, Greet, Greeted, Keep, Kept, Commit, Committed),
    *(OpenPuts, PutsOpened, ForgetPuts, StalePuts, PutsStale, Copies, CopiesTold, Fetch),
    *(TakeHeadLock, HeadLockTaken, FreeHeadLock, PublishHead, HeadPublished, Heads, HeadsTold, EndClaims),
    *(KeepKeys, DropKeys, TakeKeys, KeysTaken, AreKeysKept, KeysKept),
    *(Recall, Recalled, Remember, Retire, Reprieve),
    *(HearAll, HeardAll, FallBack),
    *INQUIRY_MESSAGES,
)
