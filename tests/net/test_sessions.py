"""Sessions over every transport, protected and plain, pass the public suite."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from capsa.core.messages import Put
from capsa.net.transports.memory import MemoryNetwork
from capsa.net.transports.tcp import TcpTransport
from capsa.net.transports.unix import UnixTransport
from capsa.testing.sessions import SESSION_CHECKS, Joiner, SessionCheck, echo
from capsa.testing.transports import pattern
from tests.net.cast import Trickle, joined_by_control, joined_by_pools

JOINERS: dict[str, Callable[[Path], Joiner]] = {
    "pools over memory": lambda folder: partial(joined_by_pools, MemoryNetwork(), "memory:far"),
    "pools over tcp": lambda folder: partial(joined_by_pools, TcpTransport(), "tcp://127.0.0.1:0"),
    "control over unix": lambda folder: partial(joined_by_control, UnixTransport(), f"unix:{folder / 'sock'}"),
    "control over memory": lambda folder: partial(joined_by_control, MemoryNetwork(), "memory:control"),
}


@pytest.mark.parametrize("joiner", JOINERS.values(), ids=JOINERS)
@pytest.mark.parametrize("check", SESSION_CHECKS, ids=lambda check: check.__name__)
async def test_sessions_keep_their_contract(
    check: SessionCheck, joiner: Callable[[Path], Joiner], tmp_path: Path
) -> None:
    await check(joiner(tmp_path))


@pytest.mark.parametrize("join", [joined_by_pools, joined_by_control])
@pytest.mark.parametrize("size", [1, 7, 4099])
async def test_bytes_may_come_in_any_portions(join: Callable[..., Joiner], size: int) -> None:
    joiner: Joiner = partial(join, Trickle(MemoryNetwork(), size), "memory:far")  # type: ignore[assignment]
    async with joiner(echo, echo) as (near, far):
        for session in (near, far):
            payload = pattern(1000 * min(size, 100) + 20_000)
            reply = await session.call(Put(bytes(16), (bytes(32),), (1,)), (payload,), timeout=30)
            assert reply.payload == payload
