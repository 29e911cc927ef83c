"""The catalog through the node: heads reach all members, and the lock on the next one never stays behind."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from capsa.core import commands as c
from capsa.core.heads import Head
from capsa.core.messages import Sync
from capsa.errors import CapsaError
from tests.node.liar import lying
from tests.node.network import job_of, live, noise, until, write


async def test_heads_are_published_to_all_members(tmp_path: Path) -> None:
    """Before `put` returns, everybody who is there has it; who was away learns it afterwards."""
    source = write(tmp_path / "note.bin", noise(10))
    async with live(tmp_path, "ann bob cid", copies=1) as network, lying(network, "eye", capacity=0) as eye:
        await network.down("cid")
        async with network.client("ann") as ann:
            await ann.put(source, "note.bin")
            told = await ann.link.ask(c.Heads(), c.HeadsTold)
        [head] = [Head.parse(signed, eye.config.network) for signed in told.heads]
        marks = (await eye.ask("bob", Sync(), Sync)).head_marks
        assert [(mark.device, mark.digest) for mark in marks] == [(network.node("ann"), head.digest)]
        await network.up("cid")

        async def learnt() -> bool:
            return bool((await eye.ask("cid", Sync(), Sync)).head_marks)

        await until(learnt)


async def test_heads_are_numbered_upwards_over_restarts(tmp_path: Path) -> None:
    source = write(tmp_path / "note.bin", noise(10))
    sequences = []
    async with live(tmp_path, "ann", copies=0) as network:
        for key in ("a", "b"):
            async with network.client("ann") as ann:
                await ann.put(source, key)
                [head] = (await ann.link.ask(c.Heads(), c.HeadsTold)).heads
                sequences.append(Head.parse(head, network.home("ann").network).sequence)
            await network.down("ann")
            await network.up("ann")
        async with network.client("ann") as ann:
            taken = await ann.link.ask(c.TakeHeadLock(), c.HeadLockTaken)
            snapshot = await ann.files.catalog.snapshot()
            assert [view.key async for view in snapshot.scan()] == ["a", "b"]
    assert sequences[0] < sequences[1] < taken.sequence


async def test_heads_that_are_outdone_leave_the_state_at_the_next_start(tmp_path: Path) -> None:
    async with live(tmp_path, "ann", copies=0) as network:
        for key in "abc":
            async with network.client("ann") as ann:
                await ann.put(write(tmp_path / key, noise(10)), key)
        counts = []
        for _ in range(2):
            await network.down("ann")
            with closing(apsw.Connection(str(network.home("ann").root / "state.db"))) as database:
                counts.append(len(list(database.execute("SELECT 1 FROM heads"))))
            await network.up("ann")
        async with network.client("ann") as ann:
            assert [view.key async for view in (await ann.files.catalog.snapshot()).scan()] == ["a", "b", "c"]
    assert counts == [3, 2]  # the newest, and the complete one before it


async def test_a_command_that_dies_gives_the_head_lock_back(tmp_path: Path) -> None:
    source = write(tmp_path / "note.bin", noise(10))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as first:
        await first.link.ask(c.TakeHeadLock(), c.HeadLockTaken)
        async with network.client("ann") as second:
            waiting = asyncio.ensure_future(second.put(source, "note.bin"))
            await second.link.ask(c.Greet(), c.Greeted)
            assert not waiting.done()
            assert first.link.session is not None
            first.link.session.abort()
            assert (await waiting).error is None


async def test_one_that_dies_while_it_waits_for_the_head_lock_blocks_nobody(tmp_path: Path) -> None:
    source = write(tmp_path / "note.bin", noise(10))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as first:
        await first.link.ask(c.TakeHeadLock(), c.HeadLockTaken)
        async with network.client("ann") as second:
            waiting = asyncio.ensure_future(second.link.ask(c.TakeHeadLock(), c.HeadLockTaken))
            await second.link.ask(c.Greet(), c.Greeted)
            waiting.cancel()
            await asyncio.wait([waiting])
        await first.link.ask(c.FreeHeadLock(), c.Done)
        async with network.client("ann") as third:
            assert (await third.put(source, "note.bin")).error is None


async def test_a_home_publishes_and_claims_for_itself_only(tmp_path: Path) -> None:
    source = write(tmp_path / "note.bin", noise(10))
    async with (
        live(tmp_path, "ann bob", copies=1) as network,
        network.client("ann") as ann,
        network.client("bob") as bob,
    ):
        await ann.put(source, "note.bin")
        [head] = (await ann.link.ask(c.Heads(), c.HeadsTold)).heads
        for ask in (c.PublishHead(head, (), True), c.PublishHead(b"nonsense", (), True)):
            with pytest.raises(CapsaError):
                await bob.link.ask(ask, c.HeadPublished)
        assert not (await bob.link.ask(c.Heads(), c.HeadsTold)).heads


async def test_a_batch_is_recorded_by_one_head(tmp_path: Path) -> None:
    paths = [write(tmp_path / str(n), noise(20, str(n))) for n in range(20)]
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        async for _ in ann.files.put([job_of(path, path.name) for path in paths]):
            pass
        [head] = (await ann.link.ask(c.Heads(), c.HeadsTold)).heads
        assert Head.parse(head, network.home("ann").network).sequence == 1
