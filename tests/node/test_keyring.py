"""The keyring: what it keeps, for whom, and when it forgets. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsa.core import openkeys as keys
from capsa.core.keys import OwnerKeys
from capsa.errors import HomeError, RefusedError
from capsa.node.keyring import Keyring
from capsa.testing.world.loop import run
from capsa.testing.world.sources import VirtualClock
from tests.node.network import live

ENTROPY = bytes(range(32))
OWNER = OwnerKeys.from_entropy(ENTROPY).owner
HOUR = 3600.0


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def timed() -> None:
        run(test())

    del timed.__dict__["__wrapped__"]  # else pytest would take it for a coroutine of its own loop
    return timed


@in_virtual_time
async def test_it_keeps_until_the_time_is_over() -> None:
    keyring = Keyring(OWNER, VirtualClock())
    assert (keyring.take(), keyring.seconds_left()) == (b"", 0)
    keyring.keep(ENTROPY, HOUR)
    await asyncio.sleep(HOUR - 1)
    assert (keyring.take(), round(keyring.seconds_left())) == (ENTROPY, 1)
    await asyncio.sleep(1)
    assert (keyring.take(), keyring.seconds_left()) == (b"", 0)


@in_virtual_time
async def test_a_repeat_sets_the_time_anew_longer_or_shorter() -> None:
    keyring = Keyring(OWNER, VirtualClock())
    keyring.keep(ENTROPY, HOUR)
    await asyncio.sleep(HOUR / 2)
    keyring.keep(ENTROPY, HOUR)
    await asyncio.sleep(HOUR * 3 / 4)
    assert keyring.take() == ENTROPY
    keyring.keep(ENTROPY, 1)
    await asyncio.sleep(1)
    assert keyring.take() == b""


@in_virtual_time
async def test_what_was_dropped_stays_forgotten() -> None:
    keyring = Keyring(OWNER, VirtualClock())
    keyring.keep(ENTROPY, HOUR)
    keyring.drop()
    keyring.drop()
    assert (keyring.take(), keyring.seconds_left()) == (b"", 0)


@in_virtual_time
async def test_another_owners_entropy_is_refused_and_changes_nothing() -> None:
    keyring = Keyring(OWNER, VirtualClock())
    keyring.keep(ENTROPY, HOUR)
    for entropy in (bytes(32), b"", ENTROPY + b"x"):
        with pytest.raises(HomeError, match="another owner"):
            keyring.keep(entropy, HOUR)
    assert keyring.take() == ENTROPY


@in_virtual_time
async def test_after_the_machine_slept_it_is_forgotten() -> None:
    """The loop's clock stood still meanwhile; the wall clock did not."""
    clock = VirtualClock()
    keyring = Keyring(OWNER, clock)
    keyring.keep(ENTROPY, HOUR)
    clock.offset = 2 * HOUR
    assert (keyring.seconds_left(), keyring.take()) == (0, b"")


@in_virtual_time
async def test_a_wall_clock_that_is_set_back_prolongs_nothing() -> None:
    clock = VirtualClock()
    keyring = Keyring(OWNER, clock)
    keyring.keep(ENTROPY, HOUR)
    clock.offset = -1000 * HOUR
    await asyncio.sleep(HOUR)
    assert keyring.take() == b""


async def test_a_node_keeps_keys_for_its_own_owner_only(tmp_path: Path) -> None:
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        with pytest.raises(HomeError, match="another owner"):
            await ann.link.ask(keys.KeepKeys(bytes(32), 60), keys.KeysKept)
        assert (await ann.link.ask(keys.TakeKeys(), keys.KeysTaken)).entropy == b""


@pytest.mark.parametrize("seconds", [0, -1, keys.KEYS_SECONDS_MAX + 1])
def test_no_node_reads_a_wish_beyond_the_bounds(seconds: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(keys.KeepKeys(ENTROPY, seconds)), type=keys.KeepKeys)


async def test_a_command_that_is_a_node_for_a_moment_keeps_no_keys(tmp_path: Path) -> None:
    async with live(tmp_path, "", copies=0) as network:
        await network.up("ann", serving=False)
        async with network.client("ann") as ann:
            with pytest.raises(RefusedError, match="No node runs"):
                await ann.link.ask(keys.KeepKeys(bytes(32), 60), keys.KeysKept)


def test_no_representation_shows_what_is_kept() -> None:
    shown = repr(keys.KeepKeys(ENTROPY, 60)) + repr(keys.KeysTaken(ENTROPY)) + repr(Keyring(OWNER, VirtualClock()))
    for part in (ENTROPY.hex(), repr(ENTROPY)[2:-1]):
        assert part not in shown
