"""Surveys: many keys at once come to what each alone would, and cost few pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsa.core.catalog.entries import Entry
from capsa.core.catalog.survey import Standing, survey
from capsa.core.catalog.view import look_up
from capsa.core.pages import Kind
from tests.core.catalog.samples import DESKTOP, LAPTOP, Shelf, removal, version

KEYS = ["a", "a b", "a/b", "a/b/c", "a0", "b", "b/c", "b/d/e", "z"]
versions = st.builds(
    version,
    st.sampled_from(KEYS),
    st.integers(1, 2),
    st.integers(0, 2),
    device=st.sampled_from([LAPTOP, DESKTOP]),
    kind=st.sampled_from(Kind),
)
removals = st.builds(removal, versions, st.integers(4, 6), device=st.sampled_from([LAPTOP, DESKTOP]))
catalogs = st.lists(versions | removals, unique_by=lambda entry: (entry.key, entry.dot), max_size=12)


@settings(max_examples=60)
@given(catalogs, catalogs, st.sets(st.sampled_from(KEYS)))
def test_many_keys_stand_as_each_alone(one: list[Entry], two: list[Entry], keys: set[str]) -> None:
    shelf = Shelf()
    roots = [shelf.insert(None, entries).root for entries in (one, two)]
    together = shelf.drive(survey(roots, keys))
    assert together.keys() == keys
    for key, standing in together.items():
        assert shelf.drive(survey(roots, [key])) == {key: standing}
        assert standing.current == shelf.drive(look_up(roots, key)).current


def test_a_survey_reads_each_page_at_most_once_and_those_that_matter_only() -> None:
    shelf = Shelf()
    root = shelf.insert(None, [version(f"k/{number:04}") for number in range(400)]).root
    pages = len(shelf.blocks)
    shelf.forget()
    shelf.drive(survey([root], [f"k/{number:04}" for number in range(400)]))
    assert len(shelf.asked) == len(set(shelf.asked)) <= pages
    shelf.forget()
    found = shelf.drive(survey([root], ["k/0100", "k/0101", "k/0399", "j", "l/1"]))
    assert len(shelf.asked) < pages // 4
    assert [found[key].current is not None for key in ("k/0100", "k/0101", "k/0399", "j")] == [True, True, True, False]


def test_an_empty_catalog_has_nothing_against_a_key() -> None:
    assert Shelf().drive(survey([None], ["a"])) == {"a": Standing()}


CLASHES = [
    ("a", Kind.FILE, None),
    ("a/b", Kind.FILE, None),
    ("a/b/c", Kind.FILE, "a/b"),
    ("a/b/c/d", Kind.FOLDER, "a/b"),
    ("x", Kind.FILE, "x/y/z"),
    ("x/y", Kind.LINK, "x/y/z"),
    ("x/y", Kind.FOLDER, None),
    ("x/y/w", Kind.FILE, None),
    ("empty/a", Kind.FILE, None),
    ("link/a", Kind.FILE, "link"),
    ("gone/a", Kind.FILE, None),
    ("a-b/c", Kind.FILE, None),
]


@pytest.mark.parametrize(("key", "kind", "clash"), CLASHES)
def test_a_key_that_is_anothers_folder_is_found(key: str, kind: Kind, clash: str | None) -> None:
    shelf = Shelf()
    gone = version("gone")
    laptop = [version("a/b"), version("empty", kind=Kind.FOLDER), version("link", kind=Kind.LINK), gone]
    if key == "a":
        laptop = laptop[1:]
    one = shelf.insert(None, laptop).root
    two = shelf.insert(None, [version("x/y/z", device=DESKTOP), removal(gone, device=DESKTOP)]).root
    assert shelf.drive(survey([one, two], [key]))[key].clash(kind) == clash
