"""Full and failing disks: what cannot be kept is not acknowledged, and what was acknowledged stays."""

from __future__ import annotations

import pytest

from capsa.core.inquiries import Status, StatusTold
from capsa.errors import CapsaError, NoSpaceError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate


@pytest.mark.parametrize("seed", range(5))
def test_a_put_into_a_home_without_space_says_so_and_goes_through_once_there_is_some(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"], copies=1)
        await circle.gather()
        old, new = world.chance.randbytes(5_000), world.chance.randbytes(50_000)
        await circle.put("ann", {"old": old})
        disk = circle.host("ann").disk
        capacity = disk.capacity
        disk.capacity = capacity - disk.space()[0] + world.chance.randint(0, 40_000)

        async def put(desk: Desk) -> None:
            with pytest.raises(NoSpaceError):
                await desk.put({"new": new})

        await circle.run("ann", put)
        assert await circle.get_key("ann", "old") == old
        assert await circle.get_key("ann", "new") is None
        disk.capacity = capacity
        stored = await circle.put("ann", {"new": new})
        assert stored["new"].durable == 2
        assert await circle.get_key("ann", "new") == new

    simulate(main, seed)


def test_status_tells_that_the_disk_is_full_while_it_is() -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben"], copies=1)
        await circle.gather()
        disk = circle.host("ann").disk

        async def is_full(desk: Desk) -> bool:
            return (await desk.link.ask(Status(), StatusTold)).full

        capacity = disk.capacity
        assert not await circle.run("ann", is_full)
        disk.capacity = capacity - disk.space()[0]
        assert await circle.run("ann", is_full)
        disk.capacity = capacity
        assert not await circle.run("ann", is_full)

    simulate(main, 1)


@pytest.mark.parametrize("seed", range(5))
def test_a_holder_without_space_is_passed_over(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat", "dan"], copies=2)
        await circle.gather()
        disk = circle.host("ben").disk
        disk.capacity = disk.capacity - disk.space()[0] + world.chance.randint(0, 10_000)
        content = world.chance.randbytes(50_000)
        stored = await circle.put("ann", {"key": content})
        assert stored["key"].durable == 3
        await circle.cut_power("ann")
        await circle.cut_power("ben")
        cap = stored["key"].cap
        assert cap is not None
        assert await circle.get("cat", cap) == content

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_disk_whose_sync_fails_acknowledges_nothing_that_it_lost(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"], copies=1)
        await circle.gather()
        content = world.chance.randbytes(20_000)
        errors: list[CapsaError] = []

        async def put(desk: Desk) -> None:
            circle.host("ann").disk.fail_syncs(world.chance.randint(1, 3))
            try:
                await desk.put({"key": content})
            except CapsaError as error:
                errors.append(error)

        await circle.run("ann", put)
        await circle.cut_power("ann")
        circle.start("ann")
        if not errors:
            assert await circle.get_key("ann", "key") == content
        assert (await circle.put("ann", {"key": content}))["key"].error is None
        assert await circle.get_key("ann", "key") == content

    simulate(main, seed)
