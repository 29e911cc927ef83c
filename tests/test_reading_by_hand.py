"""The format's description suffices: a few lines without capsa read what capsa has stored."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest

from capsa.client.puts.sealer import FileSealer, Manner
from capsa.client.puts.sources import StreamSource
from capsa.core.caps import Cap, format_cap
from capsa.core.ids import BlockId, ClaimId
from capsa.core.pages import Shape
from capsa.core.sealing import sealed_size
from capsa.stores.disk import SystemDisk
from capsa.stores.segments import SegmentStore
from capsa.testing.stores import TestClock
from capsa.testing.world.sources import SeededEntropy
from tests.stores.rigs import InlineWorkers

PAGE = Path(__file__).parents[1] / "docs" / "reading-by-hand.md"
SHAPE = Shape(chunk_size=1024, fanout=4, inline_max=100)
"""Small, so that a short file has a tree of several levels."""


def seal(content: bytes) -> tuple[Cap, list[tuple[BlockId, bytes]]]:
    """All blocks of a file called sea.bin, and its cap."""
    sealer = FileSealer(StreamSource(io.BytesIO(content)), Manner(bytes(range(32)), "sea.bin", 0, SHAPE))
    blocks: list[tuple[BlockId, bytes]] = []
    buffer = memoryview(bytearray(sealed_size(SHAPE.chunk_size)))
    while (sealed := sealer.next_chunk(buffer)) is not None:
        chunk, _, pages = sealed
        blocks += [(chunk.id, bytes(chunk.data)), *((page.id, page.block) for page in pages)]
    file = sealer.finish()
    blocks += [(page.id, page.block) for page in file.pages]
    return file.root.cap, blocks


async def store(folder: Path, blocks: list[tuple[BlockId, bytes]]) -> None:
    """Put blocks into a segment store in `folder`, in segments of 16 KiB."""
    entropy = SeededEntropy(1, "store")
    disk = SystemDisk(folder)
    keeper = SegmentStore(disk, workers=InlineWorkers(), clock=TestClock(), entropy=entropy, segment_size=16 * 1024)
    await keeper.open()
    running = asyncio.ensure_future(keeper.run())
    await keeper.put(ClaimId(bytes(16)), blocks)
    running.cancel()
    await keeper.close()


def read_by_hand(folder: Path, cap: Cap) -> subprocess.CompletedProcess[str]:
    """Run the page's program; the file is in `folder/out`."""
    (folder / "cap").write_text(format_cap(cap))
    code = PAGE.read_text("utf-8").split("```python\n")[1].split("```")[0]
    command = [sys.executable, "-I", "-W", "error", "-c", code, "store/segments", "cap", "out"]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("size", [0, 100, 101, 1024, 70_001])
async def test_a_file_is_read_without_capsa(tmp_path: Path, size: int) -> None:
    content = SeededEntropy(2, "content").take(size)
    cap, blocks = seal(content)
    await store(tmp_path, blocks)
    result = read_by_hand(tmp_path, cap)
    assert (result.stdout, result.stderr) == (f"sea.bin: {size} bytes, application/octet-stream\n", "")
    assert (tmp_path / "out").read_bytes() == content


async def test_rot_is_noticed(tmp_path: Path) -> None:
    cap, blocks = seal(bytes(3000))
    await store(tmp_path, blocks)
    [segment] = (tmp_path / "store" / "segments").iterdir()
    data = bytearray(segment.read_bytes())
    data[64 + 88 + 5] ^= 1  # within the first block
    segment.write_bytes(data)
    assert "rotten" in read_by_hand(tmp_path, cap).stderr
