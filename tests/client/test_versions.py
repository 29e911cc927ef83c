"""Which version of a key a number or an id names."""

from __future__ import annotations

import pytest
from msgspec import structs

from capsa.client.versions import ID_LENGTH_MIN, Numbered, number_versions, pick, version_id
from capsa.core.catalog.entries import VersionEntry
from capsa.core.catalog.view import KeyView
from capsa.core.ids import ClaimId
from capsa.errors import CapsaError, NotFoundError, UsageError
from tests.core.catalog.samples import DESKTOP, removal, version

OLD, MIDDLE, NEW = version("a", 1), version("a", 2), version("a", 3)
VIEW = KeyView.of("a", [NEW, OLD, MIDDLE, removal(MIDDLE, 4)])


def test_the_oldest_is_one_and_a_removal_renames_none() -> None:
    assert number_versions(VIEW) == [Numbered(3, NEW), Numbered(1, OLD)]
    assert number_versions(KeyView.of("a", [OLD, MIDDLE, NEW]))[0] == Numbered(3, NEW)


def test_numbers_follow_the_order_of_the_view_between_devices() -> None:
    here, there = version("a", 5, lamport=7), version("a", 1, device=DESKTOP, lamport=7)
    view = KeyView.of("a", [here, there])
    assert [numbered.version for numbered in number_versions(view)] == list(view.versions)
    assert [numbered.number for numbered in number_versions(view)] == [2, 1]


def test_without_a_wish_the_current_version_is_meant() -> None:
    assert pick(VIEW, None) is NEW


@pytest.mark.parametrize("version", [OLD, NEW])
def test_numbers_and_ids_name_versions(version: VersionEntry) -> None:
    [numbered] = [numbered for numbered in number_versions(VIEW) if numbered.version == version]
    name = version_id(numbered.version)
    for wanted in (str(numbered.number), f"0{numbered.number}", name, name[:ID_LENGTH_MIN], name.upper()):
        assert pick(VIEW, wanted) == version


def test_two_versions_that_an_id_fits_are_told_apart_only_by_more_of_it() -> None:
    ids = (ClaimId(bytes(15) + b"\x01"), ClaimId(bytes(15) + b"\x80"))
    twins = [structs.replace(entry, claim=claim) for entry, claim in zip((OLD, NEW), ids, strict=True)]
    view = KeyView.of("a", twins)
    with pytest.raises(UsageError):
        pick(view, "a" * ID_LENGTH_MIN)
    assert pick(view, version_id(twins[0])) == twins[0]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ("0", NotFoundError),
        ("4", NotFoundError),
        ("2", NotFoundError),
        (version_id(MIDDLE), NotFoundError),
        (version_id(version("b")), NotFoundError),
        ("1234567890", NotFoundError),
        ("", UsageError),
        ("-1", UsageError),
        ("latest", UsageError),
        (version_id(NEW)[: ID_LENGTH_MIN - 1], UsageError),
    ],
)
def test_what_names_none_is_told_with_the_way_to_those_that_are(wanted: str, error: type[CapsaError]) -> None:
    with pytest.raises(error) as caught:
        pick(VIEW, wanted)
    assert "capsa history a" in caught.value.hint


def test_a_key_without_versions_has_no_current_one() -> None:
    with pytest.raises(NotFoundError) as caught:
        pick(KeyView.of("a", [OLD, removal(OLD)]), None)
    assert caught.value.message == "Nothing is stored under a."
