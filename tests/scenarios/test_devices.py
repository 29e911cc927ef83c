"""Several devices of one owner: nothing that any of them adds is lost, wherever the others are meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from capsa.client.puts.jobs import Job, Stored, Wish
from capsa.client.recovery import Recovered, recover
from capsa.client.snapshot import Owner
from capsa.core.commands import HeadLockTaken, OpenPuts, TakeHeadLock
from capsa.core.heads import Head
from capsa.core.ids import BlockId, Buffer
from capsa.core.inquiries import Status, StatusTold
from capsa.core.messages import Message, Sync
from capsa.errors import CapsaError, NotFoundError
from capsa.node import app
from capsa.node.fetching import Fetcher
from capsa.node.membership import Members
from capsa.node.replication import Replicator
from capsa.node.settings import NodeConfig
from capsa.testing.world.disk import SimDisk
from capsa.testing.world.members import Circle, Content, Desk
from capsa.testing.world.wires import Link
from capsa.testing.world.world import World, simulate
from tests.scenarios.stores import copy_disk, holdings

NAMES = ["ann", "ben", "cat", "dan"]


async def listed(circle: Circle, name: str) -> dict[str, list[bytes]]:
    """What a device lists: the contents of each key's versions, the current one first."""

    async def work(desk: Desk) -> dict[str, list[bytes]]:
        snapshot = await desk.files.catalog.snapshot()
        views = [view async for view in snapshot.scan()]
        return {view.key: [await desk.get(version.cap) for version in view.versions] for view in views}

    return await circle.run(name, work)


async def agree(circle: Circle, *names: str) -> dict[str, list[bytes]]:
    """Wait until these devices list the same; what that is."""
    async with asyncio.timeout(120):
        while True:
            lists = [await listed(circle, name) for name in names]
            if all(one == lists[0] for one in lists):
                return lists[0]
            await asyncio.sleep(1)


async def recovered(circle: Circle, name: str) -> Recovered:
    """Ask everybody, as the command does."""
    member = circle.members[name]

    async def work(desk: Desk) -> Recovered:
        return await recover(desk.link, Owner(member.keys, circle.network, member.device.node, 2))

    return await circle.run(name, work)


async def settle_again(circle: Circle, name: str, *, of: str, via: str) -> None:
    """A new device of an owner comes in."""
    circle.add(circle.another(name, of=of, via=via))
    circle.start(name)
    await circle.met(name, via)


async def copied_while_putting(
    circle: Circle, world: World, monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes]
) -> SimDisk:
    """Put at Ann's; her disk as it was when the put had been noted, and nothing of it stored."""
    copies: list[SimDisk] = []

    async def put(desk: Desk) -> None:
        ask = desk.link.ask

        async def noting(message: Message, answer: type[Any], payload: Sequence[Buffer] = ()) -> Any:
            reply = await ask(message, answer, payload)
            if isinstance(message, OpenPuts):
                copies.append(copy_disk(world, circle.host("ann").disk))
            return reply

        monkeypatch.setattr(desk.link, "ask", noting)
        await desk.put(contents)

    await circle.run("ann", put)
    [copy] = copies
    return copy


def only(added: dict[str, bytes]) -> dict[str, list[bytes]]:
    return {key: [content] for key, content in sorted(added.items())}


