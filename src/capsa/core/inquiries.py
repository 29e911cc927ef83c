"""What a home's commands ask its node that changes nothing: who is there, who holds what, how things stand."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from capsa.core.messages import Blob, Count, Id, Ids, Indexes, Message, Text


class Holders(Message, frozen=True, array_like=True):
    """Who proves to hold these blocks now? With `here_only`, whether this home does; nobody else is asked."""

    code = 122
    ids: Ids
    here_only: bool = False


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
    `full`: the disk is, and nothing new is stored on it.
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
    full: bool = False


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


INQUIRY_MESSAGES: tuple[type[Message], ...] = (
    *(Holders, HoldersTold, Contacts, ContactsTold, Peers, PeersTold, Status, StatusTold),
    *(Transfers, TransfersTold, Unfinished, UnfinishedTold),
    *(Examine, Examined, Probe, Probed),
)
