"""What is put is nowhere to be seen: not on real wires, not on other owners' disks, not in logs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from capsa.net.base import Transport
from tests.node.network import live
from tests.node.wires import Meter

CONTENT = b"a canary sings in the coal mine"
NAME = "tell-tale-name"


@pytest.mark.parametrize("times", [1, 20_000], ids=["inline", "in chunks"])
async def test_content_and_name_are_on_no_wire_no_other_disk_and_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, times: int
) -> None:
    caplog.set_level(logging.DEBUG)
    meters: list[Meter] = []

    def tapped(tcp: Transport) -> Transport:
        meters.append(Meter(tcp, keep=True))
        return meters[-1]

    source = tmp_path / f"{NAME}.txt"
    content = b"".join(b"%d %s" % (number, CONTENT) for number in range(times))  # no two chunks are alike
    source.write_bytes(content)
    async with live(tmp_path, "") as network:
        for name in ("ann", "bob", "cid"):
            await network.up(name, tcp=tapped)
        await network.acquainted("ann", "bob", "cid")
        async with network.client("ann") as ann:
            stored = await ann.put(source, f"x/{NAME}.txt")
            assert stored.durable == 3
        async with network.client("bob") as bob:
            assert await bob.get(stored, tmp_path / "out") == content
    wires = b"".join(bytes(meter.kept) for meter in meters)
    assert len(wires) > len(content)  # the blocks did go over these wires
    disks = [
        path.read_bytes() for name in ("bob", "cid") for path in network.home(name).root.rglob("*") if path.is_file()
    ]
    assert sum(map(len, disks)) > len(CONTENT)
    for place in (wires, *disks, caplog.text.encode()):
        assert CONTENT not in place
        assert NAME.encode() not in place
