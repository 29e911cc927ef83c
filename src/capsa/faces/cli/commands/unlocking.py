"""`unlock`, `lock` and `passphrase`: who may use the owner's keys without being asked, and what opens them."""

from __future__ import annotations

from argparse import Namespace
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from capsa.client.link import HomeLink
from capsa.core.commands import Done
from capsa.core.keystore import SALT_SIZE, Keystore, OpenKeystore, SealedKeystore
from capsa.core.openkeys import KEYS_SECONDS_MAX, AreKeysKept, DropKeys, KeepKeys, KeysKept
from capsa.errors import HomeError, LockedError, RefusedError, UnknownKindError, UsageError
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Reveal, ask_new, fit, reveal_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import parse_duration, rfc3339, show_seconds
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home
from capsa.node.home import Home
from capsa.node.runtime import SystemEntropy, ThreadWorkers
from capsa.seams import Lane

_NO_PASSPHRASE: Final = "The keys of this home have no passphrase: they are open to whoever reads it."
_WAYS: Final = "Give --new-passphrase-file, or --remove to keep the keys open from now on."


def unlock(options: Namespace, screen: Screen) -> int:
    """Let the running node keep the opened keys in memory for a while."""
    seconds = parse_duration(options.time)
    if seconds > KEYS_SECONDS_MAX:
        raise UsageError(f"--for takes at most {KEYS_SECONDS_MAX // 86400}d.", "Give a shorter time.")
    home = Home.open(home_root(options))
    reveal = reveal_of(options)
    if isinstance(home.keystore(), OpenKeystore):
        screen.document({"unlocked": True, "until": None})
        screen.say(f"{_NO_PASSPHRASE} There is nothing to unlock.")
        return Exit.DONE
    return run(_unlock(home.root, reveal, seconds, screen))


async def _unlock(root: Path, reveal: Reveal, seconds: int, screen: Screen) -> int:
    async with at_home(root) as context:
        if not context.facts.serving:
            raise RefusedError(
                "No node runs in this home that could keep the keys open.", "Start one with 'capsa up', then unlock."
            )
        # The passphrase is wanted even where the node still has the keys: who has none cannot make them stay.
        entropy = await reveal(context.home, None)
        kept = await context.link.ask(KeepKeys(entropy, seconds), KeysKept)
        until = context.clock.now() + kept.seconds
    screen.document({"unlocked": True, "until": rfc3339(until)})
    screen.say(f"The keys are open for {show_seconds(kept.seconds)}. 'capsa lock' ends that; so does the node's end.")
    return Exit.DONE


def lock(options: Namespace, screen: Screen) -> int:
    """Let the running node forget the keys."""
    home = Home.open(home_root(options))
    return run(_lock(home, screen))


async def _lock(home: Home, screen: Screen) -> int:
    async with at_home(home.root) as context:
        with suppress(UnknownKindError):  # a node of an earlier version keeps none
            await context.link.ask(DropKeys(), Done)
    still_open = isinstance(home.keystore(), OpenKeystore)
    screen.document({"unlocked": still_open})
    screen.say(_NO_PASSPHRASE if still_open else "The keys are locked.")
    return Exit.DONE


def passphrase(options: Namespace, screen: Screen) -> int:
    """Set, change or remove the passphrase; the keys, and what a node keeps of them, stay the same."""
    if options.remove and options.new_passphrase_file is not None:
        raise UsageError("--remove and --new-passphrase-file exclude each other.", "Leave out one of them.")
    home, reveal = Home.open(home_root(options)), reveal_of(options)
    before = home.keystore()
    return run(_passphrase(options, home, before, reveal, screen))


async def _passphrase(options: Namespace, home: Home, before: Keystore, reveal: Reveal, screen: Screen) -> int:
    entropy = await reveal(home, None)
    after: Keystore
    with closing(ThreadWorkers()) as workers:
        if options.remove:
            after = OpenKeystore(entropy)
        else:
            new = await _new(options, screen, workers)
            salt = SystemEntropy().take(SALT_SIZE)
            after = await workers.run(Lane.SEAL, lambda: SealedKeystore.seal(entropy, new, owner=home.owner, salt=salt))
        if after != before:
            await workers.run(Lane.DISK, home.replace_keystore, before, after)
    screen.document({"passphrase": not options.remove})
    screen.say(
        _NO_PASSPHRASE
        if options.remove
        else "The new passphrase holds from now on; copies of the old keystore keep the old."
    )
    return Exit.DONE


async def _new(options: Namespace, screen: Screen, workers: ThreadWorkers) -> str:
    if options.new_passphrase_file is None:
        return await ask_new(screen, workers, _WAYS)
    from capsa.faces.cli.keys.secretfiles import read_secret

    return fit(await read_secret(options.new_passphrase_file, screen, workers))


async def keys_as_told(home: Home, link: HomeLink, now: float) -> str:
    """How the owner's keys are, as `status` says it: `open`, `locked`, `unlocked until` a time, or `unreadable`."""
    try:
        if isinstance(home.keystore(), OpenKeystore):
            return "open"
    except (HomeError, LockedError):
        return "unreadable"
    try:
        seconds = (await link.ask(AreKeysKept(), KeysKept)).seconds
    except UnknownKindError:
        seconds = 0
    return f"unlocked until {rfc3339(now + seconds)}" if seconds else "locked"
