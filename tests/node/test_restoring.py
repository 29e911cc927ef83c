"""A folder is restored over real wires while one of its two holders lies, or goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from capsa.client.gets.restore import Order, Restored, Restorer, selected
from capsa.core.catalog.entries import VersionEntry
from capsa.core.messages import Get
from capsa.core.restore import Selection
from capsa.node.runtime import ThreadWorkers
from tests.node.liar import lying
from tests.node.network import SMALL, live, noise, write
from tests.node.test_liars import GETS, KeepsNothing

CONTENTS = {f"t/d{index % 3}/f{index}": noise(137 + 3001 * index, str(index)) for index in range(12)}


@pytest.mark.parametrize("lie", ["gives other bytes", "says it is gone", "gives nothing"])
async def test_a_folder_comes_from_whoever_keeps_its_word(tmp_path: Path, lie: str) -> None:
    async with live(tmp_path, "ann bob") as network:
        await network.up("cid", capacity=0)
        async with lying(network, "eve", KeepsNothing(network, GETS[lie])) as eve:
            await network.acquainted("ann", "bob", "cid", "eve")
            async with network.client("ann") as ann:
                for key, data in CONTENTS.items():
                    await ann.put(write(tmp_path / "source", data), key)
                snapshot = await ann.files.catalog.snapshot()
                versions = [version async for version in selected(snapshot, Selection.of("t"))]
            assert [version.key for version in versions] == sorted(CONTENTS)
            await network.down("ann")
            told: list[Restored] = []
            workers = ThreadWorkers()
            async with network.client("cid") as cid:

                async def again() -> AsyncIterator[VersionEntry]:
                    for version in versions:
                        yield version

                order = Order(Selection.of("t"), tmp_path / "out", False, told.append)
                await Restorer(cid.link, workers=workers, shape=SMALL).restore(again, order)
            workers.close()
            assert any(isinstance(message, Get) for message in eve.asked)
    assert not [restored.error for restored in told if restored.error is not None]
    assert {key: (tmp_path / "out" / key).read_bytes() for key in CONTENTS} == CONTENTS
