"""Weeks of a network in minutes: owners put while machines fail, wires are cut and disks refuse, all at once.

In the end everything is healed, and then: whatever was acknowledged reads back exactly, every block is on as many
disks as was wanted, and no node has anything left to do.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import pytest

from capsa.client.puts.jobs import Stored
from capsa.core.ids import ClaimId
from capsa.errors import DiskError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.wires import Link
from capsa.testing.world.world import Host, World, simulate
from tests.scenarios.stores import copies

NAMES = ["ann", "ben", "cat", "dan"]
COPIES = 2
HEALING_SECONDS = 900.0


@dataclass
class Owned:
    """What an owner has put: contents by key, and what was acknowledged of them."""

    contents: dict[str, bytes] = field(default_factory=dict)
    acknowledged: dict[str, Stored] = field(default_factory=dict)


class Life:
    """One world, from its founding to its end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.circle = Circle(world, NAMES, copies=COPIES)
        self.owned = {name: Owned() for name in NAMES[:2]}

    async def live(self, troubles: int) -> None:
        """Gather, put amid troubles, heal, and check everything."""
        for one, other in combinations(NAMES, 2):
            link = Link(self.world.chance.uniform(0.001, 0.2), reset_chance=0.001)
            self.world.network.set_link(one, other, link)
        for name in NAMES:
            self._start(name)
        await self.circle.met()
        async with asyncio.TaskGroup() as group:
            putters = [group.create_task(self._put_files(name)) for name in self.owned]
            for _ in range(troubles):
                await asyncio.sleep(self.world.chance.expovariate(1 / 5))
                await self._trouble()
            await self._heal()
            async with asyncio.timeout(HEALING_SECONDS):
                await asyncio.gather(*putters)
        await self._check()

    async def _put_files(self, name: str) -> None:
        """One file after the other; what fails is put again until it succeeds."""
        chance, owned = self.world.chance, self.owned[name]
        for number in range(5):
            key = f"folder {number % 2}/{number}"
            owned.contents[key] = chance.randbytes(chance.choice([0, 100, 3_000, 20_000]))
            while key not in owned.acknowledged:
                await self._try(name, key)
                await asyncio.sleep(chance.expovariate(1 / 3))

    async def _try(self, name: str, key: str) -> None:
        owned = self.owned[name]

        async def put(desk: Desk) -> None:
            async for stored in desk.put_each({key: owned.contents[key]}):
                assert stored.error is None, stored.error
                owned.acknowledged[key] = stored

        await self.circle.attempt(name, put)

    def _start(self, name: str) -> None:
        """A node that cannot go on for its disk ends, and is started again some day."""

        async def serve(host: Host) -> None:
            try:
                await self.circle.members[name].serve(host)
            except DiskError:
                self.world.trace.note("ended by its disk", name)

        self.circle.host(name).start(serve)

    async def _trouble(self) -> None:
        """Something happens."""
        chance, circle = self.world.chance, self.circle
        name = chance.choice(NAMES)
        host = circle.host(name)
        match chance.randrange(6):
            case 0 if host.running:
                await circle.cut_power(name)
            case 1 if host.running:
                host.fail_power_after(chance.randint(1, 300))
            case 2 if host.running:
                await host.restart()
            case 3:
                away = chance.sample(NAMES, chance.randint(1, 3))
                self.world.network.partition([one for one in NAMES if one not in away], away)
            case 4:
                self.world.network.heal()
            case 5 if host.running:
                host.disk.fail_syncs(chance.randint(1, 3))
        for other in NAMES:
            if not circle.host(other).running and chance.random() < 0.5:
                self._start(other)

    async def _heal(self) -> None:
        self.world.network.heal()
        for one, other in combinations(NAMES, 2):
            self.world.network.set_link(one, other, Link(0.01))
        for name in NAMES:
            host = self.circle.host(name)
            host.disk.fail_syncs(0)
            host.disk.power_fails_at = None
            await host.stop()
            self._start(name)

    async def _check(self) -> None:
        await self.circle.met()
        for name in NAMES:
            await self.circle.completed(name, within=HEALING_SECONDS)
        claims: dict[str, set[ClaimId]] = {}
        for name, owned in self.owned.items():
            assert list(owned.acknowledged) == list(owned.contents)
            claims[name] = await self.circle.run(name, partial(self._read_all, owned))
            await self.circle.run(NAMES[-1], partial(self._read_by_caps, owned))
        for name in NAMES:
            await self.circle.host(name).stop()
        for name in self.owned:
            counts = await copies(self.circle, NAMES, name)
            assert claims[name] == {claim for claim, _ in counts} & claims[name]
            short = {holding: count for holding, count in counts.items() if count <= COPIES}
            assert not {holding: count for holding, count in short.items() if holding[0] in claims[name]}

    async def _read_all(self, owned: Owned, desk: Desk) -> set[ClaimId]:
        """Read an owner's files by key; the claims of them all."""
        snapshot = await desk.files.catalog.snapshot()
        found = [view async for view in snapshot.scan()]
        assert [view.key for view in found] == sorted(owned.contents)
        claims = set()
        for view in found:
            assert view.current is not None
            assert await desk.get(view.current.cap) == owned.contents[view.key]
            claims.add(view.current.claim)
        return claims

    async def _read_by_caps(self, owned: Owned, desk: Desk) -> None:
        for key, stored in owned.acknowledged.items():
            assert stored.cap is not None
            assert await desk.get(stored.cap) == owned.contents[key]


@pytest.mark.parametrize("seed", range(6))
def test_a_life_with_troubles(seed: int) -> None:
    simulate(lambda world: Life(world).live(troubles=15), seed)


@pytest.mark.big
@pytest.mark.parametrize("seed", range(1_000, 1_030))
def test_many_lives_with_troubles(seed: int) -> None:
    simulate(lambda world: Life(world).live(troubles=40), seed)
