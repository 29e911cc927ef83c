"""get: whole or not at all, continued where it stopped, and never a wrong byte."""

from __future__ import annotations

import asyncio
import io
import os
from itertools import product
from pathlib import Path

import pytest

from capsa.client.gets.parts import part_path
from capsa.client.puts.jobs import Stored
from capsa.core.caps import Cap
from capsa.errors import CapsaError, IntegrityError, NotFoundError, RefusedError, UnreachableError
from tests.node.network import SMALL, Client, Network, content_of, live, noise, until, write

SIZE = 40 * SMALL.chunk_size + 1000
LONG = 5 * SIZE


async def stored_by_bob(network: Network, source: Path, key: str) -> Stored:
    """A file that lies on bob alone, so that every block which ann reads crosses the wire."""
    async with network.client("bob") as bob:
        return await bob.put(source, key, copies=0)


async def interrupted_get(client: Client, cap: Cap, target: Path, *, after: int) -> int:
    """A get that dies once `after` bytes are out; how many that were."""
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        if done >= after:
            getting.cancel()

    async def get() -> None:
        await client.reader.fetch_to(cap, await client.reader.open(cap), target, progress=count)

    getting = asyncio.create_task(get())
    await asyncio.wait([getting])
    assert getting.cancelled()
    return done


class Counted:
    """Which progress a get reports: its first report is what it kept."""

    def __init__(self) -> None:
        self.reports: list[int] = []

    def __call__(self, size: int) -> None:
        self.reports.append(size)


