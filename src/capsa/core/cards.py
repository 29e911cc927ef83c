"""Contact cards and invites: what a newcomer is handed, as text.

A card says where a network is and opens its doors' outer lock; it can be used again and grants nothing. An
invite is a card with a one-time grant and the key to use it. Both hold secrets: they are shown to be given
away, and never logged. Expiry is the caller's to check.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from capsa.core.encoding import decode, encode
from capsa.core.ids import NetworkId
from capsa.core.keys import Ed25519Key
from capsa.core.signing import KIND_FOUNDING, Signed
from capsa.core.statements import (
    ADDRESS_LENGTH_MAX,
    ADDRESSES_MAX,
    Founding,
    Grant,
    Hash32,
    check_address,
    network_id,
    read_statement,
    verify_statement,
)
from capsa.core.text import SCHEME_CARD, SCHEME_INVITE, armour, unarmour
from capsa.errors import IntegrityError, UsageError

VERSION: Final = 1
CONTACTS_MAX: Final = 16
CARD_SIZE_MAX: Final = 16 * 1024
INVITE_SIZE_MAX: Final = CARD_SIZE_MAX + 1024


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """A member's node, and the URLs under which it may be reached."""

    node: Hash32
    owner: Hash32
    addresses: Annotated[
        tuple[Annotated[str, Meta(max_length=ADDRESS_LENGTH_MAX)], ...], Meta(max_length=ADDRESSES_MAX)
    ]


class ContactCard(msgspec.Struct, frozen=True, array_like=True):
    """The network's founding statement (its hash is the network's id), its secret, and some members."""

    version: int
    founding_statement: Signed
    secret: Hash32
    members: Annotated[tuple[Contact, ...], Meta(max_length=CONTACTS_MAX)]

    @property
    def network(self) -> NetworkId:
        return network_id(self.founding_statement)

    @property
    def founding(self) -> Founding:
        founding = read_statement(self.founding_statement)
        assert isinstance(founding, Founding)
        return founding

    def __repr__(self) -> str:
        return f"ContactCard(network={self.network.hex()}, members={len(self.members)})"


class Invite(msgspec.Struct, frozen=True, array_like=True):
    """A contact card, a member's grant to a one-time key, and the 32-byte seed of that key."""

    card: ContactCard
    grant_statement: Signed
    seed: Hash32

    @property
    def network(self) -> NetworkId:
        return self.card.network

    @property
    def grant(self) -> Grant:
        grant = read_statement(self.grant_statement)
        assert isinstance(grant, Grant)
        return grant

    @property
    def one_time(self) -> Ed25519Key:
        """The key that grants the joiner's owner key."""
        return Ed25519Key(self.seed)

    def __repr__(self) -> str:
        return f"Invite(network={self.network.hex()}, one_time={self.one_time.public.hex()})"


def make_card(founding_statement: Signed, secret: bytes, members: tuple[Contact, ...]) -> ContactCard:
    """A card with at most `CONTACTS_MAX` of the members, the first ones."""
    return ContactCard(VERSION, founding_statement, secret, members[:CONTACTS_MAX])


def format_card(card: ContactCard) -> str:
    """The card as one line of text."""
    return armour(SCHEME_CARD, encode(card))


def parse_card(text: str) -> ContactCard:
    """Inverse of `format_card`; `UsageError` unless the card is whole and its founding statement true."""
    data = unarmour(SCHEME_CARD, text, size_max=CARD_SIZE_MAX)
    try:
        card = decode(ContactCard, data, size_max=CARD_SIZE_MAX)
        _check_card(card)
    except IntegrityError as error:
        raise UsageError(f"This contact card cannot be used: {error.message}", "Ask a member for a new one.") from None
    return card


def format_invite(invite: Invite) -> str:
    """The invite as one line of text."""
    return armour(SCHEME_INVITE, encode(invite))


def parse_invite(text: str) -> Invite:
    """Inverse of `format_invite`; `UsageError` unless it is whole, its statements true and the key theirs."""
    data = unarmour(SCHEME_INVITE, text, size_max=INVITE_SIZE_MAX)
    try:
        invite = decode(Invite, data, size_max=INVITE_SIZE_MAX)
        _check_card(invite.card)
        verify_statement(invite.grant_statement, invite.network)
    except IntegrityError as error:
        raise UsageError(f"This invite cannot be used: {error.message}", "Ask for a new one.") from None
    grant = read_statement(invite.grant_statement)
    if not isinstance(grant, Grant) or not grant.one_time or grant.subject != invite.one_time.public:
        raise UsageError("This invite cannot be used: its key is not the one it grants.", "Ask for a new one.")
    return invite


def _check_card(card: ContactCard) -> None:
    """Raise `IntegrityError` on what no member would have written."""
    if card.version != VERSION:
        raise IntegrityError(f"it has the unknown version {card.version}.")
    if card.founding_statement.kind != KIND_FOUNDING:
        raise IntegrityError("it does not hold the network's founding.")
    verify_statement(card.founding_statement, network_id(card.founding_statement))
    for contact in card.members:
        for address in contact.addresses:
            check_address(address)
