"""`recover`: a new device of an owner who has the phrase and a contact card, with all that others keep for them."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import Final

from capsa.client.link import HomeLink
from capsa.client.phrases import PHRASE_SIZE_MAX, entropy_of, wordlist
from capsa.client.recovery import ANSWERS_WANTED, Recovered
from capsa.client.recovery import recover as recover_catalogs
from capsa.core.cards import INVITE_SIZE_MAX, ContactCard, parse_card, parse_invite
from capsa.core.commands import Greet, Greeted
from capsa.core.ids import format_id
from capsa.core.keys import ENTROPY_SIZE, OwnerKeys
from capsa.core.kit import KIT_SIZE_MAX, read_kit, split_phrase
from capsa.core.signing import encode_signed
from capsa.core.text import SCHEME_CARD, SCHEME_INVITE, has_scheme
from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.faces.cli.commands.making import Newcomer, remove_what_is_new
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.given import STDIN, read_text
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import new_passphrase
from capsa.faces.cli.output import Screen, is_terminal
from capsa.faces.cli.quantities import count_of
from capsa.faces.cli.running import run
from capsa.faces.cli.start import HomeContext, at_home
from capsa.node.home import Home, Papers
from capsa.node.runtime import SystemClock, SystemEntropy, ThreadWorkers

_CARD_TEXT_MAX: Final = 4 * INVITE_SIZE_MAX
_STANDING_SECONDS: Final = 15.0
"""Within which somebody who is there tells whether the owner is a member: dialling alone may take ten."""
_AFTER_REFUSAL_SECONDS: Final = 2.0
"""Another member may know what one that refuses does not know yet."""
_POLL_SECONDS: Final = 0.05


def recover(options: Namespace, screen: Screen) -> int:
    """A new device of an existing owner; old ones stay valid. A repeat in the same folder asks everybody again."""
    root = home_root(options)
    entropy, card = _given(options, screen)
    owner = OwnerKeys.from_entropy(entropy)
    before = set(root.iterdir()) if root.is_dir() else None
    fresh = not _is_this(root, owner, card)
    if fresh:
        _settle(root, entropy, card, new_passphrase(options, screen))
    walk = _Walk(owner)
    try:
        home, recovered = run(walk.recover(root))
    except BaseException:
        if fresh and not walk.met:
            remove_what_is_new(root, before)
        raise
    _tell(home, recovered, screen)
    return Exit.DONE


class _Walk:
    """One try to come back. `met`: a member has answered, so that the home is good for something."""

    def __init__(self, owner: OwnerKeys) -> None:
        self._owner = owner
        self.met = False

    async def recover(self, root: Path) -> tuple[Home, Recovered]:
        async with at_home(root, unlock=self._unlock) as context:
            await self._seek_standing(context)
            recovered = await recover_catalogs(context.link, context.owner())
            if not recovered.answered:
                raise _nobody()
            self.met = True
            return context.home, recovered

    async def _unlock(self, home: Home, link: HomeLink) -> OwnerKeys:
        return self._owner

    async def _seek_standing(self, context: HomeContext) -> None:
        """Until a member has told that the owner is one, too; `RefusedError` or `UnreachableError` if none does."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _STANDING_SECONDS
        refused = False
        while not (facts := await context.link.ask(Greet(), Greeted)).admitted:
            if facts.refusal and not refused:
                refused, give_up = True, min(give_up, loop.time() + _AFTER_REFUSAL_SECONDS)
            if loop.time() >= give_up:
                if facts.refusal:
                    raise RefusedError(
                        "The members who answer know no owner of this phrase, or one who is a member no more.",
                        "Check that phrase and card belong together, then ask who founded the network.",
                    )
                raise _nobody()
            await asyncio.sleep(_POLL_SECONDS)


def _nobody() -> UnreachableError:
    return UnreachableError(
        "No member of the network answers at the addresses on this card.",
        "Try again when one is up, or ask any member for a new card ('capsa card').",
    )


def _given(options: Namespace, screen: Screen) -> tuple[bytes, ContactCard]:
    """The owner's entropy and the card; `UsageError` if they are malformed, or given twice."""
    if options.kit is not None:
        if options.card is not None or options.phrase_file is not None:
            raise UsageError("A kit holds phrase and card already.", "Give --kit alone, or CARD and --phrase-file.")
        kit = read_kit(read_text(options.kit, size_max=KIT_SIZE_MAX), wordlist())
        return _phrase_among(kit.phrases), _useful(kit.card)
    if options.card in (None, STDIN) and options.phrase_file == STDIN:
        raise UsageError("Stdin cannot be two things at once.", "Give the card as an argument or in a file.")
    card = _card(options.card, screen)
    return entropy_of(split_phrase(_phrase_text(options.phrase_file, screen))), card


