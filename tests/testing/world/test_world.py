"""The simulated world as a whole: replayed from its seed, with hosts that start, stop, crash and start again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from capsa.errors import UnreachableError
from capsa.seams import Lane
from capsa.testing.transports import Recorder
from capsa.testing.world.loop import DeadlockError, WorldError
from capsa.testing.world.world import ENDING_SECONDS_MAX, Host, World, simulate
from tests.testing.world.chatter import append, scenario

ROOT = Path(__file__).parents[3]


async def idle(host: Host) -> None:
    await asyncio.Event().wait()


def test_a_seed_gives_the_same_trace_in_any_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-m", "tests.testing.world.chatter", "1"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert digests == {simulate(scenario, 1)}


def test_seeds_differ() -> None:
    assert simulate(scenario, 1) != simulate(scenario, 2)


@pytest.mark.big
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_seeds_replay(seed: int) -> None:
    assert simulate(scenario, seed) == simulate(scenario, seed)


def test_a_host_keeps_its_name_disk_and_clock_and_gets_a_new_process() -> None:
    entropies: list[bytes] = []

    async def write(host: Host) -> None:
        entropies.append(host.entropy.take(16))
        await host.workers.run(Lane.DISK, append, host.disk, b"x")

    async def main(world: World) -> bytes:
        ann = world.host("ann")
        assert ann is world.host("ann")
        ann.start(write)
        await ann.ended()
        ann.start()
        await ann.ended()
        assert not ann.running
        return ann.disk.content("heard")

    assert simulate(main, 1) == b"xx"
    assert len(set(entropies)) == 2


def test_a_host_that_is_stopped_tidies_up_and_one_that_crashes_does_not() -> None:
    async def tidy(host: Host) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await host.workers.run(Lane.DISK, append, host.disk, b"tidied")

    async def main(world: World) -> list[list[str]]:
        ann, ben = world.host("ann"), world.host("ben")
        for host in (ann, ben):
            host.start(tidy)
        await asyncio.sleep(1)
        await ann.stop()
        await ben.crash()
        return [ann.disk.names(""), ben.disk.names("")]

    assert simulate(main, 1) == [["heard"], []]


def test_un_synced_writes_are_lost_for_some_seed_and_synced_ones_for_none() -> None:
    def write(host: Host) -> None:
        append(host.disk, b"synced")
        file = host.disk.open("heard")
        file.write(file.size(), [b", perhaps lost"])

    async def write_and_wait(host: Host) -> None:
        await host.workers.run(Lane.DISK, write, host)
        await asyncio.Event().wait()

    async def main(world: World) -> bytes:
        ann = world.host("ann")
        ann.start(write_and_wait)
        await asyncio.sleep(1)
        await ann.crash()
        return ann.disk.content("heard")

    found = {simulate(main, seed) for seed in range(20)}
    assert {b"synced", b"synced, perhaps lost"} <= found
    assert all(content.startswith(b"synced") for content in found)


def test_the_power_may_fail_at_any_step_of_the_disk() -> None:
    reported: list[str] = []

    async def write(host: Host) -> None:
        await host.workers.run(Lane.DISK, append, host.disk, b"data")
        reported.append("durable")

    async def main(world: World, steps: int) -> bytes:
        ann = world.host("ann")
        ann.fail_power_after(steps)
        ann.start(write)
        await ann.ended()
        assert not ann.running
        return ann.disk.content("heard") if ann.disk.names("") else b""

    for steps in range(1, 5):  # make, write, sync, sync_folder
        for seed in range(10):
            simulate(lambda world, steps=steps: main(world, steps), seed)  # type: ignore[misc]
    assert not reported, "a job whose disk lost power told its caller"
    assert simulate(lambda world: main(world, 5), 1) == b"data"
    assert reported == ["durable"]


def test_a_crashed_host_breaks_its_connections_and_answers_again_after_its_start() -> None:
    async def listen(host: Host) -> None:
        await host.transport.listen("sim://ben:1", Recorder)
        await asyncio.Event().wait()

    async def main(world: World) -> None:
        ben = world.host("ben")
        ben.start(listen)
        await asyncio.sleep(1)
        ann, here = world.network.transport("ann"), Recorder()
        await ann.dial("sim://ben:1", here)
        await ben.crash()
        await here.end()
        assert isinstance(here.error, ConnectionResetError)
        with pytest.raises(UnreachableError):
            await ann.dial("sim://ben:1", Recorder())
        ben.start()
        await asyncio.sleep(1)
        await ann.dial("sim://ben:1", Recorder())

    simulate(main, 1)


def test_restart_runs_the_same_again() -> None:
    async def main(world: World) -> list[bool]:
        ann = world.host("ann")
        ann.start(idle)
        await ann.restart()
        running = ann.running
        await ann.stop()
        await ann.stop()
        return [running, ann.running]

    assert simulate(main, 1) == [True, False]


def test_what_a_host_raises_ends_the_world_and_names_the_seed() -> None:
    async def fail(host: Host) -> None:
        await asyncio.sleep(1)
        raise ValueError("from the host")

    async def main(world: World) -> None:
        world.host("ann").start(fail)
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="from the host") as failure:
        simulate(main, 77)
    notes = "\n".join(failure.value.__notes__)
    assert "Replay with seed 77." in notes
    assert "start ann" in notes


def test_what_a_crashed_process_raises_is_nobodys() -> None:
    async def fail_when_cancelled(host: Host) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("the machine is off") from None

    async def main(world: World) -> None:
        ann = world.host("ann")
        ann.start(fail_when_cancelled)
        await asyncio.sleep(1)
        await ann.crash()

    simulate(main, 1)


def test_a_host_that_will_not_end_is_told_on() -> None:
    async def stubborn(host: Host) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2 * ENDING_SECONDS_MAX)

    async def main(world: World) -> None:
        ann = world.host("ann")
        ann.start(stubborn)
        await asyncio.sleep(1)
        await ann.stop()

    with pytest.raises(WorldError, match="ann does not end"):
        simulate(main, 1)


def test_a_deadlock_keeps_its_reason() -> None:
    async def main(world: World) -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"Event\.wait"):
        simulate(main, 1)