@pytest.mark.parametrize(("seed", "owner"), [(0, "ann"), (1, "ben"), (2, "ben")])
def test_all_comes_back_to_a_new_device_after_the_loss_of_the_old_one(seed: int, owner: str) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        files = {f"folder/{number}": world.chance.randbytes(size) for number, size in enumerate([10, 600, 9_000])}
        await circle.put(owner, files)
        await circle.cut_power(owner)
        await settle_again(circle, "anew", of=owner, via="cat")
        found = await recovered(circle, "anew")
        assert (found.answered, found.others, found.keys) == (3, 3, 3)
        assert (found.fallen_back, found.unreadable, found.behind) == ((), (), ())
        assert await listed(circle, "anew") == only(files)
        more = {"later": b"from the new one"}
        await circle.put("anew", more)
        assert await listed(circle, "anew") == only(files | more)

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("repeatable", [True, False], ids=["a file", "a stream"])
def test_what_was_lost_with_its_device_is_stored_by_a_put_of_the_same_bytes(
    seed: int, *, repeatable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send_nothing(replicator: Replicator) -> None:
        """The node of Ann dies before it sends what was not waited for."""

    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        monkeypatch.setattr(Replicator, "_complete", send_nothing)
        content = world.chance.randbytes(9_000)
        await circle.put("ann", {"key": content}, Wish(wait=False))
        await circle.cut_power("ann")
        monkeypatch.undo()
        await settle_again(circle, "anew", of="ann", via="cat")
        assert isinstance(await circle.attempt("anew", lambda desk: desk.get_key("key")), CapsaError)

        async def put(desk: Desk) -> list[Stored]:
            job = Job("key", lambda: Content(content), repeatable=repeatable)
            return [stored async for stored in desk.files.put([job])]

        [stored] = await circle.run("anew", put)
        assert (stored.error, stored.unchanged, stored.durable, stored.wanted) == (None, False, 3, 3)
        assert await listed(circle, "anew") == only({"key": content})
        [again] = await circle.run("anew", put)
        assert (again.error, again.unchanged, again.durable) == (None, True, 3)

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_home_lost_before_others_had_it_is_stored_by_a_put_of_the_same_bytes(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send_nothing(replicator: Replicator) -> None:
        """Ann's disk dies before her node sends what was not waited for."""

    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        await circle.host("ann").stop()
        backup = copy_disk(world, circle.host("ann").disk)
        circle.start("ann")
        files = {"key": world.chance.randbytes(9_000)}
        monkeypatch.setattr(Replicator, "_complete", send_nothing)
        await circle.put("ann", files, Wish(wait=False))
        await circle.cut_power("ann")
        monkeypatch.undo()
        circle.host("ann").disk = backup
        circle.start("ann")
        await circle.met()
        [stored] = (await circle.put("ann", files)).values()
        assert (stored.error, stored.unchanged, stored.durable, stored.wanted) == (None, False, 3, 3)
        assert await listed(circle, "ann") == only(files)

    simulate(main, seed)


def test_what_another_device_left_short_is_told_as_short() -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        await circle.cut_power("ben")
        await circle.cut_power("cat")
        files = {"key": world.chance.randbytes(9_000)}
        await circle.put("ann", files)
        await settle_again(circle, "anew", of="ann", via="dan")
        [stored] = (await circle.put("anew", files)).values()
        assert stored.unchanged and stored.durable < stored.wanted

    simulate(main, 0)


@pytest.mark.parametrize("seed", range(3))
def test_two_devices_add_at_once_and_list_the_same(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=3)  # so that either side has the catalog pages of both
        await circle.gather()
        await circle.put("ann", {"first": b"first"})
        await settle_again(circle, "desk", of="ann", via="ben")
        world.network.partition(["ann", "ben"], ["desk", "cat", "dan"])
        contents = {name: world.chance.randbytes(2_000) for name in ("ann", "desk")}
        for name, content in contents.items():
            stored = await circle.put(name, {f"by {name}": content, "both": content})
            assert [one.error for one in stored.values()] == [None, None]
        world.network.heal()
        lists = await agree(circle, "ann", "desk")
        assert set(lists) == {"first", "by ann", "by desk", "both"}
        assert sorted(lists["both"]) == sorted(contents.values())

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(2))
def test_a_device_that_was_away_for_long_adds_its_own_and_takes_in_the_rest(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        await circle.put("ann", {"old": b"old"})
        await settle_again(circle, "desk", of="ann", via="ben")
        await circle.host("desk").stop()
        added = {f"meanwhile {number}": world.chance.randbytes(700) for number in range(3)}
        for key, content in added.items():
            await circle.put("ann", {key: content})
        await asyncio.sleep(300)
        circle.start("desk")
        await circle.put("desk", {"back": b"back"})
        assert await agree(circle, "ann", "desk") == only(added | {"old": b"old", "back": b"back"})

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_home_that_was_put_back_from_an_old_copy_goes_on_above_its_newest_head(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        files = {"first": b"first"}
        await circle.put("ann", files)
        await circle.host("ann").stop()
        backup = copy_disk(world, circle.host("ann").disk)
        circle.start("ann")
        for number in range(3):
            added = {f"later {number}": world.chance.randbytes(900)}
            await circle.put("ann", added)
            files |= added
        await circle.host("ann").stop()
        await asyncio.sleep(300)
        circle.host("ann").disk = backup
        for other in NAMES[1:]:  # far away, so that a command asks before anybody has told anything
            world.network.set_link("ann", other, Link(latency_s=0.2))
        circle.start("ann")
        taken = await circle.run("ann", lambda desk: desk.link.ask(TakeHeadLock(), HeadLockTaken))
        assert taken.sequence > max(Head.parse(head, circle.network).sequence for head in taken.heads) >= 4
        await circle.put("ann", {"after": b"after"})
        assert await listed(circle, "ann") == only(files | {"after": b"after"})
        status = await circle.run("cat", lambda desk: desk.link.ask(Status(), StatusTold))
        assert status.forks == 0

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(2))
def test_a_put_that_an_old_copy_of_the_home_takes_for_unfinished_is_not_released(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        backup = await copied_while_putting(circle, world, monkeypatch, {"precious": world.chance.randbytes(3_000)})
        for name in NAMES:
            await circle.host(name).stop()
        before = await holdings(circle, "ben") | await holdings(circle, "cat") | await holdings(circle, "dan")
        await asyncio.sleep(8 * 24 * 3600)
        circle.host("ann").disk = backup
        await circle.gather()
        await circle.put("ann", {"later": b"later"})
        await asyncio.sleep(30)
        assert len((await listed(circle, "ann"))["precious"]) == 1
        for name in NAMES:
            await circle.host(name).stop()
        after = await holdings(circle, "ben") | await holdings(circle, "cat") | await holdings(circle, "dan")
        assert len(before & after) >= len(before) - 1  # the page of the first catalog gave way to the next

    simulate(main, seed)


def test_two_versions_never_have_one_claim_though_an_old_copy_has_the_first_put_unfinished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        backup = await copied_while_putting(circle, world, monkeypatch, {"book": b"first"})
        await circle.host("ann").stop()
        circle.host("ann").disk = backup
        circle.start("ann")
        await circle.met("ann", "ben")

        async def put_again(desk: Desk) -> list[bytes]:
            stored = await desk.put({"book": b"second"}, Wish(new_version=True))
            assert [each.error for each in stored] == [None]
            view = await (await desk.files.catalog.snapshot()).look_up("book")
            return [version.claim for version in view.versions]

        claims = await circle.run("ann", put_again)
        assert len(set(claims)) == len(claims) == 2
        assert (await listed(circle, "ann"))["book"] == [b"second", b"first"]

    simulate(main, 1)


class Backward(Members):
    """What a member knows who tells others of no catalog head but the oldest that it still has."""

    def offer(self) -> Sync:
        return replace(super().offer(), head_marks=())

    def answer(self, sync: Sync) -> Sync:
        heads = sorted((Head.parse(head.signed, self._config.network) for head in self._gossip.heads()), key=_number)
        return replace(super().answer(sync), head_marks=(), heads=tuple(head.signed for head in heads[:1]))


def _number(head: Head) -> int:
    return head.sequence


@pytest.mark.parametrize("seed", range(3))
def test_an_old_head_is_outdone_and_never_taken_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def members(config: NodeConfig, **parts: Any) -> Members:
        return (Backward if config.name == "dan" else Members)(config, **parts)

    monkeypatch.setattr(app, "Members", members)

    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=3)
        await circle.gather()
        files: dict[str, bytes] = {}
        for number in range(3):
            added = {f"key {number}": world.chance.randbytes(900)}
            await circle.put("ann", added)
            files |= added
        await circle.cut_power("ann")
        circle.add(circle.another("anew", of="ann", via="dan"))
        world.network.partition(["ben", "cat"], ["anew", "dan"])
        circle.start("anew")
        await circle.met("anew", "dan")
        found = await recovered(circle, "anew")
        assert (found.answered, found.keys) == (1, 2)
        world.network.heal()
        await circle.met("anew", "ben", "cat", "dan")
        found = await recovered(circle, "anew")
        assert (found.answered, found.keys, found.behind) == (3, 3, ())
        await circle.host("anew").stop()
        world.network.partition(["ben", "cat"], ["anew", "dan"])
        circle.start("anew")
        await circle.met("anew", "dan")
        assert (await recovered(circle, "anew")).keys == 3
        assert await listed(circle, "anew") == only(files)

    simulate(main, seed)


def test_the_last_complete_catalog_is_read_where_the_newest_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, NAMES, copies=2)
        await circle.gather()
        for number in range(3):
            await circle.put("ann", {f"key {number}": world.chance.randbytes(900)})
        roots: list[BlockId] = []

        async def look(desk: Desk) -> None:
            snapshot = await desk.files.catalog.snapshot()
            roots.extend(root.id for root in snapshot.roots.values() if root is not None)

        await circle.run("ann", look)
        await circle.cut_power("ann")
        fetch = Fetcher.fetch

        async def lacking(self: Fetcher, block: BlockId, *rest: Any) -> Any:
            if block in roots:
                raise NotFoundError("It is nowhere to be found.")
            return await fetch(self, block, *rest)

        monkeypatch.setattr(Fetcher, "fetch", lacking)
        await settle_again(circle, "anew", of="ann", via="ben")
        found = await recovered(circle, "anew")
        assert found.keys == 2
        assert found.fallen_back == (circle.members["ann"].device.node,)
        await circle.cut_power("anew")
        circle.start("anew")
        await circle.met("anew", "ben")
        assert set(await listed(circle, "anew")) == {"key 0", "key 1"}
        await circle.put("anew", {"more": b"more"})
        monkeypatch.undo()
        circle.start("ann")
        await circle.met("ann", "anew")
        await circle.put("ann", {"again": b"again"})
        await asyncio.sleep(10)
        assert set(await listed(circle, "anew")) == {"key 0", "key 1", "key 2", "more", "again"}

    simulate(main, 0)
