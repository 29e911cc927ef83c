"""The simulated world: hosts on one network and one virtual time, all from one seed.

`simulate(main, seed)` makes a world and runs `main(world)` in it. A host runs any `async def main(host)`, which takes
entropy, clock, disk, workers and transport from its host; so runs the very same node as on a real machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from capsa.testing.world.disk import SimDisk
from capsa.testing.world.loop import WorldError, run
from capsa.testing.world.network import SimNetwork, SimTransport
from capsa.testing.world.sources import InlineWorkers, SeededEntropy, VirtualClock, dice
from capsa.testing.world.trace import Trace

T = TypeVar("T")

ENDING_SECONDS_MAX: Final = 300.0
"""A host that is told to end and has not after so long never will."""
_EVENTS_SHOWN: Final = 20

HostMain = Callable[["Host"], Coroutine[Any, Any, None]]
"""What runs on a host, from its start until it returns, is cancelled (as by SIGTERM) or the host crashes."""


class Host:
    """A machine with a name: its disk and clock stay; each start gives it a new process."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.clock = VirtualClock()
        self.disk = SimDisk(SeededEntropy(world.seed, f"disk {name}"))
        self.entropy: SeededEntropy
        self.workers: InlineWorkers
        self.transport: SimTransport
        self._world = world
        self._starts = 0
        self._main: HostMain | None = None
        self._process: asyncio.Task[None] | None = None
        self._off = False

    @property
    def running(self) -> bool:
        """Whether its `main` has been started and has not ended."""
        return self._process is not None and not self._process.done()

    def start(self, main: HostMain | None = None) -> None:
        """Run `main`, or what ran last, in a new process. An exception that it raises ends the world."""
        assert not self.running, f"{self.name} is running"
        self._main = main or self._main
        assert self._main is not None, f"{self.name} has nothing to run"
        self._starts += 1
        process, seed = f"{self.name} {self._starts}", self._world.seed
        self.entropy = SeededEntropy(seed, f"entropy {process}")
        chance = dice(seed, f"workers {process}")
        self.workers = InlineWorkers(self.name, chance, self._world.trace, after_job=self._notice_power_failure)
        self.transport = self._world.network.transport(self.name)
        self._off = False
        self._world.trace.note("start", self.name)
        self._process = self._world.own(self._live(self._main), process)

    async def stop(self) -> None:
        """Cancel what runs, and wait until it has tidied up; nothing if nothing runs."""
        if self._process is not None and self.running:
            self._world.trace.note("stop", self.name)
            self._process.cancel()
        await self.ended()

    def power_off(self) -> None:
        """Crash, now: the process does nothing any more, its connections break, un-fsynced writes may be lost.

        May be called from anywhere, also from a job on a lane of this very host.
        """
        self._world.trace.note("crash", self.name)
        self._off = True
        if self._process is not None and self.running:
            self.workers.halt()
            self.transport.halt()
            self._process.cancel()
        self._world.network.crash(self.name)
        self.disk = self.disk.crash()

    def fail_power_after(self, steps: int) -> None:
        """Let the power fail as the disk does its `steps`-th change or sync from now."""
        self.disk.power_fails_at = self.disk.steps + steps

    async def crash(self) -> None:
        """`power_off`, and wait until what ran is gone, so that the host can start again."""
        self.power_off()
        await self.ended()

    async def restart(self) -> None:
        """Stop, and start what ran again."""
        await self.stop()
        self.start()

    async def ended(self) -> None:
        """Wait until what runs has ended; `WorldError` if it was told to end, or crashed, and does not."""
        if self._process is not None and self.running:
            limit = ENDING_SECONDS_MAX if self._process.cancelling() else None
            await asyncio.wait([self._process], timeout=limit)
            if self.running:
                raise WorldError(f"{self.name} does not end, though it was cancelled {limit} s ago.")

    def _notice_power_failure(self) -> None:
        if self.disk.power_fails_at is not None and self.disk.steps >= self.disk.power_fails_at:
            self.power_off()

    async def _live(self, main: HostMain) -> None:
        try:
            await main(self)
        except Exception as error:
            if not self._off:
                raise
            # After a crash nobody is there to fail: what its clean-up met, no real process would have met.
            self._world.trace.note("died", self.name, type(error).__name__)
        self._world.trace.note("end", self.name)


class World:
    """Hosts, network and trace of one run."""

    def __init__(self, seed: int, owner: asyncio.TaskGroup) -> None:
        self.seed = seed
        self.trace = Trace()
        self.network = SimNetwork(seed, self.trace)
        self.chance = dice(seed, "scenario")
        """For what a scenario itself chooses."""
        self._owner = owner
        self._hosts: dict[str, Host] = {}

    def host(self, name: str) -> Host:
        """The host of that name, made when first asked for."""
        if name not in self._hosts:
            self._hosts[name] = Host(self, name)
        return self._hosts[name]

    @property
    def hosts(self) -> list[Host]:
        """All hosts, in the order of their making."""
        return list(self._hosts.values())

    def own(self, main: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a task that ends with the world at the latest; its exception ends the world."""
        return self._owner.create_task(main, name=name)

    async def stop(self) -> None:
        """Stop all hosts, the newest first."""
        for host in reversed(self.hosts):
            await host.stop()


def simulate(main: Callable[[World], Coroutine[Any, Any, T]], seed: int) -> T:
    """Run `main` in a new world and return its result; all hosts are stopped when it ends.

    What `main` or a host raises is raised here (several at once as an `ExceptionGroup`), with the seed that replays
    it and the newest events as notes. See `capsa.testing.world.loop.run` for the `WorldError`s.
    """
    trace: Trace | None = None

    async def whole() -> T:
        nonlocal trace
        async with asyncio.TaskGroup() as owner:
            world = World(seed, owner)
            trace = world.trace
            result = await main(world)
            await world.stop()
        return result

    try:
        return run(whole())
    except Exception as error:  # noqa: BLE001 (raised below, outside of this block so that its own cause stays)
        failure = error
    while isinstance(failure, ExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]
    failure.add_note(f"Replay with seed {seed}.")
    if trace is not None:
        failure.add_note("\n".join(["The newest events:", *trace.events[-_EVENTS_SHOWN:]]))
    raise failure
