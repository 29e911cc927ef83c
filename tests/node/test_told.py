"""A put counts only nodes that could tell of it: blocks without the catalog and the head are no file to anybody."""

from __future__ import annotations

from pathlib import Path

from capsa.core.messages import Message, Sync
from capsa.errors import BusyError
from capsa.net.rpc import Answer
from capsa.net.session import Session
from tests.client.puts.test_upload import Counting
from tests.node.liar import Liar, lying
from tests.node.network import live, noise, write


class Deaf(Liar):
    """Stores blocks and gives receipts, and takes no heads."""

    async def _handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Sync) and message.heads:
            raise BusyError("Not now.")
        return await super()._handle(session, message, payload)


async def test_a_head_that_reached_nobody_leaves_one_copy(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(20_000))
    async with live(tmp_path, "ann", copies=1) as network, lying(network, "bob", kind=Deaf) as bob:
        bob.lie = Counting(network, "bob")
        await network.acquainted("ann", "bob")
        async with network.client("ann") as ann:
            stored = await ann.put(source, "film.bin")
    assert (stored.durable, stored.wanted) == (1, 2)


async def test_a_catalog_short_of_copies_counts(tmp_path: Path) -> None:
    """Bob has all of the file's copies, and of the catalog only some: more were wanted of it than there are nodes."""
    source = write(tmp_path / "film.bin", noise(20_000))
    async with live(tmp_path, "ann bob", copies=3) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin", copies=1)
    assert (stored.durable, stored.wanted) == (2, 2)
