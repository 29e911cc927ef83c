"""Reading one tree: ranges, and pages that are not what their parent says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core.catalog.pages import Child, Inner, Leaf, Page, PageRef, parse_page, seal_page
from capsa.core.catalog.reading import Cursor, KeyRange, lookup
from capsa.core.ids import ClaimId
from capsa.core.keys import Label
from capsa.core.sealing import unseal
from capsa.errors import FormatError, IntegrityError
from tests.core.catalog.samples import DESKTOP, SECRET, Shelf, version

KEYS = [f"photos/{year}/{number:03}" for year in (2021, 2022, 2023) for number in range(100)]
CLAIM = ClaimId(bytes(16))


def test_a_prefix_touches_only_its_pages() -> None:
    shelf = Shelf()
    root = shelf.insert(None, [version(key) for key in KEYS]).root
    shelf.forget()
    found = shelf.read(root, KeyRange.under("photos/2022/01"))
    assert [entry.key for entry in found] == [f"photos/2022/01{digit}" for digit in range(10)]
    assert len(shelf.asked) <= 14 < len(shelf.blocks) // 5


def test_a_key_is_found_with_all_its_versions_over_many_leaves() -> None:
    shelf = Shelf()
    versions = [version("same", number) for number in range(1, 30)]
    root = shelf.insert(None, [version("saint"), *versions, version("same/no"), version("samf")]).root
    assert shelf.drive(lookup(root, "same")) == tuple(versions)
    assert shelf.drive(lookup(root, "sam")) == ()
    assert shelf.drive(lookup(None, "same")) == ()


@given(
    st.sets(st.text("ab\U0010ffff/", min_size=1, max_size=4).map(lambda t: t.replace("/", "-"))),
    st.text("ab\U0010ffff", max_size=2),
    st.text("ab", max_size=3),
)
def test_ranges_are_what_their_names_say(keys: set[str], prefix: str, after: str) -> None:
    assert {key for key in keys if key in KeyRange.under(prefix)} == {key for key in keys if key.startswith(prefix)}
    assert {key for key in keys if key in KeyRange.only(prefix)} == keys & {prefix}
    continued = KeyRange.under(prefix).after(after)
    assert {key for key in keys if key in continued} == {k for k in keys if k.startswith(prefix) and k > after}


def test_reading_continues_after_a_failure() -> None:
    shelf = Shelf()
    root = shelf.insert(None, [version(key) for key in KEYS]).root
    cursor = Cursor(root, KeyRange())
    first = shelf.drive(cursor.next_leaf())
    failing = cursor.next_leaf()
    next(failing)
    with pytest.raises(ConnectionError):
        failing.throw(ConnectionError())
    rest = [entry for leaf in iter(lambda: shelf.drive(cursor.next_leaf()), ()) for entry in leaf]
    assert [entry.key for entry in (*first, *rest)] == KEYS


def leaf(*keys: str) -> Leaf:
    return Leaf(tuple(version(key) for key in keys))


def sealed(shelf: Shelf, page: Page) -> Child:
    child, new = seal_page(page, SECRET, CLAIM)
    shelf.blocks[new.id] = new.block
    return child


def moved(child: Child, *, key: str | None = None, entries: int | None = None) -> Child:
    """A child that its parent describes wrongly."""
    return Child(key or child.key, child.dot, child.page, entries or child.entries)


LIES: dict[str, Callable[[Shelf], Inner]] = {
    "another first key": lambda s: Inner(1, (moved(sealed(s, leaf("b")), key="a"), sealed(s, leaf("c")))),
    "another count": lambda s: Inner(1, (moved(sealed(s, leaf("b")), entries=2), sealed(s, leaf("c")))),
    "another height": lambda s: Inner(2, (sealed(s, leaf("b")), sealed(s, leaf("c")))),
    "reaches into its sibling": lambda s: Inner(1, (sealed(s, leaf("a", "d")), sealed(s, leaf("c")))),
    "ends with its sibling's first": lambda s: Inner(1, (sealed(s, leaf("a", "c")), sealed(s, leaf("c")))),
    "reaches into its parent's sibling": lambda s: Inner(
        2,
        (
            sealed(s, Inner(1, (sealed(s, leaf("a")), sealed(s, leaf("b", "z"))))),
            sealed(s, Inner(1, (sealed(s, leaf("c")), sealed(s, leaf("d"))))),
        ),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_is_not_what_its_parent_says_is_refused(lie: str) -> None:
    shelf = Shelf()
    root = sealed(shelf, LIES[lie](shelf)).page
    with pytest.raises(FormatError, match="parent describes"):
        shelf.read(root)
    with pytest.raises(FormatError, match="parent describes"):
        shelf.insert(root, [version("aa"), version("bb"), version("cc")])


def test_pages_out_of_order_are_refused() -> None:
    shelf = Shelf()
    for page in (leaf("b", "a"), leaf("a", "a"), Inner(1, (sealed(shelf, leaf("b")), sealed(shelf, leaf("a"))))):
        with pytest.raises(FormatError, match="order"):
            shelf.read(sealed(shelf, page).page)


def test_a_page_opens_only_with_its_key() -> None:
    shelf = Shelf()
    good = sealed(shelf, leaf("a")).page
    with pytest.raises(IntegrityError):
        shelf.read(PageRef(good.id, bytes(32), good.claim))
    shelf.blocks[good.id] = b"\x01" + bytes(40)
    with pytest.raises(IntegrityError):
        shelf.read(good)


def test_no_representation_shows_a_key() -> None:
    shelf = Shelf()
    update = shelf.insert(None, [version(key, device=DESKTOP) for key in KEYS])
    assert update.root is not None
    page = parse_page(unseal(update.root.key, Label.SEAL_CATALOG_PAGE, shelf.blocks[update.root.id]))
    assert isinstance(page, Inner)
    shown = repr((update, page, version("a")))
    for secret in (update.root.key, page.items[0].page.key, version("a").root_key):
        assert secret.hex() not in shown and repr(secret) not in shown
