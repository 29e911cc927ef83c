"""What lies on the disks of nodes that do not run, seen by somebody who may see all; and how it gets lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from capsa.core.claims import ClaimPart
from capsa.core.ids import BlockId, ClaimId, block_id
from capsa.stores.segments import SegmentStore
from capsa.testing.world.disk import SimDisk
from capsa.testing.world.members import SEGMENT_SIZE, Circle
from capsa.testing.world.sources import SeededEntropy
from capsa.testing.world.world import Host, World

Holding: TypeAlias = tuple[ClaimId, BlockId]


async def holdings(circle: Circle, name: str, owner: str = "ann") -> set[Holding]:
    """The blocks that lie on a member's disk together with a claim of their owner's, and that claim."""
    found: set[Holding] = set()

    async def look(host: Host) -> None:
        store = SegmentStore(
            host.disk, workers=host.workers, clock=host.clock, entropy=host.entropy, segment_size=SEGMENT_SIZE
        )
        await store.open()
        try:
            for digest in await store.parts(circle.members[owner].keys.owner):
                part = ClaimPart.parse(await store.part(digest), circle.network)
                here = set(await store.claimed([block for block, _, _ in part.blocks]))
                for block, _, item in part.blocks:
                    if block in here:
                        assert block_id(await store.get(block)) == block
                        found.add((item.claim, block))
        finally:
            await store.close()

    circle.host(name).start(look)
    await circle.host(name).ended()
    return found


async def copies(circle: Circle, names: Iterable[str], owner: str = "ann") -> Counter[Holding]:
    """On how many of the members' disks each block lies, together with its claim."""
    counts: Counter[Holding] = Counter()
    for name in names:
        counts.update(await holdings(circle, name, owner))
    return counts


def lose_store(host: Host) -> None:
    """Take the segments and the index from a host that does not run."""
    for folder in ("store", "store/segments"):
        for name in host.disk.names(folder):
            host.disk.remove(f"{folder}/{name}")
        host.disk.sync_folder(folder)


def lose_disk(world: World, host: Host) -> None:
    """Give a host that does not run a new, empty disk."""
    host.disk = SimDisk(SeededEntropy(world.seed, f"new disk {host.name}"))


def copy_disk(world: World, disk: SimDisk) -> SimDisk:
    """Another disk with the same files: a backup."""
    copy = SimDisk(SeededEntropy(world.seed, "copy of a disk"))
    for folder in ("store", "store/segments"):
        copy.make_folder(folder)
    for name, content in disk.contents().items():
        file = copy.open(name, create=True)
        file.write(0, [content])
        file.sync()
        file.close()
    for folder in ("", "store", "store/segments"):
        copy.sync_folder(folder)
    return copy
