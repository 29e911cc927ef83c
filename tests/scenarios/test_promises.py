"""What is promised, checked by somebody who sees every disk and every wire."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

import pytest

from capsa.client.puts.jobs import Stored
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate
from tests.scenarios.stores import copies

NAMES = ["ann", "ben", "cat", "dan"]
CANARY = b"yellow-canary-sings-in-the-mine"


@pytest.mark.parametrize("seed", range(8))
def test_at_acknowledgement_every_block_is_on_as_many_disks_as_it_says(seed: int) -> None:
    """The power fails everywhere at that very moment. Some nodes may be cut off before or on the way."""

    async def main(world: World) -> None:
        circle = Circle(world, NAMES)
        await circle.gather()
        content = world.chance.randbytes(world.chance.choice([100, 5_000, 60_000]))
        acknowledged: list[Stored] = []

        async def put(desk: Desk) -> None:
            async for stored in desk.put_each({"key": content}):
                acknowledged.append(stored)
                for name in NAMES:
                    circle.host(name).power_off()

        command = circle.command("ann", put)
        if world.chance.random() < 0.5:
            await asyncio.sleep(world.chance.uniform(0, 1))
            world.network.partition(["ann"], world.chance.sample(NAMES[1:], world.chance.randint(1, 3)))
        await command.ended()
        [stored] = acknowledged
        assert stored.error is None
        for name in NAMES:
            await circle.host(name).ended()
        counts = await copies(circle, NAMES)
        assert len(counts) >= stored.blocks
        assert min(counts.values()) >= stored.durable
        world.network.heal()
        circle.start("ann")
        assert await circle.get_key("ann", "key") == content

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_neither_content_nor_name_is_on_any_wire_or_disk_or_in_any_log(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: defaultdict[tuple[str, str], bytearray] = defaultdict(bytearray)

    def listen(source: str, target: str, data: bytes) -> None:
        sent[source, target] += data

    async def main(world: World) -> None:
        world.network.tap = listen
        circle = Circle(world, NAMES, bare=["dan"])
        await circle.gather()
        name = CANARY.decode()
        files = {
            f"{name}/small": b"short",
            f"small/{name}": b"short",
            "note": CANARY,
            f"large/{name}.txt": CANARY * 1_000,
        }
        stored = await circle.put("ann", files)
        for key, content in files.items():
            cap = stored[key].cap
            assert cap is not None
            assert await circle.get("dan", cap) == content
            assert await circle.get_key("ann", key) == content
        await world.stop()
        everything = [*map(bytes, sent.values()), caplog.text.encode()]
        for host in world.hosts:
            for path, data in host.disk.contents().items():
                everything += [path.encode(), data]
        assert [data for data in everything if CANARY in data] == []
        assert any(b"ann" in data for data in everything), "nodes' names are no secret: the search finds nothing"

    simulate(main, seed)
