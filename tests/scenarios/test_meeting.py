"""How members find each other: one address suffices, and any member admits a newcomer, once."""

from __future__ import annotations

import asyncio

import pytest

from capsa.core.commands import Greet, Greeted
from capsa.testing.world.members import PEER_PORT, Circle, Desk
from capsa.testing.world.world import World, simulate

NAMES = ["ann", "ben", "cat", "dan", "eve", "fay"]


@pytest.mark.parametrize("seed", range(5))
def test_one_address_suffices_to_learn_all_members_and_they_the_newcomer(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES)
        await circle.gather()
        circle.add(circle.newcomer("gus", circle.invite(), via=world.chance.choice(NAMES)))
        circle.start("gus")
        assert await circle.met() < 10

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(5))
def test_members_who_each_know_one_other_meet_again_after_a_power_cut(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES)
        await circle.gather()
        for name, other in zip(NAMES[1:], NAMES, strict=False):
            circle.change(name, bootstrap=(f"sim://{other}:{PEER_PORT}",))
        for name in NAMES:
            await circle.cut_power(name)
        circle.start()
        assert await circle.met() < 10

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_member_admits_for_an_inviter_who_is_away(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"])
        await circle.gather()
        invitation = circle.invite()
        await circle.host("ann").stop()
        circle.add(circle.newcomer("dan", invitation, via="ben"))
        circle.start("dan")
        await circle.met("ben", "cat", "dan")
        circle.start("ann")
        assert await circle.met() < 20

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_an_invite_admits_one_owner(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"])
        await circle.gather()
        invitation = circle.invite()
        for name in ("dan", "eve"):
            circle.add(circle.newcomer(name, invitation, via="ben"))
        circle.start("dan")
        await circle.met("ann", "ben", "cat", "dan")
        circle.start("eve")
        await asyncio.sleep(20)
        told = await circle.run("eve", greet)
        assert not told.admitted
        assert told.refusal
        assert (await circle.run("ann", greet)).members == 4

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(5))
def test_members_agree_on_whom_an_invite_shown_to_two_of_them_at_once_let_in(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"])
        await circle.gather()
        invitation = circle.invite()
        for name, via in (("dan", "ben"), ("eve", "cat")):
            circle.add(circle.newcomer(name, invitation, via=via))
        circle.start("dan", "eve")
        await asyncio.sleep(30)
        members = {(await circle.run(name, greet)).members for name in ("ann", "ben", "cat")}
        admitted = [(await circle.run(name, greet)).admitted for name in ("dan", "eve")]
        assert members == {3 + sum(admitted)}
        assert any(admitted)

    simulate(main, seed)


async def greet(desk: Desk) -> Greeted:
    return await desk.link.ask(Greet(), Greeted)
