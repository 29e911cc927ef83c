"""The union of devices' catalogs: what is visible, what is current, and that the order of devices is nothing to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from capsa.core.catalog.entries import Dot, Entry, RemovalEntry
from capsa.core.catalog.pages import PageRef
from capsa.core.catalog.reading import KeyRange
from capsa.core.catalog.view import KeyView, UnionCursor, look_up
from tests.core.catalog.samples import DESKTOP, LAPTOP, Shelf, removal, version

versions = st.builds(
    version,
    st.sampled_from(["a", "b", "b/c", "d"]),
    st.integers(1, 3),
    st.integers(0, 2),
    device=st.sampled_from([LAPTOP, DESKTOP]),
)
removals = st.builds(removal, versions, st.integers(4, 6), device=st.sampled_from([LAPTOP, DESKTOP]))
catalogs = st.lists(versions | removals, unique_by=lambda entry: (entry.key, entry.dot), max_size=20)


def union(shelf: Shelf, *roots: PageRef | None, keys: KeyRange | None = None) -> list[KeyView]:
    cursor = UnionCursor(roots, keys or KeyRange())
    return list(iter(lambda: shelf.drive(cursor.next_key()), None))


@settings(max_examples=60)
@given(catalogs, catalogs, catalogs)
def test_union_is_commutative_associative_and_idempotent(a: list[Entry], b: list[Entry], c: list[Entry]) -> None:
    shelf = Shelf()
    one, two, three = (shelf.insert(None, entries).root for entries in (a, b, c))
    whole = union(shelf, one, two, three)
    assert union(shelf, three, one, two) == union(shelf, two, one, three, one) == whole
    together = {(entry.key, entry.dot): entry for entry in (*a, *b)}
    if all(together[entry.key, entry.dot] == entry for entry in (*a, *b)):  # no forks
        assert union(shelf, shelf.insert(two, a).root, three) == whole
    assert [view.key for view in whole] == sorted({entry.key for entry in (*a, *b, *c)})
    assert whole == [KeyView.of(view.key, [entry for entry in (*c, *b, *a) if entry.key == view.key]) for view in whole]


def test_the_current_version_is_the_highest_lamport_then_dot() -> None:
    old, new = version("a", 1, lamport=5), version("a", 9, lamport=4)
    tied = version("a", 1, device=DESKTOP, lamport=5)
    view = KeyView.of("a", [new, old, tied])
    assert view.versions == (tied, old, new)
    assert view.current is tied
    assert view.lamport == 5


def test_a_removal_ends_what_it_names_and_nothing_else() -> None:
    named, unseen = version("a", 1), version("a", 1, device=DESKTOP)
    view = KeyView.of("a", [removal(named, lamport=9), named, unseen])
    assert (view.versions, view.removed, view.lamport) == ((unseen,), (named,), 9)


def test_what_was_removed_does_not_come_back_with_an_old_catalog() -> None:
    shelf = Shelf()
    old = shelf.insert(None, [version("a")]).root
    new = shelf.insert(old, [removal(version("a"))]).root
    assert shelf.drive(look_up([old, new], "a")).current is None
    assert shelf.drive(look_up([old], "a")).current is not None
    assert shelf.drive(look_up([old, new], "b")) == KeyView("b", (), (), 0)


def test_a_removal_may_name_several_versions() -> None:
    versions = [version("a", number) for number in (1, 2, 3)]
    ended = RemovalEntry("a", Dot(DESKTOP, 1, 0), 9, tuple(entry.dot for entry in versions[:2]))
    assert KeyView.of("a", [*versions, ended]).versions == (versions[2],)


def test_a_prefix_of_the_union() -> None:
    shelf = Shelf()
    one = shelf.insert(None, [version("a/1"), version("b/1")]).root
    two = shelf.insert(None, [version("a/2", device=DESKTOP), version("a/1", device=DESKTOP)]).root
    assert [(v.key, len(v.versions)) for v in union(shelf, one, two, keys=KeyRange.under("a/"))] == [
        ("a/1", 2),
        ("a/2", 1),
    ]
