"""Sealing: the same bytes under one secret give the same blocks, however they come; nothing of them shows."""

from __future__ import annotations

import io

import pytest

from capsa.client.puts.sealer import FileSealer, Manner, SealedFile, seal_small
from capsa.client.puts.sources import StreamSource
from capsa.core.ids import BlockId, block_id
from capsa.core.keys import Label
from capsa.core.pages import Shape, parse_root
from capsa.core.sealing import sealed_size, unseal
from capsa.errors import ChangedError
from tests.node.network import SMALL, noise

SIZES = [0, 1, 255, 256, 257, 4095, 4096, 4097, 8192, 200_000]


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def readinto(self, buffer: object) -> int:
        return super().readinto(memoryview(buffer)[:700])  # type: ignore[arg-type]


def manner(secret: bytes = bytes(32), name: str = "film.bin", shape: Shape = SMALL) -> Manner:
    return Manner(secret, name, 1_000_000_000, shape)


def seal(stream: io.BytesIO, how: Manner) -> tuple[SealedFile, list[tuple[BlockId, bytes]]]:
    """A file, sealed, and all of its blocks in the order in which they leave."""
    sealer = FileSealer(StreamSource(stream), how)
    blocks: list[tuple[BlockId, bytes]] = []
    while (sealed := sealer.next_chunk(memoryview(bytearray(sealed_size(how.shape.chunk_size))))) is not None:
        chunk, _, pages = sealed
        blocks += [(chunk.id, bytes(chunk.data)), *((page.id, bytes(page.block)) for page in pages)]
    file = sealer.finish()
    return file, [*blocks, *((page.id, bytes(page.block)) for page in file.pages)]


@pytest.mark.parametrize("size", SIZES)
def test_blocks_do_not_depend_on_how_the_bytes_come(size: int) -> None:
    whole, trickled = seal(io.BytesIO(noise(size)), manner()), seal(Trickle(noise(size)), manner())
    assert whole[1] == trickled[1] and whole[0].root.id == trickled[0].root.id
    assert (whole[0].size, whole[1][-1][0]) == (size, whole[0].root.id)
    assert all(block_id(data) == block for block, data in whole[1])


@pytest.mark.parametrize("size", [size for size in SIZES if size <= SMALL.inline_max])
def test_a_small_file_in_one_step_is_the_same_block(size: int) -> None:
    stepwise, _ = seal(io.BytesIO(noise(size)), manner())
    at_once = seal_small(StreamSource(io.BytesIO(noise(size))), size, manner())
    assert at_once.root.id == stepwise.root.id and len(at_once.pages) == 1


def test_a_small_file_that_grew_is_said_to_have_changed() -> None:
    with pytest.raises(ChangedError):
        seal_small(StreamSource(io.BytesIO(noise(101))), 100, manner())


def test_another_secret_gives_other_blocks_throughout() -> None:
    _, mine = seal(io.BytesIO(noise(20_000)), manner())
    _, theirs = seal(io.BytesIO(noise(20_000)), manner(b"x" * 32))
    assert not {block for block, _ in mine} & {block for block, _ in theirs}


def test_content_and_name_show_in_no_block() -> None:
    canary = b"a canary that sings in plain text "
    _, blocks = seal(io.BytesIO(canary * 500), manner(name="canary-name.txt"))
    assert not any(canary in data or b"canary-name" in data for _, data in blocks)


def test_the_root_says_what_the_file_is() -> None:
    file, blocks = seal(io.BytesIO(b"\x89PNG\r\n\x1a\n" + noise(9000)), manner(name="picture"))
    root = parse_root(unseal(file.root.key, Label.SEAL_PAGE, blocks[-1][1]), SMALL)
    assert (root.name, root.media_type, root.size, root.mtime_ns) == ("picture", "image/png", 9008, 1_000_000_000)
    assert root.digest == file.digest
