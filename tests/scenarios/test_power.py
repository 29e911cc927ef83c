"""Power failures at any step of a put: nothing that was acknowledged is lost, and a repeat succeeds."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from capsa.client.puts.jobs import Stored
from capsa.errors import CapsaError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import Host, World, simulate

NAMES = ["ann", "ben", "cat", "dan"]
OLD = {"old": b"put before, " * 300}
NEW = {"x/new": b"put when the power failed, " * 150, "small": b"small"}

HOME_STEPS: Final = 480
"""About so many changes and syncs does the home's disk see in a put of `NEW`, and a holder's disk:"""
HOLDER_STEPS: Final = 250
LINE_SEGMENTS: Final = 40
"""About so many segments does a command exchange with its node in a put of `NEW`."""


class Run:
    """One world: a circle with old files, and a put of `NEW` that is to be disturbed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.circle = Circle(world, NAMES, copies=2)
        self.acknowledged: list[Stored] = []
        self.error: CapsaError | None = None

    async def begin(self) -> None:
        await self.circle.gather()
        await self.circle.put("ann", OLD)

    def put(self) -> Host:
        """Begin the put; returns the host of its command."""
        return self.circle.command("ann", self._put)

    async def _put(self, desk: Desk) -> None:
        try:
            async for stored in desk.put_each(NEW):
                self.acknowledged.append(stored)
        except CapsaError as error:
            self.error = error

    async def finish(self) -> None:
        """Put again; then everything is there and right, read by key at home and by cap elsewhere, in all copies."""
        again = await self.circle.put("ann", NEW)
        assert [one.error for one in again.values()] == [None, None]
        for stored in self.acknowledged:
            assert stored.error is None
            assert again[stored.key].unchanged
            assert again[stored.key].cap == stored.cap
        for key, content in {**OLD, **NEW}.items():
            assert await self.circle.get_key("ann", key) == content
        await self.circle.completed("ann", within=120)
        await self.circle.cut_power("ann")
        for key, content in NEW.items():
            cap = again[key].cap
            assert cap is not None
            assert await self.circle.get("dan", cap) == content


async def first_ended(*hosts: Host) -> Host:
    """Wait for the first of several hosts to end."""
    while True:
        for host in hosts:
            if not host.running:
                return host
        await asyncio.sleep(0.001)


async def machine_fails(world: World, step: int) -> bool:
    """The home's machine fails at a step of its disk, and its command with it; whether that came to pass."""
    run = Run(world)
    await run.begin()
    home = run.circle.host("ann")
    home.fail_power_after(step)
    command = run.put()
    await first_ended(home, command)
    failed = not home.running
    await run.circle.cut_power("ann")
    await asyncio.sleep(world.chance.uniform(0, 20))
    home.start()
    await run.finish()
    return failed


async def node_fails(world: World, step: int) -> bool:
    """The node is gone at a step of its disk, and back before its command loses patience: the put goes through."""
    run = Run(world)
    await run.begin()
    home = run.circle.host("ann")
    home.fail_power_after(step)
    command = run.put()
    failed = await first_ended(home, command) is home
    if failed:
        await home.ended()
        await asyncio.sleep(world.chance.uniform(0, 10))
        home.start()
        await command.ended()
    home.disk.power_fails_at = None
    assert run.error is None
    assert len(run.acknowledged) == len(NEW)
    await run.finish()
    return failed


async def holder_fails(world: World, step: int) -> bool:
    """A holder's machine fails at a step of its disk: the put goes through, and the holder's copies are made good."""
    run = Run(world)
    await run.begin()
    holder = run.circle.host("ben")
    holder.fail_power_after(step)
    await run.put().ended()
    assert run.error is None
    assert len(run.acknowledged) == len(NEW)
    failed = not holder.running
    if failed:
        await asyncio.sleep(world.chance.uniform(0, 60))
        holder.start()
    holder.disk.power_fails_at = None
    await run.finish()
    return failed


async def command_dies(world: World, segment: int) -> bool:
    """The command is killed when so many segments have passed between it and its node."""
    run = Run(world)
    await run.begin()
    loop = asyncio.get_running_loop()
    passed = 0

    def count(source: str, target: str, data: bytes) -> None:
        nonlocal passed
        if command.name in {source, target}:
            passed += 1
            if passed == segment:
                loop.call_soon(command.power_off)

    world.network.tap = count
    command = run.put()
    await command.ended()
    await run.finish()
    return passed >= segment


@pytest.mark.parametrize("seed", range(8))
def test_the_machine_of_a_home_fails(seed: int) -> None:
    simulate(lambda world: machine_fails(world, world.chance.randint(1, HOME_STEPS)), seed)


@pytest.mark.parametrize("seed", range(8))
def test_the_node_of_a_home_fails_and_its_command_lives(seed: int) -> None:
    simulate(lambda world: node_fails(world, world.chance.randint(1, HOME_STEPS)), seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_holder_fails(seed: int) -> None:
    simulate(lambda world: holder_fails(world, world.chance.randint(1, HOLDER_STEPS)), seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_command_dies(seed: int) -> None:
    simulate(lambda world: command_dies(world, world.chance.randint(1, LINE_SEGMENTS)), seed)


@pytest.mark.big
@pytest.mark.parametrize("step", range(1, HOME_STEPS, 2))
def test_the_machine_of_a_home_fails_at_any_step(step: int) -> None:
    simulate(lambda world: machine_fails(world, step), step)


@pytest.mark.big
@pytest.mark.parametrize("step", range(2, HOME_STEPS, 4))
def test_the_node_of_a_home_fails_at_any_step(step: int) -> None:
    simulate(lambda world: node_fails(world, step), step)


@pytest.mark.big
@pytest.mark.parametrize("step", range(1, HOLDER_STEPS, 2))
def test_a_holder_fails_at_any_step(step: int) -> None:
    simulate(lambda world: holder_fails(world, step), step)


@pytest.mark.big
@pytest.mark.parametrize("segment", range(1, LINE_SEGMENTS))
def test_a_command_dies_at_every_segment(segment: int) -> None:
    simulate(lambda world: command_dies(world, segment), segment)
