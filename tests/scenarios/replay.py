"""A put on one node and a get on another; as a command it prints the run's trace hash."""

from __future__ import annotations

import sys

from capsa.testing.world.members import Circle
from capsa.testing.world.world import World, simulate

NAMES = ("ann", "ben", "cat", "dan", "eve")


async def put_and_get(world: World) -> str:
    """Five nodes, of which the last has no room; returns the trace's hash."""
    circle = Circle(world, NAMES, bare=["eve"])
    await circle.gather()
    film, note = world.chance.randbytes(30_000), b"short"
    stored = await circle.put("ann", {"x/film.bin": film, "note.txt": note})
    assert [(one.durable, one.wanted) for one in stored.values()] == [(4, 4)] * 2
    await world.host("ann").crash()
    for key, content in (("x/film.bin", film), ("note.txt", note)):
        cap = stored[key].cap
        assert cap is not None
        assert await circle.get("eve", cap) == content
    await world.stop()
    return world.trace.digest


if __name__ == "__main__":
    sys.stdout.write(simulate(put_and_get, int(sys.argv[1])))
