"""Members that lie: one holder that keeps its word suffices, and nobody ever gets a wrong byte."""

from __future__ import annotations

import asyncio

import pytest

from capsa.core.inquiries import Holders, HoldersTold
from capsa.errors import CapsaError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate
from tests.scenarios.liars import make_liars
from tests.scenarios.stores import holdings, lose_store

NAMES = ["ann", "ben", "cat", "dan", "eve", "fay"]
LIARS = ["cat", "dan", "eve"]


@pytest.mark.parametrize("seed", range(6))
def test_one_holder_that_keeps_its_word_suffices(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(world: World) -> None:
        make_liars(monkeypatch, LIARS, world.chance)
        circle = Circle(world, NAMES, bare=["fay"], copies=4)
        await circle.gather()
        files = {f"key {size}": world.chance.randbytes(size) for size in (100, 5_000, 30_000)}
        stored = await circle.put("ann", files)
        assert {one.durable for one in stored.values()} == {5}
        await circle.cut_power("ann")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for key, content in files.items():
            cap = stored[key].cap
            assert cap is not None
            assert await circle.get("fay", cap) == content
        assert loop.time() - begun < 300

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_where_all_lie_the_reader_gets_an_error_and_no_byte(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(world: World) -> None:
        make_liars(monkeypatch, ["ben", *LIARS], world.chance)
        circle = Circle(world, NAMES, bare=["fay"], copies=4)
        await circle.gather()
        stored = await circle.put("ann", {"key": world.chance.randbytes(5_000)})
        cap = stored["key"].cap
        assert cap is not None
        await circle.cut_power("ann")

        async def read(desk: Desk) -> None:
            with pytest.raises(CapsaError):
                await desk.get(cap)

        await circle.run("fay", read)

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_who_cannot_prove_to_hold_a_block_is_not_told_of_as_a_holder(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(world: World) -> None:
        make_liars(monkeypatch, LIARS, world.chance)
        circle = Circle(world, NAMES, bare=["fay"], copies=4)
        await circle.gather()
        stored = await circle.put("ann", {"key": b"content"})
        cap = stored["key"].cap
        assert cap is not None
        told = await circle.run("ann", lambda desk: desk.link.ask(Holders((cap.root,)), HoldersTold))
        nodes = {line.node for line in told.nodes}
        assert nodes == {circle.members[name].device.node for name in ("ann", "ben")}

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_home_refills_though_others_lie(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(world: World) -> None:
        make_liars(monkeypatch, LIARS, world.chance)
        circle = Circle(world, NAMES, bare=["fay"], copies=4)
        await circle.gather()
        files = {f"key {size}": world.chance.randbytes(size) for size in (100, 5_000)}
        await circle.put("ann", files)
        await circle.host("ann").stop()
        before = await holdings(circle, "ann")
        lose_store(circle.host("ann"))
        circle.start("ann")
        await asyncio.sleep(120)
        await circle.host("ann").stop()
        assert await holdings(circle, "ann") == before

    simulate(main, seed)
