"""What a node tells others to dial, where that is not what it listens on."""

from __future__ import annotations

from pathlib import Path

from capsa.core import inquiries as q
from tests.node.network import live, until


async def test_others_dial_what_a_node_advertises(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        port = network.address("ann").rpartition(":")[2]
        await network.down("ann")
        told = f"tcp://localhost:{port}"
        await network.up("ann", listen=(f"tcp://127.0.0.1:{port}",), advertise=(told,))
        await network.up("ben")
        # Cat dials only, and was given Ben's address alone: it finds Ann by what Ann advertises.
        await network.up("cat", listen=(), bootstrap=(network.address("ben"),))
        await network.acquainted("ann", "ben", "cat")
        async with network.client("cat") as client:
            lines = {line.name: line for line in (await client.link.ask(q.Peers(), q.PeersTold)).nodes}
            assert lines["ann"].addresses == (told,)


async def test_who_advertises_nothing_keeps_its_sessions_itself(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        await network.up("ben", advertise=())
        await network.acquainted("ann", "ben")
        async with network.client("ben") as client:

            async def recorded() -> bool:
                lines = (await client.link.ask(q.Peers(), q.PeersTold)).nodes
                return [line.addresses for line in lines if line.name == "ben"] == [()]

            await until(recorded)
            assert (await client.status()).reachable == "no"
