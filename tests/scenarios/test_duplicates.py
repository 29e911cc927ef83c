"""A home that runs twice is found and stores nothing new; a restart, however rough, is no duplicate."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from capsa.core.inquiries import Status, StatusTold
from capsa.errors import RefusedError
from capsa.testing.world.members import CONTROL_PORT, PEER_PORT, Circle, Desk
from capsa.testing.world.world import World, simulate

NAMES = ["ann", "ben", "cat"]
COPY = "ben-copy"


def add_copy(circle: Circle) -> None:
    """Ben's home on a second machine."""
    member = circle.members["ben"]
    config = replace(
        member.config,
        name=COPY,
        listen=(f"sim://{COPY}:{PEER_PORT}",),
        control=f"sim://{COPY}:{CONTROL_PORT}",
        bootstrap=(f"sim://ann:{PEER_PORT}",),
    )
    circle.add(replace(member, config=config))


async def runs_twice(circle: Circle, name: str) -> bool:
    """What the node of a home thinks of it."""

    async def ask(desk: Desk) -> bool:
        return (await desk.link.ask(Status(), StatusTold)).duplicate

    return await circle.run(name, ask)


async def found_by(circle: Circle, *names: str) -> None:
    """Wait until these know that they run twice."""
    waiting = list(names)
    async with asyncio.timeout(60):
        while waiting:
            if await runs_twice(circle, waiting[0]):
                waiting.pop(0)
            else:
                await asyncio.sleep(0.5)


def peer_dials(world: World) -> int:
    """How many times either process of Ben's home was dialled by a peer, or dialled one."""
    ports = [f" {name}:{PEER_PORT}" for name in (*NAMES, COPY)]
    dials = [event for event in world.trace.events if " dial " in event and event.endswith(tuple(ports))]
    return sum(" ben" in event for event in dials)


@pytest.mark.parametrize("seed", range(5))
def test_both_processes_of_a_copied_home_stop_storing_and_go_on_reading(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        content = world.chance.randbytes(5_000)
        await circle.put("ben", {"before": content})
        add_copy(circle)
        circle.start(COPY)
        await found_by(circle, "ben", COPY)
        for name in ("ben", COPY):
            told = await circle.attempt(name, lambda desk: desk.put({"after": b"bytes"}))
            assert isinstance(told, RefusedError) and "capsa recover" in told.hint
        assert await circle.get_key("ben", "before") == content
        # Whoever is a member beside them is not concerned.
        assert not await runs_twice(circle, "ann") and not await runs_twice(circle, "cat")
        await circle.put("cat", {"other": content})

        await circle.host(COPY).stop()
        await asyncio.sleep(60)
        assert await runs_twice(circle, "ben"), "it lasts until somebody has looked, and started it again"
        await circle.host("ben").restart()
        await circle.met(*NAMES)
        await asyncio.sleep(60)
        assert not await runs_twice(circle, "ben")
        await circle.put("ben", {"after": content})
        assert await circle.get_key("ben", "after") == content

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_node_that_is_started_again_is_no_duplicate(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        for _ in range(12):
            match world.chance.randrange(3):
                case 0:
                    await circle.host("ben").restart()
                case 1:
                    await circle.cut_power("ben")
                    circle.start("ben")
                case _:  # its old connections hang for others, and it comes back on another boot
                    world.network.partition(["ben"], ["ann", "cat"])
                    await circle.cut_power("ben")
                    circle.start("ben")
                    world.network.heal()
            await asyncio.sleep(world.chance.choice([0.0, 0.1, 1.0, 10.0]))
        await circle.met()
        assert [await runs_twice(circle, name) for name in NAMES] == [False] * 3
        await circle.put("ben", {"key": b"bytes"})

    simulate(main, seed)


def test_a_copy_that_comes_back_is_found_again() -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        add_copy(circle)
        circle.start(COPY)
        await found_by(circle, "ben", COPY)
        await circle.host("ben").restart()
        await circle.host(COPY).restart()
        await found_by(circle, "ben", COPY)

    simulate(main, 1)


def test_both_stay_connected_for_as_long_as_they_run() -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        content = world.chance.randbytes(5_000)
        stored = (await circle.put("ann", {"key": content}))["key"]
        assert stored.cap is not None
        add_copy(circle)
        circle.start(COPY)
        await found_by(circle, "ben", COPY)
        before = peer_dials(world)
        for _ in range(60):
            for name in ("ben", COPY):
                assert await circle.get(name, stored.cap) == content
            await asyncio.sleep(1.0)
        assert peer_dials(world) - before < 30, "they take turns, they do not throw each other out all the time"

    simulate(main, 1)
