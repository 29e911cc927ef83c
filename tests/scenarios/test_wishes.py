"""Private puts, puts that do not wait, and further versions, when commands and nodes die or meet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from capsa.client.catalog import NewVersion
from capsa.client.puts.jobs import Stored, Wish
from capsa.errors import CapsaError, LostConnectionError, RefusedError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate
from tests.scenarios.stores import copies

PRIVATE = Wish(private=True)


async def put_and_die(circle: Circle, contents: dict[str, bytes], wish: Wish) -> None:
    """A put that ends after its last claim and before the catalog."""

    async def work(desk: Desk) -> None:
        async def die(versions: Sequence[NewVersion]) -> dict[str, CapsaError]:
            raise LostConnectionError("Killed before the version was recorded.")

        desk.files.catalog.add = die  # type: ignore[method-assign, assignment]
        await desk.put(contents, wish)

    assert isinstance(await circle.attempt("ann", work), LostConnectionError)


async def put_together(circle: Circle, puts: Sequence[tuple[str, bytes]], wish: Wish) -> list[Stored]:
    """Put each with a command of its own, all at once."""
    outcomes: dict[int, Stored] = {}

    async def put(number: int, key: str, content: bytes, desk: Desk) -> None:
        [outcomes[number]] = await desk.put({key: content}, wish)

    commands = [circle.command("ann", partial(put, number, *one)) for number, one in enumerate(puts)]
    for command in commands:
        await command.ended()
    return [outcomes[number] for number in range(len(puts))]


@pytest.mark.parametrize("size", [100, 5_000, 1_100_000], ids=["inline", "one part", "two parts"])
def test_a_private_put_that_was_cut_short_goes_on_under_its_own_secret(size: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann"], copies=0)
        await circle.gather()
        content = world.chance.randbytes(size)
        await put_and_die(circle, {"key": content}, PRIVATE)
        await circle.host("ann").crash()
        circle.start("ann")
        stored = await circle.put("ann", {"key": content}, PRIVATE)
        assert (stored["key"].error, stored["key"].new_bytes, stored["key"].unchanged) == (None, 0, False)
        assert await circle.get_key("ann", "key") == content
        other = await circle.put("ann", {"other": content}, PRIVATE)
        assert other["other"].new_bytes >= size, "each file has a secret of its own"

    simulate(main, 1)


@pytest.mark.parametrize("size", [100, 5_000], ids=["inline", "streamed"])
@pytest.mark.parametrize("first", [PRIVATE, Wish()], ids=["private first", "private then"])
def test_a_private_put_and_another_do_not_take_up_each_other(size: int, first: Wish) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann"], copies=0)
        await circle.gather()
        content = world.chance.randbytes(size)
        await put_and_die(circle, {"key": content}, first)
        stored = (await circle.put("ann", {"key": content}, Wish(private=not first.private)))["key"]
        assert stored.error is None and stored.new_bytes >= size
        assert await circle.get_key("ann", "key") == content

    simulate(main, 1)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_not_waited_for_is_sent_even_if_the_power_fails_at_once(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat", "dan"], copies=2)
        await circle.gather()
        contents = {"large": world.chance.randbytes(30_000), "small": b"small"}
        stored = await circle.put("ann", contents, Wish(wait=False))
        assert [(one.durable, one.wanted) for one in stored.values()] == [(1, 3)] * 2
        await circle.cut_power("ann")
        circle.start("ann")
        await circle.met()
        await circle.completed("ann", within=120)
        again = await circle.put("ann", contents)
        assert [(one.unchanged, one.durable) for one in again.values()] == [(True, 3)] * 2
        for name in circle.members:
            await circle.cut_power(name)
        assert set((await copies(circle, circle.members)).values()) == {3}

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(4))
def test_of_a_file_and_one_in_a_folder_of_its_name_one_is_refused(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben"], copies=1)
        await circle.gather()
        puts = [("x", world.chance.randbytes(3_000)), ("x/y", world.chance.randbytes(3_000))]
        stored = await put_together(circle, puts, Wish())
        assert [type(one.error) for one in stored if one.error] == [RefusedError]
        for one, (key, content) in zip(stored, puts, strict=True):
            assert await circle.get_key("ann", key) == (None if one.error else content)

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(4))
def test_of_two_further_versions_at_once_both_stand(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben"], copies=1)
        await circle.gather()
        await circle.put("ann", {"key": b"the first"})
        contents = [world.chance.randbytes(3_000) for _ in range(2)]
        stored = await put_together(circle, [("key", content) for content in contents], Wish(new_version=True))
        assert [one.error for one in stored] == [None, None]

        async def versions(desk: Desk) -> list[bytes]:
            view = await (await desk.files.catalog.snapshot()).look_up("key")
            return [await desk.get(version.cap) for version in view.versions]

        found = await circle.run("ann", versions)
        assert sorted(found[:2]) == sorted(contents)
        assert found[2:] == [b"the first"]

    simulate(main, seed)
