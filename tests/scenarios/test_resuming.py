"""A put that was cut short between its last claim and the catalog: a repeat takes it up under the same claim."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capsa.client.catalog import NewVersion
from capsa.errors import CapsaError, LostConnectionError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate
from tests.scenarios.stores import copies


@pytest.mark.parametrize("size", [100, 5_000, 1_100_000], ids=["inline", "one part", "two parts"])
def test_a_repeat_claims_nothing_twice(size: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann"], copies=0)
        await circle.gather()
        content = world.chance.randbytes(size)

        async def put_and_die(desk: Desk) -> None:
            async def die(versions: Sequence[NewVersion]) -> dict[str, CapsaError]:
                raise LostConnectionError("Killed before the version was recorded.")

            desk.files.catalog.add = die  # type: ignore[method-assign, assignment]
            await desk.put({"key": content})

        assert isinstance(await circle.attempt("ann", put_and_die), LostConnectionError)
        stored = await circle.put("ann", {"key": content})
        assert (stored["key"].new_bytes, stored["key"].unchanged) == (0, False)
        assert await circle.get_key("ann", "key") == content
        await circle.cut_power("ann")
        claims = {claim for claim, _ in await copies(circle, ["ann"])}
        assert len(claims) == 2, "the file's, and the catalog page's"

    simulate(main, 1)
