"""What a node says, judged: real nodes in one process."""

from __future__ import annotations

from pathlib import Path

from capsa.core.diagnosis.findings import Finding, Level
from capsa.core.diagnosis.machine import DiskFacts
from capsa.faces.cli.doctor.probing import check_network
from tests.node.network import Network, live

ROOMY = DiskFacts(free=10**15, total=10**15)


async def findings_of(network: Network, name: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in await check_network(network.home(name).root, ROOMY)}


async def test_a_member_at_whose_address_somebody_else_answers(tmp_path: Path) -> None:
    async with live(tmp_path, "ann ben", copies=1) as network:
        assert "member" not in await findings_of(network, "ann")
        address = network.address("ben")
        await network.down("ben")
        await network.up("cat", listen=(address,))
        await network.acquainted("ann", "cat")
        found = await findings_of(network, "ann")
        assert found["member"].level is Level.WARNING
        assert f"{address}, the address of ben" in found["member"].message
        assert found["peers"].level is Level.NOTE and "silent: ben" in found["peers"].message


async def test_what_is_advertised_is_dialled(tmp_path: Path) -> None:
    async with live(tmp_path, "ann", copies=0) as network:
        assert (await findings_of(network, "ann"))["addresses"].level is Level.NOTE
        await network.up("ben", listen=(), advertise=())
        assert "does not listen" in (await findings_of(network, "ben"))["addresses"].message
        await network.up("cat", advertise=(network.address("ann"),))
        wrong = (await findings_of(network, "cat"))["addresses"]
        assert wrong.level is Level.ERROR and network.address("ann") in wrong.message
        await network.up("dan", advertise=("tcp://127.0.0.1:1",))
        assert (await findings_of(network, "dan"))["addresses"].level is Level.WARNING
