"""`init` and `join`: a new owner with a new home, in a new network or in an existing one."""

from __future__ import annotations

import asyncio
import shutil
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capsa.core import statements
from capsa.core.cards import INVITE_SIZE_MAX, parse_invite
from capsa.core.commands import Greet, Greeted
from capsa.core.ids import NetworkId, format_id
from capsa.core.keys import ENTROPY_SIZE, DeviceKey, OwnerKeys
from capsa.core.keystore import SALT_SIZE, SealedKeystore
from capsa.core.signing import encode_signed
from capsa.errors import RefusedError, UsageError
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.given import STDIN, read_text, whole_number
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import new_passphrase
from capsa.faces.cli.output import Screen, is_terminal
from capsa.faces.cli.quantities import rfc3339
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home
from capsa.node.home import Home, NewHome, Papers
from capsa.node.runtime import SystemClock, SystemEntropy

_SECRET_SIZE: Final = 32
_NONCE_SIZE: Final = 16
_INVITE_TEXT_MAX: Final = 4 * INVITE_SIZE_MAX
_ADMISSION_SECONDS: Final = 4.0
_AFTER_REFUSAL_SECONDS: Final = 1.0
"""Another member may still admit whom one has refused."""
_POLL_SECONDS: Final = 0.05
_WORDS_A_LINE: Final = 6


@dataclass(frozen=True, slots=True, repr=False)
class Newcomer:
    """A new owner, and the keys of a new home."""

    entropy: bytes
    device_seed: bytes
    name: str
    created: int
    passphrase: str | None
    """None: the keys are to lie in the home without one."""

    @classmethod
    def make(cls, options: Namespace, screen: Screen) -> Newcomer:
        """Asks for a passphrase, where these options do not tell it."""
        name, entropy = statements.check_name(options.name), SystemEntropy()
        keys = (entropy.take(ENTROPY_SIZE), entropy.take(_SECRET_SIZE))
        return cls(*keys, name, int(SystemClock().now()), new_passphrase(options, screen))

    @property
    def owner(self) -> OwnerKeys:
        return OwnerKeys.from_entropy(self.entropy)

    @property
    def device(self) -> DeviceKey:
        return DeviceKey(self.device_seed)

    def certificate(self, network: NetworkId) -> bytes:
        """The owner's word, signed, that the device is its own."""
        signed = statements.certify(self.owner.signing, self.device, network, created=self.created, name=self.name)
        return encode_signed(signed)

    def settle(self, root: Path, network: NetworkId, secret: bytes, papers: Papers) -> Home:
        """Lay out the home."""
        sealed = None
        if self.passphrase is not None:
            salt = SystemEntropy().take(SALT_SIZE)
            sealed = SealedKeystore.seal(self.entropy, self.passphrase, owner=self.owner.owner, salt=salt)
        return Home.create(root, NewHome(network, secret, self.entropy, self.device_seed, self.name, papers, sealed))

    def phrase(self) -> str:
        """The owner's entropy as 24 English words (BIP-39)."""
        from capsa.client.phrases import phrase_of

        return phrase_of(self.entropy)


def init(options: Namespace, screen: Screen) -> int:
    """A new owner and a new network."""
    root = empty_place(options)
    copies = whole_number(options.copies, "--copies")
    new, entropy = Newcomer.make(options, screen), SystemEntropy()
    founding = statements.found(
        new.owner.signing, nonce=entropy.take(_NONCE_SIZE), created=new.created, name=new.name, copies=copies
    )
    network = statements.network_id(founding)
    papers = Papers((encode_signed(founding), new.certificate(network)), ())
    home = new.settle(root, network, entropy.take(_SECRET_SIZE), papers)
    _tell(home, new, screen)
    screen.say("\nStart the node with 'capsa up'; then 'capsa invite' brings others in.")
    return Exit.DONE


