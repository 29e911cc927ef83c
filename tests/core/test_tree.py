"""Trees: canonical when built, and walked page by page over any range."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.chunks import is_chunk, open_chunk
from capsa.core.ids import BlockId, block_id
from capsa.core.keys import Label
from capsa.core.pages import Entry, Page, Root, Shape, encode_page, parse_root
from capsa.core.sealing import pad, seal, unseal
from capsa.core.tree import Metadata, TreeBuilder, TreeWalk, WantedChunk, WantedPage, inline_root, seal_page
from capsa.errors import FormatError, IntegrityError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "pages.json").read_text())
SECRET = bytes.fromhex(VECTORS["secret"])
SHAPE = Shape(**VECTORS["small_shape"])
METADATA = Metadata("a file.png", "image/png", 1_700_000_000_123_456_789, 0o640)
DIGEST = blake3(b"digest").digest()


def _entry(index: int, length: int) -> Entry:
    return Entry(BlockId(blake3(b"id%d" % index).digest()), blake3(b"key%d" % index).digest(), length)


def _build(chunks: int, last: int, shape: Shape = SHAPE) -> tuple[Root, dict[bytes, bytes]]:
    """A tree over chunks that need not exist, and its pages' blocks by id."""
    builder = TreeBuilder(SECRET, shape=shape)
    pages = []
    for index in range(chunks):
        pages += builder.add(_entry(index, shape.chunk_size if index < chunks - 1 else last))
    root, rest = builder.finish(METADATA, DIGEST)
    return root, {page.id: page.block for page in pages + rest}


def _walk(root: Root, pages: dict[bytes, bytes], start: int, stop: int | None) -> tuple[list[WantedChunk], int]:
    """The chunks that a walk names, and how many pages it asked for."""
    walk = TreeWalk(root, start=start, stop=stop, shape=SHAPE)
    chunks, asked = [], 0
    while (step := walk.next()) is not None:
        if isinstance(step, WantedPage):
            assert walk.next() == step
            walk.feed(unseal(step.entry.key, Label.SEAL_PAGE, pages[step.entry.id]))
            asked += 1
        else:
            chunks.append(step)
    return chunks, asked


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda vector: str(vector["chunks"]))
def test_trees_are_frozen(vector: dict[str, Any]) -> None:
    root, pages = _build(vector["chunks"], vector["last"])
    assert root.height == vector["height"]
    assert [page.hex() for page in pages] == vector["pages"]
    sealed = seal_page(SECRET, root)
    assert sealed.id.hex() == vector["root"]
    assert parse_root(unseal(sealed.key, Label.SEAL_PAGE, sealed.block), SHAPE) == root


@given(st.integers(1, 300), st.integers(101, 1024), st.data())
def test_a_walk_names_exactly_the_chunks_of_its_range(chunks: int, last: int, data: st.DataObject) -> None:
    root, pages = _build(chunks, last)
    start = data.draw(st.integers(0, root.size))
    stop = data.draw(st.none() | st.integers(0, root.size + 5))
    found, asked = _walk(root, pages, start, stop)
    end = root.size if stop is None else min(stop, root.size)
    wanted = range(start // 1024, -(-end // 1024)) if start < end else range(0)
    assert [chunk.offset // 1024 for chunk in found] == list(wanted)
    assert [chunk.entry for chunk in found] == [
        _entry(index, last if index == chunks - 1 else 1024) for index in wanted
    ]
    units = [1024 * 4 ** (height + 1) for height in range(root.height)] if found else []
    assert asked == sum(-(-end // unit) - start // unit for unit in units)


def test_a_middle_byte_costs_one_page_a_level() -> None:
    root, pages = _build(4**5, 1024)
    found, asked = _walk(root, pages, 500_000, 500_001)
    assert (len(found), asked, root.height) == (1, 4, 4)


def test_pages_come_as_soon_as_another_entry_follows() -> None:
    builder = TreeBuilder(SECRET, shape=SHAPE)
    counts = [len(builder.add(_entry(index, 1024))) for index in range(21)]
    assert counts == [0] + [0, 0, 0, 1] * 4 + [0, 0, 0, 2]
    assert builder.size == 21 * 1024


def test_a_file_inside_its_root_has_no_chunks() -> None:
    assert TreeWalk(inline_root(METADATA, b"hello")).next() is None
    assert TreeWalk(inline_root(METADATA, b"")).next() is None


def test_a_tree_higher_than_five_is_refused_while_it_is_built() -> None:
    shape = Shape(chunk_size=1024, fanout=2, inline_max=0)
    builder = TreeBuilder(SECRET, shape=shape)
    for index in range(2**6):
        builder.add(_entry(index, 1024))
    with pytest.raises(FormatError):
        builder.add(_entry(0, 1024))
    assert builder.finish(METADATA, DIGEST)[0].height == 5


def test_a_chunk_may_not_follow_a_short_one() -> None:
    builder = TreeBuilder(SECRET, shape=SHAPE)
    builder.add(_entry(0, 1000))
    with pytest.raises(AssertionError):
        builder.add(_entry(1, 24))


def test_a_page_in_the_wrong_place_is_refused() -> None:
    root, _ = _build(17, 1024)
    walk = TreeWalk(root, shape=SHAPE)
    assert isinstance(walk.next(), WantedPage)
    leaf = Page(0, tuple(_entry(index, 1024) for index in range(4)))
    with pytest.raises(FormatError):
        walk.feed(pad(encode_page(leaf)))
    assert isinstance(walk.next(), WantedPage)


def test_a_page_that_names_itself_does_not_loop() -> None:
    """A hash makes it impossible; a reader that trusts nothing still ends, since heights count down."""
    root, _ = _build(4**3 + 1, 1024)
    walk = TreeWalk(root, shape=SHAPE)
    steps = 0
    with pytest.raises(FormatError):
        while isinstance(step := walk.next(), WantedPage):
            walk.feed(pad(encode_page(Page(2, (step.entry,) * 4))))
            steps += 1
    assert steps <= 1


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("size", [1, 9, 1000, 1024])
def test_chunks_open_and_are_recognised(size: int, suite: int) -> None:
    plaintext = bytes(index % 251 for index in range(size))
    block, key = seal(SECRET, Label.SEAL_CHUNK, plaintext, suite)
    entry = Entry(block_id(block), key, size)
    buffer = memoryview(bytearray(4096))
    assert open_chunk(entry, block) == plaintext
    assert open_chunk(entry, block, buffer) == plaintext
    assert buffer[:size] == plaintext
    assert is_chunk(entry, plaintext)
    assert not is_chunk(entry, plaintext[:-1])
    assert not is_chunk(entry, plaintext[:-1] + b"\xff")


def test_chunks_of_another_length_or_key_are_refused() -> None:
    block, key = seal(SECRET, Label.SEAL_CHUNK, bytes(9))
    with pytest.raises(FormatError):
        open_chunk(Entry(block_id(block), key, 1000), block)
    with pytest.raises(IntegrityError):
        open_chunk(Entry(block_id(block), bytes(32), 9), block)
    tail, key = seal(SECRET, Label.SEAL_CHUNK, b"ten bytes!")
    with pytest.raises(FormatError):
        open_chunk(Entry(block_id(tail), key, 9), tail)


@pytest.mark.parametrize("name", ["", "../x", "a/b"])
def test_metadata_with_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        Metadata(name, "text/plain", 0, 0)
