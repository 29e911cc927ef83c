"""File pages: frozen forms, and everything that must be refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from capsa.core.ids import BlockId
from capsa.core.pages import (
    PAGE_SIZE_MAX,
    Entry,
    Kind,
    Page,
    Root,
    Shape,
    check_name,
    decode_page,
    encode_page,
    height_of,
    parse_page,
    parse_root,
)
from capsa.core.sealing import pad
from capsa.core.tree import Metadata, TreeBuilder, folder_root, inline_root, link_root, seal_page
from capsa.errors import FormatError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "pages.json").read_text())
SECRET = bytes.fromhex(VECTORS["secret"])
SMALL = Shape(**VECTORS["small_shape"])
METADATA = Metadata("a file.png", "image/png", 1, 0o644)


def _parent(length: int) -> Entry:
    return Entry(BlockId(bytes(32)), bytes(32), length)


def _small_root() -> Root:
    builder = TreeBuilder(SECRET, shape=SMALL)
    for _ in range(5):
        builder.add(Entry(BlockId(bytes(32)), bytes(32), SMALL.chunk_size))
    return builder.finish(METADATA, bytes(32))[0]


@pytest.mark.parametrize("vector", VECTORS["roots"], ids=lambda vector: vector["what"])
def test_roots_are_frozen(vector: dict[str, Any]) -> None:
    plaintext = bytes.fromhex(vector["plaintext"])
    root = parse_root(pad(plaintext))
    assert encode_page(root) == plaintext
    sealed = seal_page(SECRET, root)
    assert (sealed.id.hex(), sealed.key.hex()) == (vector["id"], vector["key"])
    assert sealed.cap.root == sealed.id and sealed.cap.key == sealed.key
    assert root.kind == vector["kind"]
    assert len(root.entries) == vector["entries"]
    for field in ("size", "name", "media_type", "mtime_ns", "mode", "link_target", "height"):
        assert getattr(root, field) == vector[field]


@pytest.mark.parametrize("vector", VECTORS["root_fails"], ids=lambda vector: vector["why"])
def test_other_roots_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        parse_root(bytes.fromhex(vector["padded"]))


@pytest.mark.parametrize("vector", VECTORS["pages"], ids=lambda vector: vector["what"])
def test_inner_pages_are_frozen(vector: dict[str, Any]) -> None:
    plaintext = bytes.fromhex(vector["plaintext"])
    page = parse_page(pad(plaintext), _parent(vector["length"]), vector["height"], _small_root(), SMALL)
    assert page.height == vector["height"]
    assert encode_page(page) == plaintext


@pytest.mark.parametrize("vector", VECTORS["page_fails"], ids=lambda vector: vector["why"])
def test_other_inner_pages_are_refused(vector: dict[str, Any]) -> None:
    padded = bytes.fromhex(vector["padded"])
    with pytest.raises(FormatError):
        parse_page(padded, _parent(vector["length"]), vector["height"], _small_root(), SMALL)


def test_the_largest_page_fits_and_a_larger_one_is_refused_unread() -> None:
    full = Page(0, tuple(Entry(BlockId(b"\xff" * 32), b"\xff" * 32, 2**63 - 1, 255) for _ in range(1024)))
    assert len(pad(encode_page(full))) <= PAGE_SIZE_MAX
    assert decode_page(Page, pad(encode_page(full))) == full
    with pytest.raises(FormatError):
        decode_page(Page, bytes(PAGE_SIZE_MAX + 1))
    with pytest.raises(FormatError):
        decode_page(Page, pad(encode_page(Page(0, (*full.entries, full.entries[0])))))


def test_the_largest_root_fits() -> None:
    root = inline_root(Metadata("n" * 255, "a/" + "b" * 127, 2**63 - 1, 0o777), b"\xff" * 65536)
    assert parse_root(pad(encode_page(root))) == root


def test_mode_is_cut_to_permission_bits() -> None:
    assert inline_root(Metadata("x", "text/plain", 0, 0o104755), b"").mode == 0o755


def test_kinds() -> None:
    assert parse_root(pad(encode_page(link_root(METADATA, "../x")))).kind is Kind.LINK
    assert parse_root(pad(encode_page(folder_root(METADATA)))).kind is Kind.FOLDER


@pytest.mark.parametrize("target", ["", "a\0b", "x" * 4097, "\ud800"])
def test_impossible_link_targets_are_refused(target: str) -> None:
    with pytest.raises(FormatError):
        link_root(METADATA, target)


@pytest.mark.parametrize("name", ["a", "...", ".hidden", "é" * 127, "a b", "C:\\x", "名前.txt"])
def test_names_that_are_one_part(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0", "\x1b[31m", "\x7f", "é" * 128, "\udc80"])
def test_names_that_are_not(name: str) -> None:
    with pytest.raises(FormatError):
        check_name(name)


@pytest.mark.parametrize(("size", "height"), [(1, 0), (4096, 0), (4097, 1), (16384, 1), (16385, 2), (4**6 * 1024, 5)])
def test_height(size: int, height: int) -> None:
    assert height_of(size, SMALL) == height


def test_a_tree_is_at_most_five_high() -> None:
    with pytest.raises(FormatError):
        height_of(4**6 * 1024 + 1, SMALL)


def test_representations_show_neither_keys_nor_content() -> None:
    root = inline_root(METADATA, b"canary in the content")
    entry = Entry(BlockId(bytes(32)), b"canary in the key, thirty-two by", 1)
    sealed = seal_page(SECRET, root)
    shown = repr(root) + repr(Page(0, (entry,))) + repr(sealed)
    assert "canary" not in shown
    assert repr(sealed.key)[2:-1] not in shown
    assert root.digest == blake3(b"canary in the content").digest()
