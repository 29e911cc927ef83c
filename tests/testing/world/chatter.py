"""A small program for the simulated world that meets all of its parts; as a command it prints a run's trace hash.

Each host dials the others again and again, sends random bytes, writes what it got to its disk, and gives up some of
its work half-way, while hosts crash, wires are cut and the power fails.
"""

from __future__ import annotations

import asyncio
import sys

from capsa.errors import UnreachableError
from capsa.net.base import Connection
from capsa.seams import Lane
from capsa.testing.transports import Recorder
from capsa.testing.world.disk import SimDisk
from capsa.testing.world.world import Host, World, simulate

NAMES = ("ann", "ben", "cat", "dan")


def append(disk: SimDisk, data: bytes) -> None:
    """Add durably to the host's only file."""
    file = disk.open("heard", create="heard" not in disk.names(""))
    file.write(file.size(), [data])
    file.sync()
    disk.sync_folder("")


async def say(host: Host, other: str) -> None:
    """One connection: some bytes there, and the number of bytes got to the disk."""
    recorder = Recorder()
    connection: Connection = await host.transport.dial(f"sim://{other}:1", recorder)
    try:
        size = int.from_bytes(host.entropy.take(2), "big")
        await recorder.write(host.entropy.take(size))
        await host.workers.run(Lane.DISK, append, host.disk, size.to_bytes(2, "big"))
    finally:
        connection.close()


async def chat(host: Host) -> None:
    """Listen, and talk to all others until cancelled; what fails is tried again later."""
    await host.transport.listen(f"sim://{host.name}:1", Recorder)
    while True:
        try:
            async with asyncio.timeout(1 + host.entropy.take(1)[0] / 256), asyncio.TaskGroup() as group:
                for other in NAMES:
                    group.create_task(say(host, other))
        except* (OSError, TimeoutError, UnreachableError):
            await asyncio.sleep(0.5)


async def scenario(world: World) -> str:
    """Some minutes of it; returns the trace's hash."""
    for name in NAMES:
        world.host(name).start(chat)
    for _ in range(2):
        host = world.host(world.chance.choice(NAMES))
        await asyncio.sleep(world.chance.uniform(1, 20))
        await host.crash()
        await asyncio.sleep(world.chance.uniform(1, 20))
        host.start()
        one = {world.chance.choice(NAMES)}
        world.network.partition(one, set(NAMES) - one)
        await asyncio.sleep(world.chance.uniform(1, 100))
        world.network.heal()
    await world.stop()
    return world.trace.digest


if __name__ == "__main__":
    sys.stdout.write(simulate(scenario, int(sys.argv[1])))
