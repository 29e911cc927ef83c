"""`invite` and `card`: what a newcomer is handed."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final

from capsa.core import statements
from capsa.core.cards import Contact, ContactCard, Invite, format_card, format_invite, make_card
from capsa.core.inquiries import Contacts, ContactsTold
from capsa.core.keys import Ed25519Key
from capsa.core.signing import decode_signed
from capsa.errors import RefusedError
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import parse_duration, rfc3339, show_seconds
from capsa.faces.cli.running import run
from capsa.faces.cli.start import HomeContext, at_home

_SEED_SIZE: Final = 32


def invite(options: Namespace, screen: Screen) -> int:
    """A one-time invite: a contact card, and a grant to a key that only the invite holds."""
    return run(_invite(home_root(options), unlock_of(options), parse_duration(options.expires), screen))


async def _invite(root: Path, unlock: Unlock, seconds: int, screen: Screen) -> int:
    async with at_home(root, unlock=unlock) as context:
        if not context.facts.admitted:
            raise RefusedError("This home is not a member yet, and cannot invite.", "Run 'capsa up' until it is.")
        keys = context.keys
        card = await contact_card(context, screen)
        now = int(context.clock.now())
        one_time = context.entropy.take(_SEED_SIZE)
        grant = statements.invite(
            keys.signing,
            context.home.network,
            one_time=Ed25519Key(one_time).public,
            created=now,
            expires=now + seconds,
        )
    text = format_invite(Invite(card, grant, one_time))
    screen.document({"invite": text, "expires": rfc3339(now + seconds)})
    screen.result(text)
    screen.note(f"It lets one person in within {show_seconds(seconds)}: send it by a way that others cannot read.")
    return Exit.DONE


def card(options: Namespace, screen: Screen) -> int:
    """The network's contact card."""
    return run(_card(home_root(options), screen))


async def _card(root: Path, screen: Screen) -> int:
    async with at_home(root) as context:
        text = format_card(await contact_card(context, screen))
    screen.document({"card": text})
    screen.result(text)
    return Exit.DONE


async def contact_card(context: HomeContext, screen: Screen) -> ContactCard:
    """The card, as this home's node knows the network now."""
    told = await context.link.ask(Contacts(), ContactsTold)
    contacts = tuple(Contact(line.node, line.owner, line.addresses) for line in told.contacts)
    if not contacts:
        screen.note("No member listens yet, so this leads nowhere: start a node with 'capsa up', then make a new one.")
    return make_card(decode_signed(told.founding), context.home.secret(), contacts)
