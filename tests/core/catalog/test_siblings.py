"""Keys completed as they are typed: against the plain answer, on any two catalogs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from capsa.core.catalog.entries import Entry
from capsa.core.catalog.siblings import Siblings
from tests.core.catalog.samples import DESKTOP, Shelf, removal, version

parts = st.sampled_from(["a", "b", "ab", "b0", "b."])
keys = st.lists(parts, min_size=1, max_size=3).map("/".join)


def names(shelf: Shelf, siblings: Siblings) -> list[str]:
    return list(iter(lambda: shelf.drive(siblings.next_name()), None))


@settings(max_examples=100)
@given(
    st.sets(keys, max_size=12), st.sets(keys, max_size=12), st.sets(keys), st.sampled_from(["", "a", "b", "b/", "x"])
)
def test_names_are_those_of_all_keys_cut_at_the_next_slash(
    here: set[str], there: set[str], gone: set[str], prefix: str
) -> None:
    shelf = Shelf()
    entries: list[Entry] = [version(key) for key in here]
    entries += [removal(version(key)) for key in gone & here]
    roots = [
        shelf.insert(None, entries).root,
        shelf.insert(None, [version(key, device=DESKTOP) for key in there]).root,
    ]
    left = [key for key in (here - gone) | there if key.startswith(prefix)]
    expected = {prefix + "".join(key[len(prefix) :].partition("/")[:2]) for key in left}
    assert names(shelf, Siblings(roots, prefix)) == sorted(expected)


def test_a_large_folder_is_leapt_over() -> None:
    shelf = Shelf()
    root = shelf.insert(None, [version(key) for key in ("a", *(f"b/{n:05}" for n in range(5000)), "c")]).root
    shelf.forget()
    assert names(shelf, Siblings([root], "")) == ["a", "b/", "c"]
    assert len(shelf.asked) < 20
