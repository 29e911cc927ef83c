"""What a node says to the doctor of its home."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from capsa.core import inquiries as q
from capsa.core.ids import NodeId
from capsa.core.messages import Hello
from capsa.net.identity import Peer
from capsa.net.session import Session
from capsa.node import examination
from capsa.seams import Clock
from capsa.testing.world.members import Circle, Desk
from capsa.testing.world.world import World, simulate
from tests.node.network import Network, live


async def probe(network: Network, address: str, whose: str) -> str:
    async with network.client("ann") as client:
        return (await client.link.ask(q.Probe(address, network.node(whose)), q.Probed)).outcome


async def test_who_answers_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live(tmp_path, "ann ben") as network:
        assert await probe(network, network.address("ann"), "ann") == "expected"
        assert await probe(network, network.address("ben"), "ben") == "expected"
        assert await probe(network, network.address("ben"), "ann") == "other"
        assert await probe(network, network.address("ann"), "ben") == "other"
        await network.acquainted("ann", "ben")  # to be asked has cost nobody its sessions

        with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, and says nothing
            monkeypatch.setattr(examination, "PROBE_SECONDS", 0.1)
            address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
            assert await probe(network, address, "ann") == "silent"
        monkeypatch.undo()
        assert await probe(network, address, "ann") == "silent"
        assert await probe(network, "udp://127.0.0.1:1", "ann") == "other"

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as web:
            address = f"tcp://127.0.0.1:{web.sockets[0].getsockname()[1]}"
            assert await probe(network, address, "ann") == "other"


async def test_where_a_node_is_found_and_what_it_keeps(tmp_path: Path) -> None:
    async with live(tmp_path, "ann ben", copies=1) as network:
        await network.up("cat", listen=("tcp://127.0.0.1:0",), advertise=("tcp://cat.example:1",), capacity=1000)
        await network.acquainted("ann", "ben", "cat")
        async with network.client("cat") as client:
            told = await client.link.ask(q.Examine(), q.Examined)
        assert told.listening == (network.address("cat"),)
        assert told.advertised == ("tcp://cat.example:1",)
        assert (told.capacity, told.used, told.copies, told.owners, told.duplicate) == (1000, 0, 1, 3, False)
        assert len(told.clocks_ahead) == 2
        assert all(abs(ahead) < 60 for ahead in told.clocks_ahead)


def test_how_far_clocks_of_members_are_ahead() -> None:
    async def main(world: World) -> None:
        circle = Circle(world, ["ann", "ben", "cat"])
        circle.host("ben").clock.offset = 7200.0
        await circle.gather()

        async def ask(desk: Desk) -> tuple[float, ...]:
            return (await desk.link.ask(q.Examine(), q.Examined)).clocks_ahead

        assert sorted(round(ahead, -1) for ahead in await circle.run("ann", ask)) == [0.0, 7200.0]
        assert sorted(round(ahead, -1) for ahead in await circle.run("ben", ask)) == [-7200.0, -7200.0]

    simulate(main, 1)


@pytest.mark.parametrize("clock", [float("nan"), float("inf"), float("-inf")])
def test_a_clock_that_is_no_number_is_passed_over(clock: float) -> None:
    """It would make of every comparison what its sender likes."""
    asked: list[str] = []
    others: Any = dict.fromkeys(("config", "pool", "members", "duplicates", "listening", "advertised", "used"))
    examiner = examination.Examiner(**others, clock=cast(Clock, SimpleNamespace(now=lambda: asked.append("now"))))
    peer = Peer(NodeId(b"n" * 32), None, admitted=True)
    examiner.met(cast(Session, SimpleNamespace(hello=Hello(1, clock, bytes(16)), peer=peer)))
    assert not asked
