"""Two commands at once at one home: both keys are entered, and one key never holds two contents."""

from __future__ import annotations

from functools import partial

import pytest

from capsa.client.puts.jobs import Stored
from capsa.errors import RefusedError
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate


async def put_together(world: World, circle: Circle, puts: list[tuple[str, bytes]]) -> list[Stored]:
    """Put each with a command of its own, all at once."""
    outcomes: dict[int, Stored] = {}

    async def put(number: int, key: str, content: bytes, desk: Desk) -> None:
        [outcomes[number]] = await desk.put({key: content})

    commands = [circle.command("ann", partial(put, number, *one)) for number, one in enumerate(puts)]
    for command in commands:
        await command.ended()
    return [outcomes[number] for number in range(len(puts))]


@pytest.mark.parametrize("seed", range(5))
def test_two_commands_enter_both_their_keys(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"], copies=1)
        await circle.gather()
        files = [(f"key {number}", world.chance.randbytes(3_000)) for number in range(4)]
        stored = await put_together(world, circle, files)
        assert [one.error for one in stored] == [None] * 4
        for key, content in files:
            assert await circle.get_key("ann", key) == content

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(5))
def test_of_two_commands_that_put_other_bytes_under_one_key_one_is_refused(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"], copies=1)
        await circle.gather()
        contents = [world.chance.randbytes(3_000) for _ in range(2)]
        stored = await put_together(world, circle, [("key", content) for content in contents])
        kept = [content for one, content in zip(stored, contents, strict=True) if one.error is None]
        assert len(kept) == 1
        assert [type(one.error) for one in stored if one.error] == [RefusedError]
        assert await circle.get_key("ann", "key") == kept[0]

    simulate(main, seed)


@pytest.mark.parametrize("seed", range(5))
def test_two_commands_that_put_the_same_bytes_under_one_key_agree(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"], copies=1)
        await circle.gather()
        content = world.chance.randbytes(3_000)
        stored = await put_together(world, circle, [("key", content)] * 2)
        assert [(one.error, one.durable) for one in stored] == [(None, 2)] * 2
        assert len({repr(one.cap) for one in stored}) == 1
        assert await circle.get_key("ann", "key") == content

    simulate(main, seed)
