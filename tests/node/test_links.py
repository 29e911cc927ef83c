"""Reaching a node: it may name many addresses, and all of them may be silent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from capsa.errors import DeadlineError
from capsa.net.base import Connection, Receiver
from capsa.net.transports.memory import MemoryNetwork
from capsa.node.links import Links
from capsa.node.membership import Members
from capsa.node.settings import Timing
from tests.net.cast import device, make_pool, running


class BlackHole(MemoryNetwork):
    """Nothing that is dialled ever answers."""

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")


async def test_many_silent_addresses_hold_nobody_up() -> None:
    members = cast(Members, SimpleNamespace(addresses=lambda node: ("memory:nobody",) * 16))
    pool = make_pool("near", BlackHole())
    async with running(pool), asyncio.timeout(5):
        with pytest.raises(DeadlineError):
            await Links(pool, members, Timing(ask=0.01)).session(device("far").node)
