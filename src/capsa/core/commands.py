"""What a home's commands say to its node over `control.sock`, beside `Get` and the like from `messages`.

The command holds the owner's keys and seals and signs; the node stores, sends and remembers.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

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


class Holders(Message, frozen=True, array_like=True):
    """Who proves to hold these blocks now?"""

    code = 122
    ids: Ids


class NodeHolds(msgspec.Struct, frozen=True, array_like=True):
    node: Id
    indexes: Indexes


class HoldersTold(Message, frozen=True, array_like=True):
    code = 123
    nodes: Annotated[tuple[NodeHolds, ...], Meta(max_length=1024)]


class Contacts(Message, frozen=True, array_like=True):
    """Members to put on a contact card."""

    code = 124


class ContactLine(msgspec.Struct, frozen=True, array_like=True):
    node: Id
    owner: Id
    addresses: Annotated[tuple[Text, ...], Meta(max_length=16)]


class ContactsTold(Message, frozen=True, array_like=True):
    code = 125
    contacts: Annotated[tuple[ContactLine, ...], Meta(max_length=64)]
    founding: Blob


class Peers(Message, frozen=True, array_like=True):
    """The network as this node sees it."""

    code = 126


class PeerLine(msgspec.Struct, frozen=True, array_like=True):
    """One node; `seen_seconds_ago` is negative where it was never heard."""

    node: Id
    owner: Id
    name: Text
    zone: Text
    state: Text
    addresses: Annotated[tuple[Text, ...], Meta(max_length=16)]
    free: int
    capacity: int
    seen_seconds_ago: float


class PeersTold(Message, frozen=True, array_like=True):
    code = 127
    nodes: Annotated[tuple[PeerLine, ...], Meta(max_length=1024)]


class Status(Message, frozen=True, array_like=True):
    """How is this node?"""

    code = 128


class StatusTold(Message, frozen=True, array_like=True):
    """`underreplicated` counts claims short of copies; `reachable` is yes, no or unknown.

    `alarms` counts invites that let in several owners, `forks` devices that signed two heads of one number.
    `duplicate`: another process runs with a copy of this home, and so nothing new is stored from it.
    """

    code = 129
    admitted: bool
    blocks: Count
    size_bytes: Count
    alive: Count
    suspect: Count
    gone: Count
    underreplicated: Count
    reachable: Text
    listening: Annotated[tuple[Text, ...], Meta(max_length=16)]
    damaged: Count
    serving: bool
    alarms: Count = 0
    forks: Count = 0
    duplicate: bool = False


class Examine(Message, frozen=True, array_like=True):
    """What does the doctor want to know of this node?"""

    code = 155


class Examined(Message, frozen=True, array_like=True):
    """Addresses listened on, and those told to others; by how many seconds each member's clock was ahead when it
    last said hello; whether this home runs twice; bytes that may be kept for others, and that are; the network's
    default number of copies besides the home's; owners that have nodes.
    """

    code = 156
    listening: Annotated[tuple[Text, ...], Meta(max_length=16)]
    advertised: Annotated[tuple[Text, ...], Meta(max_length=16)]
    clocks_ahead: Annotated[tuple[float, ...], Meta(max_length=1024)]
    duplicate: bool
    capacity: Count
    used: Count
    copies: Count
    owners: Count


class Probe(Message, frozen=True, array_like=True):
    """Dial this address: does that node (which may be this one) answer there?"""

    code = 157
    address: Text
    node: Id


class Probed(Message, frozen=True, array_like=True):
    """`expected`, `other` (somebody else answers) or `silent`, and the reason."""

    code = 158
    outcome: Text
    detail: Text


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


class Transfers(Message, frozen=True, array_like=True):
    """What went to and came from each node? Totals, from which the asker makes rates."""

    code = 160


class NodeTransfers(msgspec.Struct, frozen=True, array_like=True):
    """One node's totals since this one started; sizes are bytes of blocks, and never shrink while it runs.

    `copies`: blocks of this home's own puts that are durable there (on its own line: at home); `promised`: such that
    it gave receipts for, sent or not; `served`, `taken`, `fetched`: given to it, stored for it, got from it;
    `under_way`: blocks on their way to or from it now.
    """

    node: Id
    copies: Count
    copies_size: Count
    promised: Count
    promised_size: Count
    served_size: Count
    taken_size: Count
    fetched_size: Count
    under_way: Count


class TransfersTold(Message, frozen=True, array_like=True):
    code = 161
    nodes: Annotated[tuple[NodeTransfers, ...], Meta(max_length=1024)]


class Unfinished(Message, frozen=True, array_like=True):
    """What has this node still to do for its own puts, and for its store?"""

    code = 162


class ShortLine(msgspec.Struct, frozen=True, array_like=True):
    """How many claims have so many durable copies of so many that are wanted, the home counted."""

    durable: Count
    wanted: Count
    claims: Count


class UnfinishedTold(Message, frozen=True, array_like=True):
    """`short`: claims by their copies, those that lack most first; `refilling`: the store is taken back from others."""

    code = 163
    short: Annotated[tuple[ShortLine, ...], Meta(max_length=64)]
    refilling: bool


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


COMMAND_MESSAGES: tuple[type[Message], ...] = (
    *(Failure, Got, Done, Greet, Greeted, Keep, Kept, Commit, Committed),
    *(OpenPuts, PutsOpened, ForgetPuts, StalePuts, PutsStale, Copies, CopiesTold, Fetch),
    *(TakeHeadLock, HeadLockTaken, FreeHeadLock, PublishHead, HeadPublished, Heads, HeadsTold, EndClaims),
    *(Holders, HoldersTold, Contacts, ContactsTold, Peers, PeersTold, Status, StatusTold),
    *(KeepKeys, DropKeys, TakeKeys, KeysTaken, AreKeysKept, KeysKept),
    *(Recall, Recalled, Remember),
    *(Transfers, TransfersTold, Unfinished, UnfinishedTold),
    *(HearAll, HeardAll, FallBack),
    *(Examine, Examined, Probe, Probed),
)
