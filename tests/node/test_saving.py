"""What a node says it knows is on its disk, even where the disk or the caller failed at first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import apsw
import pytest

from capsa.core.messages import Sync
from capsa.core.signing import encode_signed
from capsa.core.statements import NodeRecord, record
from capsa.errors import NoSpaceError
from capsa.node.membership import Members
from capsa.node.runtime import ThreadWorkers
from capsa.node.state import State
from capsa.seams import Lane
from tests.node.network import Network

P = ParamSpec("P")
R = TypeVar("R")


class Hindered(ThreadWorkers):
    """Runs nothing while `full`, and lets everybody wait while `held`."""

    full = False

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def run(self, lane: Lane, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.full:
            raise NoSpaceError("The disk of this home is full.")
        await self.free.wait()
        return await super().run(lane, fn, *args, **kwargs)


@asynccontextmanager
async def member(root: Path) -> AsyncIterator[tuple[Members, State, Hindered, bytes]]:
    """A member's knowledge of its network, and a record that is new to it."""
    async with asyncio.TaskGroup() as tasks:
        network = Network(root, tasks, copies=1)
        config = network.config("ann")
        state, workers = State(apsw.Connection(":memory:")), Hindered()
        members = Members(config, state=state, workers=workers)
        await members.open()
        values = NodeRecord(config.owner, (), 1, 1, "", False, 1, "ann")
        yield members, state, workers, encode_signed(record(config.device, config.network, values))
        workers.close()


async def test_what_a_full_disk_did_not_take_is_written_with_the_next_exchange(tmp_path: Path) -> None:
    async with member(tmp_path) as (members, state, workers, news):
        workers.full = True
        with pytest.raises(NoSpaceError):
            await members.absorb(Sync(records=(news,)))
        workers.full = False
        await members.absorb(Sync(records=(news,)))
        assert state.known()[1] == [news]


async def test_whoever_brings_what_is_just_being_written_waits_for_it_too(tmp_path: Path) -> None:
    async with member(tmp_path) as (members, state, workers, news):
        workers.free.clear()
        both = [asyncio.ensure_future(members.absorb(Sync(records=(news,)))) for _ in range(2)]
        done, _ = await asyncio.wait(both, timeout=0)
        assert not done
        both[0].cancel()
        workers.free.set()
        await both[1]
        assert state.known()[1] == [news]
