"""Inserting into a tree: against a sorted dict, and by how few pages it touches."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsa.core.catalog.entries import REMOVES_MAX, Dot, Entry, RemovalEntry, order_of
from capsa.core.catalog.pages import PAGE_SIZE_MAX, Inner, PageRef, parse_page
from capsa.core.catalog.reading import lookup
from capsa.core.catalog.update import Update
from capsa.core.ids import block_id
from capsa.core.keys import Label
from capsa.core.names import KEY_SIZE_MAX
from capsa.core.sealing import SEAL_OVERHEAD, unseal
from capsa.errors import FormatError, IntegrityError
from tests.core.catalog.samples import LAPTOP, Shelf, removal, version

names = st.text("ab/é", min_size=1, max_size=4).map(lambda text: "/".join(f"x{part}" for part in text.split("/")))
versions = st.builds(version, names, st.integers(1, 3), st.integers(0, 3))
removals = versions.map(lambda entry: removal(entry, 10 + entry.dot.sequence, entry.dot.index))
batches = st.lists(st.lists(versions | removals, max_size=25), max_size=6)


def reachable(shelf: Shelf, root: PageRef | None) -> dict[bytes, bytes]:
    """Claim ids of all pages of a tree, by page id."""
    found: dict[bytes, bytes] = {}
    ahead = [root] if root else []
    while ahead:
        ref = ahead.pop()
        found[ref.id] = ref.claim
        page = parse_page(unseal(ref.key, Label.SEAL_CATALOG_PAGE, shelf.blocks[ref.id]))
        if isinstance(page, Inner):
            ahead += [child.page for child in page.items]
    return found


@settings(max_examples=60)
@given(batches, st.sampled_from([1024, 1500, 4096]))
def test_batches_equal_a_sorted_dict(batches: list[list[Entry]], page_size_max: int) -> None:
    shelf, model = Shelf(), dict[object, Entry]()
    root: PageRef | None = None
    for batch in batches:
        before = reachable(shelf, root)
        update = shelf.insert(root, batch, page_size_max)
        root = update.root
        model |= {order_of(entry): entry for entry in batch}
        assert shelf.read(root) == sorted(model.values(), key=order_of)
        assert update.entries == len(model)
        after = reachable(shelf, root)
        assert {page.id: page.claim for page in update.pages}.items() == after.items() - before.items()
        assert {ref.id: ref.claim for ref in update.replaced}.items() == before.items() - after.items()


def a_million_like_tree(shelf: Shelf, count: int = 5000) -> Update:
    """Small pages make a tree of few entries as high as one of very many."""
    return shelf.insert(None, [version(f"photos/{number // 100:03}/{number:06}") for number in range(count)], 2048)


def height_of(shelf: Shelf, root: PageRef | None) -> int:
    assert root is not None
    return parse_page(unseal(root.key, Label.SEAL_CATALOG_PAGE, shelf.blocks[root.id])).height


def test_one_more_file_reads_and_writes_one_page_a_level() -> None:
    shelf = Shelf()
    tree = a_million_like_tree(shelf)
    height = height_of(shelf, tree.root)
    assert height >= 3
    for key in ("a", "photos/025/002500a", "z"):
        shelf.forget()
        update = shelf.insert(tree.root, [version(key)], 2048)
        assert len(shelf.asked) == len(update.replaced) == height + 1
        assert len(update.pages) == height + 1
        assert sum(len(page.block) for page in update.pages) < (height + 1) * 2300


def test_a_batch_touches_each_page_once() -> None:
    shelf = Shelf()
    tree = a_million_like_tree(shelf)
    pages = len(reachable(shelf, tree.root))
    shelf.forget()
    update = shelf.insert(tree.root, [version(f"photos/{number // 20:03}/{number}b") for number in range(1000)], 2048)
    assert len(shelf.asked) == len(set(shelf.asked)) == len(update.replaced) <= pages
    assert update.entries == 6000


def test_pages_of_full_size_keep_to_their_bound() -> None:
    shelf = Shelf()
    entries = [version(f"{number:04}/" + "n" * (1 + number % 1000)) for number in range(1, 1500)]
    update = shelf.insert(None, entries, PAGE_SIZE_MAX)
    assert all(len(page.block) <= PAGE_SIZE_MAX + SEAL_OVERHEAD for page in update.pages)
    assert len(update.pages) < 30
    assert shelf.read(update.root) == entries


def test_the_largest_entries_fit_into_pages() -> None:
    shelf = Shelf()
    dots = tuple(Dot(LAPTOP, 2**63 - 1, 2**32 - REMOVES_MAX + index) for index in range(REMOVES_MAX))
    keys = [f"{number:04}".rjust(KEY_SIZE_MAX, "k") for number in range(200)]
    entries = [RemovalEntry(key, Dot(LAPTOP, 2**63 - 1, 2**32 - 1), 2**63 - 1, dots) for key in keys]
    update = shelf.insert(None, entries, PAGE_SIZE_MAX)
    assert all(len(page.block) <= PAGE_SIZE_MAX + SEAL_OVERHEAD for page in update.pages)
    assert shelf.read(update.root) == entries


def test_keys_longer_than_small_pages_still_make_a_tree() -> None:
    shelf = Shelf()
    entries = [version(f"{number:04}".rjust(KEY_SIZE_MAX, "k")) for number in range(33)]
    update = shelf.insert(None, entries, 1024)
    assert shelf.read(update.root) == entries
    assert height_of(shelf, update.root) <= 5


def test_pages_are_named_by_their_bytes_and_have_a_claim_of_their_own() -> None:
    update = a_million_like_tree(Shelf())
    assert all(block_id(page.block) == page.id for page in update.pages)
    assert len({page.claim for page in update.pages}) == len(update.pages)
    assert update.root is not None and update.root.id == update.pages[-1].id


def test_a_repeat_writes_nothing() -> None:
    shelf = Shelf()
    entries = [version(f"k{number}") for number in range(50)]
    first = shelf.insert(None, entries)
    assert shelf.insert(first.root, reversed(entries)) == replace(first, pages=(), replaced=())
    assert shelf.insert(first.root, []) == replace(first, pages=(), replaced=())
    assert shelf.insert(None, []) == Update(None, 0, (), ())


def test_the_old_tree_still_reads() -> None:
    shelf = Shelf()
    old = shelf.insert(None, [version(f"k{number}") for number in range(50)])
    shelf.insert(old.root, [version("k100")])
    assert len(shelf.read(old.root)) == 50


def test_one_dot_cannot_name_two_things() -> None:
    shelf = Shelf()
    root = shelf.insert(None, [version("a")]).root
    with pytest.raises(IntegrityError, match="same name"):
        shelf.insert(root, [version("a", lamport=7)])


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a\n", "e\u0301"])
def test_an_entry_with_an_impossible_key_is_refused(key: str) -> None:
    with pytest.raises(FormatError):
        Shelf().insert(None, [version(key)])


@pytest.mark.parametrize("fields", [{"size": -1}, {"claim": b""}, {"media_type": "text"}, {"lamport": 2**63}])
def test_an_entry_that_no_reader_would_take_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        Shelf().insert(None, [msgspec.structs.replace(version("a"), **fields)])


def test_a_lost_page_can_be_asked_for_again() -> None:
    shelf = Shelf()
    root = shelf.insert(None, [version(f"k{number}") for number in range(50)]).root
    assert root is not None
    steps = lookup(root, "k7")
    assert next(steps) == root
    steps.close()
    assert [entry.key for entry in shelf.drive(lookup(root, "k7"))] == ["k7"]
