"""Lost stores and cut networks: what was acknowledged is on other disks, and comes back by itself."""

from __future__ import annotations

import asyncio
from itertools import combinations

import pytest

from capsa.client.puts.jobs import Stored
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate
from tests.scenarios.stores import holdings, lose_disk, lose_store

NAMES = ["ann", "ben", "cat", "dan", "eve", "fay"]


def some_files(world: World) -> dict[str, bytes]:
    return {
        f"folder/{number}": world.chance.randbytes(world.chance.choice([10, 600, 5_000, 20_000])) for number in range(6)
    }


async def check_files(circle: Circle, reader: str, stored: dict[str, Stored], files: dict[str, bytes]) -> None:
    """Read every file by its cap."""

    async def read(desk: Desk) -> None:
        for key, content in files.items():
            cap = stored[key].cap
            assert cap is not None
            assert await desk.get(cap) == content, key

    await circle.run(reader, read)


@pytest.mark.parametrize("seed", range(4))
def test_every_file_is_read_after_the_loss_of_the_home_and_two_holders(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, bare=["fay"])
        await circle.gather()
        files = some_files(world)
        stored = await circle.put("ann", files)
        assert {one.durable for one in stored.values()} == {4}
        pairs = list(combinations(["ben", "cat", "dan", "eve"], 2))
        for pair in world.chance.sample(pairs, 2):
            for name in ("ann", *pair):
                await circle.cut_power(name)
            await check_files(circle, "fay", stored, files)
            circle.start("ann", *pair)
            await circle.met()
        for name in ("ann", *world.chance.choice(pairs)):  # and for good: the disks are gone
            await circle.cut_power(name)
            lose_disk(world, circle.host(name))
            circle.start(name)
        await check_files(circle, "fay", stored, files)

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_home_that_lost_its_segments_refills(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES[:4], copies=2)
        await circle.gather()
        files = some_files(world)
        stored = await circle.put("ann", files)
        await circle.host("ann").stop()
        before = await holdings(circle, "ann")
        lose_store(circle.host("ann"))
        circle.start("ann")
        await asyncio.sleep(30)
        await circle.host("ann").stop()
        assert await holdings(circle, "ann") == before
        circle.start("ann")
        for name in NAMES[1:4]:
            await circle.host(name).stop()
        await check_files(circle, "ann", stored, files)
        for key, content in files.items():
            assert await circle.get_key("ann", key) == content

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_holder_that_lost_its_disk_takes_its_share_back(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES[:4], copies=2)
        await circle.gather()
        files = some_files(world)
        await circle.put("ann", files)
        await circle.cut_power("ben")
        before = await holdings(circle, "ben")
        lose_disk(world, circle.host("ben"))
        circle.start("ben")
        await asyncio.sleep(30)
        await circle.cut_power("ben")
        assert await holdings(circle, "ben") == before

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_put_in_a_small_part_of_the_network_is_completed_once_the_rest_is_back(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES[:5])
        await circle.gather()
        files = some_files(world)
        away = ["cat", "dan", "eve"]
        world.network.partition(["ann", "ben"], away)
        if world.chance.random() < 0.5:
            await asyncio.sleep(world.chance.uniform(0, 60))
        stored = await circle.put("ann", files)
        assert [one.error for one in stored.values()] == [None] * len(files)
        assert {one.durable for one in stored.values()} == {2}
        if world.chance.random() < 0.5:
            await circle.cut_power("ann")
            circle.start("ann")
        await asyncio.sleep(world.chance.uniform(0, 60))
        world.network.heal()
        await circle.completed("ann", within=120)
        for name in ("ann", "ben"):
            await circle.cut_power(name)
        await check_files(circle, world.chance.choice(away), stored, files)

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(6))
def test_the_network_is_cut_in_the_middle_of_a_put(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES[:5])
        await circle.gather()
        files = some_files(world)
        stored: list[Stored] = []

        async def put(desk: Desk) -> None:
            stored.extend(await desk.put(files))

        command = circle.command("ann", put)
        await asyncio.sleep(world.chance.uniform(0, 1.5))
        away = world.chance.sample(NAMES[1:5], world.chance.randint(1, 4))
        world.network.partition([name for name in NAMES[:5] if name not in away], away)
        await command.ended()
        assert [one.error for one in stored] == [None] * len(files)
        world.network.heal()
        await circle.completed("ann", within=120)
        await circle.cut_power("ann")
        await check_files(circle, world.chance.choice(NAMES[1:5]), {one.key: one for one in stored}, files)

    simulate(main, seed)