def join(options: Namespace, screen: Screen) -> int:
    """A new owner in the network of an invite."""
    root = empty_place(options)
    invite = parse_invite(_invite_text(options, screen))
    expires = invite.grant.expires
    if expires and SystemClock().now() > expires:
        raise RefusedError(f"This invite expired at {rfc3339(expires)}.", "Ask for a new one.")
    new = Newcomer.make(options, screen)
    joined = statements.join(invite.one_time, new.owner.signing, invite.network, created=new.created, name=new.name)
    papers = Papers(
        (
            encode_signed(invite.card.founding_statement),
            encode_signed(invite.grant_statement),
            encode_signed(joined),
            new.certificate(invite.network),
        ),
        tuple(dict.fromkeys(address for contact in invite.card.members for address in contact.addresses)),
    )
    before = set(root.iterdir()) if root.is_dir() else None
    home = new.settle(root, invite.network, invite.card.secret, papers)
    try:
        admitted = run(_seek_admission(root)) if papers.addresses else False
    except RefusedError:
        remove_what_is_new(root, before)
        raise
    _tell(home, new, screen, admitted=admitted)
    if admitted:
        screen.say("\nYou are a member. Start the node with 'capsa up'.")
    else:
        screen.note("No member answers just now: joining completes by itself when 'capsa up' runs.")
    return Exit.DONE


async def _seek_admission(root: Path) -> bool:
    """Run a node for a moment; whether a member admitted it. `RefusedError` if none will."""
    loop = asyncio.get_running_loop()
    async with at_home(root) as context:
        give_up = loop.time() + _ADMISSION_SECONDS
        refused = False
        while True:
            facts = await context.link.ask(Greet(), Greeted)
            if facts.admitted:
                return True
            if facts.refusal and not refused:
                refused, give_up = True, min(give_up, loop.time() + _AFTER_REFUSAL_SECONDS)
            if loop.time() >= give_up:
                break
            await asyncio.sleep(_POLL_SECONDS)
    if facts.refusal:
        raise RefusedError(
            "No member admits whom this invite brings: it was used, or no longer holds.", "Ask for a new one."
        )
    return False


def empty_place(options: Namespace) -> Path:
    """Where the home is to be made, once it is clear that none is there."""
    root = home_root(options)
    if (root / "home.json").exists():
        raise RefusedError(f"There is already a home in {root}.", "Choose another folder with --home.")
    return root


def _invite_text(options: Namespace, screen: Screen) -> str:
    """The invite, from wherever it was given."""
    if options.invite not in (None, STDIN):
        if options.invite_file:
            raise UsageError("An invite was given twice.", "Give INVITE or --invite-file, not both.")
        return str(options.invite)
    source = options.invite_file or STDIN
    if source == STDIN and is_terminal(sys.stdin):
        screen.note("Paste the invite, then press Enter and Ctrl-D:")
    return read_text(source, size_max=_INVITE_TEXT_MAX)


def remove_what_is_new(root: Path, before: set[Path] | None) -> None:
    """Leave no home that can never become a member's: take away what was not there before (None: not even `root`)."""
    if before is None:
        shutil.rmtree(root)
        return
    for path in set(root.iterdir()) - before:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _tell(home: Home, new: Newcomer, screen: Screen, **more: object) -> None:
    phrase = new.phrase()
    ids = {"owner": format_id(home.owner), "network": format_id(home.network), "node": format_id(home.node)}
    screen.document({**ids, "phrase": phrase, **more})
    screen.result(f"home     {home.root}")
    for noun, identifier in ids.items():
        screen.result(f"{noun:8} {identifier}")
    screen.result("\nThese 24 words are the way back to your files. Write them down; show them to nobody:\n")
    words = phrase.split()
    for start in range(0, len(words), _WORDS_A_LINE):
        screen.result("  " + " ".join(words[start : start + _WORDS_A_LINE]))
    screen.say("\nOnce others are in, 'capsa kit' makes a page to print, which holds them and the way to the network.")
