"""The main job in the simulated world: what one node puts, another gets, and a seed replays to the last event."""

from __future__ import annotations

import subprocess
import sys
from asyncio import gather
from pathlib import Path

import pytest

from capsa.testing.world.members import Circle
from capsa.testing.world.world import World, simulate
from tests.scenarios.replay import put_and_get

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(3))
def test_what_one_node_puts_another_gets_after_the_first_is_gone(seed: int) -> None:
    assert simulate(put_and_get, seed) == simulate(put_and_get, seed), "one seed gave two traces"


def test_a_seed_gives_the_same_trace_in_any_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-m", "tests.scenarios.replay", "1"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert digests == {simulate(put_and_get, 1)}


@pytest.mark.big
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_seeds_replay(seed: int) -> None:
    assert simulate(put_and_get, seed) == simulate(put_and_get, seed)


@pytest.mark.parametrize("seed", range(3))
def test_files_of_every_shape_come_back_exactly(seed: int) -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"], copies=1)
        await circle.gather()
        sizes = [0, 1, 511, 512, 513, 1023, 1024, 1025, 4096, 4097, 16_384, 16_385, 100_000]
        files = {f"folder {size % 3}/{size}": world.chance.randbytes(size) for size in sizes}
        stored = await circle.put("ann", files)
        assert sorted(stored) == sorted(files)
        caps = [cap for key in files if (cap := stored[key].cap) is not None]
        assert await circle.run("cat", lambda desk: gather(*map(desk.get, caps))) == list(files.values())
        assert await circle.run("ann", lambda desk: gather(*map(desk.get_key, files))) == list(files.values())

    simulate(main, seed)
