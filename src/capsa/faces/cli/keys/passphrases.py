"""How a command comes by its owner's keys, and by the passphrase that opens or will open them."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from capsa.client.link import HomeLink
from capsa.core.keys import OwnerKeys
from capsa.core.keystore import OpenKeystore, SealedKeystore
from capsa.core.openkeys import KeysTaken, TakeKeys
from capsa.errors import LockedError, UnknownKindError, UsageError
from capsa.faces.cli.output import Screen
from capsa.node.home import Home
from capsa.node.runtime import ThreadWorkers
from capsa.seams import Lane, Workers

Unlock: TypeAlias = Callable[[Home, HomeLink], Awaitable[OwnerKeys]]
"""Opens a home's keystore, by way of its node where that keeps the keys open; `LockedError` if it cannot."""
Reveal: TypeAlias = Callable[[Home, HomeLink | None], Awaitable[bytes]]
"""The owner's entropy, opened as by `Unlock`; without a link the node is not asked."""

VARIABLE: Final = "CAPSA_PASSPHRASE"
_WAYS: Final = f"Give --passphrase-file or {VARIABLE}"
_TRIES: Final = 3


class _Source(Enum):
    """Whence a passphrase comes, other than a file."""

    NOWHERE = "nowhere"
    VARIABLE = "variable"
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True)
class _Given:
    """What was said of the passphrase: the path of its file, or where else it is to be found."""

    source: str | _Source

    @classmethod
    def by(cls, options: Namespace) -> _Given:
        """What these options and the environment say; `UsageError` if they say two things."""
        if options.passphrase_file is not None:
            if options.no_passphrase:
                raise UsageError("--passphrase-file and --no-passphrase exclude each other.", "Leave out one of them.")
            return cls(str(options.passphrase_file))
        if options.no_passphrase:
            return cls(_Source.NOWHERE)
        passphrase = os.environ.get(VARIABLE)
        if passphrase is None:
            return cls(_Source.TERMINAL)
        return cls(_Source.VARIABLE if passphrase else _Source.NOWHERE)

    async def read(self, screen: Screen, workers: Workers) -> str | None:
        """The passphrase, unless it has to be asked for; raises what reading the file does."""
        if self.source is _Source.VARIABLE:
            return os.environ[VARIABLE]
        if isinstance(self.source, _Source):
            return None
        from capsa.faces.cli.keys.secretfiles import read_secret

        return await read_secret(self.source, screen, workers)


def unlock_of(options: Namespace) -> Unlock:
    """How these options say that the keys are to be opened; `UsageError` if they contradict each other."""
    reveal = reveal_of(options)

    async def unlock(home: Home, link: HomeLink) -> OwnerKeys:
        return OwnerKeys.from_entropy(await reveal(home, link))

    return unlock


def reveal_of(options: Namespace) -> Reveal:
    """As `unlock_of`, for a command that needs the entropy itself, from which all keys come."""
    given = _Given.by(options)

    async def reveal(home: Home, link: HomeLink | None) -> bytes:
        keystore = home.keystore()
        if isinstance(keystore, OpenKeystore):
            return keystore.reveal(home.owner)
        # Threads of our own: whoever waits for a person must not hold up what else runs on the command's.
        with closing(ThreadWorkers()) as workers:
            screen = Screen(quiet=options.quiet)
            passphrase = await given.read(screen, workers)
            if passphrase is not None:
                return await workers.run(Lane.SEAL, keystore.reveal, home.owner, passphrase)
            if link is not None and (entropy := await _kept_by_the_node(link)) is not None:
                return OpenKeystore(entropy).reveal(home.owner)
            return await _asked(given, home, keystore, screen, workers)

    return reveal


def new_passphrase(options: Namespace, screen: Screen) -> str | None:
    """The passphrase for keys that are to be made (`init`, `join`, `recover`); None if they are to have none.

    For a command with the options of `add_keys(parser, making=True)`. It is read from where the options or the
    environment say, else asked for twice at the terminal. Call it before the event loop runs, and before anything is
    written. Raises `UsageError` if there is none, or it is unfit, and what reading its file raises.
    """
    from capsa.faces.cli.running import run

    given = _Given.by(options)
    if given.source is _Source.NOWHERE:
        return None

    async def find() -> str:
        with closing(ThreadWorkers()) as workers:
            passphrase = await given.read(screen, workers)
            return fit(passphrase) if passphrase is not None else await ask_new(screen, workers, _WAYS_OF_MAKING)

    return run(find())


_WAYS_OF_MAKING: Final = f"{_WAYS}, or --no-passphrase to keep the keys open."


async def ask_new(screen: Screen, workers: Workers, ways: str) -> str:
    """A new passphrase, typed twice; `UsageError`, with the other `ways` to give one, if nobody is there to type it."""
    from capsa.faces.cli.keys.asking import ask_hidden, somebody_is_there

    if not somebody_is_there():
        raise UsageError("No passphrase was given, and there is no terminal to ask at.", ways)
    for _ in range(_TRIES):
        passphrase = fit(await ask_hidden("New passphrase: ", workers))
        if await ask_hidden("The same again: ", workers) == passphrase:
            return passphrase
        screen.note("These were two different ones.")
    raise UsageError("No passphrase was typed twice alike.", "Run the command again.")


def fit(passphrase: str) -> str:
    """The passphrase, unless it is unfit for a new keystore: `UsageError`."""
    from capsa.core.keystore import check_passphrase

    check_passphrase(passphrase)
    return passphrase


async def _kept_by_the_node(link: HomeLink) -> bytes | None:
    """The owner's entropy, if the home's node keeps it open."""
    try:
        return (await link.ask(TakeKeys(), KeysTaken)).entropy or None
    except UnknownKindError:  # a node of an earlier version, which keeps none
        return None


async def _asked(given: _Given, home: Home, keystore: SealedKeystore, screen: Screen, workers: Workers) -> bytes:
    """Open the keystore with what a person types; `LockedError` if there is nobody, or it is wrong each time."""
    from capsa.faces.cli.keys.asking import ask_hidden, somebody_is_there

    if given.source is not _Source.TERMINAL or not somebody_is_there():
        raise LockedError("The keys of this home are locked.", f"{_WAYS}, or run 'capsa unlock' while a node is up.")
    for left in reversed(range(_TRIES)):
        passphrase = await ask_hidden(f"Passphrase of {home.root}: ", workers)
        if not passphrase:
            break
        try:
            return await workers.run(Lane.SEAL, keystore.reveal, home.owner, passphrase)
        except LockedError as error:
            if not left:
                raise
            screen.note(error.message)
    raise LockedError("No passphrase was typed: the keys stay locked.", "Run the command again.")