def _phrase_among(phrases: tuple[tuple[str, ...], ...]) -> bytes:
    """The first that is a phrase; what is wrong with the first of all if none is."""
    problem: UsageError | None = None
    for words in phrases:
        try:
            return entropy_of(words)
        except UsageError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _card(given: str | None, screen: Screen) -> ContactCard:
    """The card, as itself, within an invite, or in a file; on stdin for `-` or nothing."""
    text = given or STDIN
    if not any(has_scheme(scheme, text) for scheme in (SCHEME_CARD, SCHEME_INVITE)):
        if text == STDIN and is_terminal(sys.stdin):
            screen.note("Paste the contact card, then press Enter and Ctrl-D:")
        text = read_text(text, size_max=_CARD_TEXT_MAX)
    return _useful(parse_invite(text).card if has_scheme(SCHEME_INVITE, text) else parse_card(text))


def _useful(card: ContactCard) -> ContactCard:
    """The card; `UsageError` if it leads nowhere."""
    if not any(contact.addresses for contact in card.members):
        raise UsageError("This card names nobody's address.", "Ask a member whose node is up for a new one.")
    return card


def _phrase_text(path: str | None, screen: Screen) -> str:
    """The phrase from a file, or typed at the terminal, which does not show it."""
    if path is not None:
        return read_text(path, size_max=PHRASE_SIZE_MAX)
    from capsa.faces.cli.keys.asking import ask_hidden, somebody_is_there

    if not somebody_is_there():
        raise UsageError("No recovery phrase was given, and there is no terminal to ask at.", "Give --phrase-file.")

    async def ask() -> str:
        with closing(ThreadWorkers()) as workers:
            return await ask_hidden("Recovery phrase, 24 words: ", workers)

    return run(ask())


def _is_this(root: Path, owner: OwnerKeys, card: ContactCard) -> bool:
    """Whether there is this owner's home in this network already; `RefusedError` if there is another."""
    if not (root / "home.json").exists():
        return False
    home = Home.open(root)
    if (home.owner, home.network) != (owner.owner, card.network):
        raise RefusedError(f"There is already another home in {root}.", "Choose another folder with --home.")
    return True


def _settle(root: Path, entropy: bytes, card: ContactCard, passphrase: str | None) -> None:
    """Lay out a home that knows the card, and has a device key that the owner certifies."""
    seed = SystemEntropy().take(ENTROPY_SIZE)
    new = Newcomer(entropy, seed, "", int(SystemClock().now()), passphrase)
    addresses = tuple(dict.fromkeys(address for contact in card.members for address in contact.addresses))
    papers = Papers((encode_signed(card.founding_statement), new.certificate(card.network)), addresses)
    new.settle(root, card.network, card.secret, papers)


def _few_answers(answered: int, others: int) -> str:
    if answered >= others:
        return (
            f"{count_of(others, 'other member')} answered, and there are no more: if these keep the newest files to "
            "themselves, nobody is there to tell."
        )
    return (
        f"Only {answered} of {others} other members answered: if these keep the newest files to themselves, nobody is "
        "there to tell. Run 'capsa recover' here again when more are up."
    )


def _warnings(recovered: Recovered) -> list[str]:
    warnings = []
    if recovered.answered < ANSWERS_WANTED:
        warnings.append(_few_answers(recovered.answered, recovered.others))
    for devices, sentence in (
        (recovered.fallen_back, "The newest catalog of device {} cannot be had; the last complete one is used."),
        (recovered.unreadable, "The catalog of device {} cannot be had now; try again when more nodes are up."),
        (recovered.behind, "Nobody who answered has the newest catalog of device {}; try again when more are up."),
    ):
        warnings += [sentence.format(format_id(device)) for device in devices]
    return warnings


def _tell(home: Home, recovered: Recovered, screen: Screen) -> None:
    warnings = _warnings(recovered)
    ids = {"owner": format_id(home.owner), "network": format_id(home.network), "node": format_id(home.node)}
    screen.document({**ids, "files": recovered.keys, "answered": recovered.answered, "warnings": warnings})
    screen.result(f"home     {home.root}")
    for noun, identifier in ids.items():
        screen.result(f"{noun:8} {identifier}")
    screen.result(f"files    {recovered.keys}")
    screen.result(f"answered {recovered.answered} of {recovered.others} other members")
    for warning in warnings:
        screen.note(warning)
    screen.say("\nEverything is within reach: see 'capsa ls', fetch with 'capsa get'. Start the node with 'capsa up'.")
