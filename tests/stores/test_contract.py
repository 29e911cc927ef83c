"""Every store, and every wrapper, passes the public conformance suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from capsa.node.runtime import ThreadWorkers
from capsa.stores.disk import SystemDisk
from capsa.testing.stores import STORE_CHECKS, StoreCheck, StoreRig
from tests.stores.rigs import InlineWorkers, MemoryRig, SegmentRig, WrappedRig, sim_disk


@pytest.fixture(params=["memory", "segments", "simulated", "wrapped"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreRig]:
    workers = ThreadWorkers()
    match request.param:
        case "memory":
            yield MemoryRig()
        case "segments":
            yield SegmentRig(SystemDisk(tmp_path), workers)
        case "simulated":
            yield SegmentRig(sim_disk(), InlineWorkers())
        case "wrapped":
            yield WrappedRig(SystemDisk(tmp_path), workers)
    workers.close()


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
async def test_contract(check: StoreCheck, rig: StoreRig) -> None:
    await check(rig)