async def test_an_interrupted_get_leaves_no_target_and_is_continued(tmp_path: Path) -> None:
    source, target = write(tmp_path / "film.bin", noise(SIZE)), tmp_path / "out"
    async with live(tmp_path, "ann bob", copies=0) as network:
        stored = await stored_by_bob(network, source, "film.bin")
        assert stored.cap is not None
        async with network.client("ann") as ann:
            done = await interrupted_get(ann, stored.cap, target, after=SIZE // 2)
        assert not target.exists()
        async with network.client("ann") as ann:
            counted = Counted()
            root = await ann.reader.open(stored.cap)
            await ann.reader.fetch_to(stored.cap, root, target, progress=counted)
            assert done - SMALL.chunk_size <= counted.reports[0] <= done + SMALL.chunk_size
            assert sum(counted.reports) == SIZE
        assert content_of(target) == noise(SIZE)
        assert not part_path(target, stored.cap.root).exists()


@pytest.mark.parametrize(
    ("tamper", "kept"),
    [
        (lambda data: b"\x00" + data[1:], 0),
        (lambda data: data[:9000] + bytes([data[9000] ^ 1]) + data[9001:], 2 * SMALL.chunk_size),
        (lambda data: data[:10_000], 2 * SMALL.chunk_size),
        (lambda data: data + bytes(100_000), 20 * SMALL.chunk_size),
        (lambda data: b"", 0),
    ],
    ids=["first byte", "in the middle", "cut", "longer", "empty"],
)
async def test_a_tampered_part_file_is_cut_where_it_stops_being_right(
    tmp_path: Path, tamper: object, kept: int
) -> None:
    source, target = write(tmp_path / "film.bin", noise(SIZE)), tmp_path / "out"
    assert callable(tamper)
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin")
        assert stored.cap is not None
        write(part_path(target, stored.cap.root), tamper(noise(SIZE)[: 20 * SMALL.chunk_size]))
        counted = Counted()
        root = await ann.reader.open(stored.cap)
        await ann.reader.fetch_to(stored.cap, root, target, progress=counted)
        assert content_of(target) == noise(SIZE)
        assert counted.reports[0] == kept and sum(counted.reports) == SIZE


async def test_a_part_file_longer_than_the_file_is_cut_to_it(tmp_path: Path) -> None:
    source, target = write(tmp_path / "film.bin", noise(SIZE)), tmp_path / "out"
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin")
        assert stored.cap is not None
        write(part_path(target, stored.cap.root), noise(SIZE) + b"more")
        assert await ann.get(stored, target) == noise(SIZE)


@pytest.mark.parametrize(
    ("name", "head", "media_type"),
    [
        ("picture.png", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("paper.pdf", b"%PDF-1.7\n", "application/pdf"),
        ("film.mp4", b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        ("notes.txt", b"some text", "text/plain"),
    ],
)
async def test_name_type_time_and_mode_are_restored(tmp_path: Path, name: str, head: bytes, media_type: str) -> None:
    source, target = write(tmp_path / name, head + noise(10_000)), tmp_path / "out"
    source.chmod(0o640)
    os.utime(source, ns=(1, 1_234_567_890_123_456_789))
    async with live(tmp_path, "ann bob", copies=0) as network:
        stored = await stored_by_bob(network, source, f"x/y/{name}")
        assert stored.cap is not None
        async with network.client("ann") as ann:
            root = await ann.reader.open(stored.cap)
            assert (root.name, root.media_type) == (name, media_type)
            await ann.reader.fetch_to(stored.cap, root, target)
    assert content_of(target) == head + noise(10_000)
    facts = target.stat()
    assert (facts.st_mode & 0o777, facts.st_mtime_ns) == (0o640, 1_234_567_890_123_456_789)


async def test_a_range_is_those_bytes(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(SIZE))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin")
        assert stored.cap is not None
        root = await ann.reader.open(stored.cap)
        for start, length in product((0, 1, 4095, 4096, 30_000, SIZE - 1, SIZE), (0, 1, 4096, 50_000)):
            out = io.BytesIO()
            await ann.reader.read(root, out, start=start, stop=start + length)
            assert out.getvalue() == noise(SIZE)[start : start + length], (start, length)


async def test_a_cap_with_a_wrong_key_opens_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(SIZE))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin")
        assert stored.cap is not None
        with pytest.raises(IntegrityError):
            await ann.reader.open(Cap(stored.cap.root, bytes(32)))


async def test_an_existing_target_is_left_alone_unless_told(tmp_path: Path) -> None:
    source, target = write(tmp_path / "film.bin", noise(SIZE)), write(tmp_path / "out", b"mine")
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin")
        assert stored.cap is not None
        root = await ann.reader.open(stored.cap)
        with pytest.raises(RefusedError):
            await ann.reader.fetch_to(stored.cap, root, target)
        assert content_of(target) == b"mine"
        await ann.reader.fetch_to(stored.cap, root, target, overwrite=True)
        assert content_of(target) == noise(SIZE)


async def test_a_file_of_which_blocks_are_gone_fails_and_leaves_no_target(tmp_path: Path) -> None:
    """The root is at ann's still, bob has the rest and is gone for good; what came stays in the part file."""
    source, target = write(tmp_path / "film.bin", noise(SIZE)), tmp_path / "out"
    async with live(tmp_path, "ann bob", copies=0) as network:
        stored = await stored_by_bob(network, source, "film.bin")
        assert stored.cap is not None
        async with network.client("ann") as ann:
            root = await ann.reader.open(stored.cap)
            await network.down("bob")

            async def missed() -> bool:
                return "bob" not in await ann.alive()

            await until(missed)
            with pytest.raises(CapsaError) as caught:
                await ann.reader.fetch_to(stored.cap, root, target)
            assert not isinstance(caught.value, NotFoundError) and caught.value.retryable
            assert not target.exists()


async def test_a_get_that_lost_the_network_midway_goes_on_when_it_is_back(tmp_path: Path) -> None:
    source, target = write(tmp_path / "film.bin", noise(LONG)), tmp_path / "out"
    async with live(tmp_path, "ann bob", copies=0) as network:
        stored = await stored_by_bob(network, source, "film.bin")
        assert stored.cap is not None
        async with network.client("ann") as ann, asyncio.TaskGroup() as tasks:
            root = await ann.reader.open(stored.cap)
            counted = Counted()

            def count(size: int) -> None:
                counted(size)
                if sum(counted.reports) >= LONG // 3 and "bob" in network.running and not leaving:
                    leaving.append(tasks.create_task(network.down("bob")))

            leaving: list[asyncio.Task[None]] = []
            with pytest.raises(UnreachableError) as caught:
                await ann.reader.fetch_to(stored.cap, root, target, progress=count)
            assert caught.value.retryable and not target.exists()
            await leaving[0]
            await network.up("bob")
            await network.acquainted("ann", "bob")
            again = Counted()
            await ann.reader.fetch_to(stored.cap, root, target, progress=again)
            assert LONG // 3 <= again.reports[0] < LONG and sum(again.reports) == LONG
        assert content_of(target) == noise(LONG)
