"""Contact cards and invites: frozen texts, texts that must be refused, and that secrets stay out of sight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsa.core.cards import (
    CONTACTS_MAX,
    Contact,
    Invite,
    format_card,
    format_invite,
    make_card,
    parse_card,
    parse_invite,
)
from capsa.errors import UsageError
from tests.core.cast import Cast, seed

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "cards.json").read_text())
SECRET = bytes.fromhex(VECTORS["secret"])


def test_cards_are_frozen() -> None:
    card = parse_card(VECTORS["card"])
    assert format_card(card) == VECTORS["card"]
    assert card.secret == SECRET
    assert card.founding.name == "Olga"
    assert card.founding.copies == 3
    assert [contact.addresses for contact in card.members] == [("tcp://192.0.2.7:4747",), ()]


def test_invites_are_frozen() -> None:
    invite = parse_invite(VECTORS["invite"])
    assert format_invite(invite) == VECTORS["invite"]
    assert invite.card == parse_card(VECTORS["card"])
    assert invite.grant.subject == invite.one_time.public
    assert invite.grant.expires == 1_800_172_800


@pytest.mark.parametrize("vector", VECTORS["must_fail"], ids=lambda vector: str(vector["why"]))
def test_what_must_fail_fails(vector: dict[str, str]) -> None:
    parse = {"card": parse_card, "invite": parse_invite}[vector["what"]]
    with pytest.raises(UsageError) as caught:
        parse(vector["text"])
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_texts_are_short() -> None:
    cast = Cast("Olga")
    contact = Contact(cast.node("Olga"), cast.owner("Olga"), ("tcp://192.168.178.21:4747",))
    card = make_card(cast.founding, SECRET, (contact,))
    invite = Invite(card, cast.invite("Olga", "Anna", expires=1_800_172_800), seed("invite Olga Anna"))
    assert len(format_card(card)) < 500
    assert len(format_invite(invite)) < 900
    assert parse_invite(format_invite(invite)) == invite


def test_a_card_of_a_large_network_can_be_read_again() -> None:
    cast = Cast("Olga")
    addresses = tuple(f"tcp://[2001:db8:1111:2222:3333:4444:5555:{number}]:4747" for number in range(4))
    members = tuple(Contact(seed(f"n{each}"), seed(f"o{each}"), addresses) for each in range(40))
    card = parse_card(format_card(make_card(cast.founding, SECRET, members)))
    assert card.members == members[:CONTACTS_MAX]
    assert card.network == cast.network


def test_representations_hide_secrets() -> None:
    invite = parse_invite(VECTORS["invite"])
    shown = f"{invite!r} {invite} {invite.card!r} {[invite]} {invite.one_time!r}"
    for secret in (SECRET, invite.seed):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
