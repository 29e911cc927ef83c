"""Which path a key gets, and which links may be made."""

from __future__ import annotations

import pytest

from capsa.core.restore import Place, Selection, check_link
from capsa.errors import RefusedError, UsageError


@pytest.mark.parametrize(
    ("typed", "key", "path"),
    [
        ("photos", "photos/a.jpg", "photos/a.jpg"),
        ("photos/", "photos/2024/a.jpg", "photos/2024/a.jpg"),
        ("photos/2024", "photos/2024/a.jpg", "2024/a.jpg"),
        ("photos/2024/a.jpg", "photos/2024/a.jpg", "a.jpg"),
        ("", "photos/a.jpg", "photos/a.jpg"),
        (".", "a.jpg", "a.jpg"),
        ("./", "a/b/c", "a/b/c"),
        ("cafe\u0301", "caf\u00e9/x", "caf\u00e9/x"),
    ],
)
def test_a_key_lies_where_put_found_it(typed: str, key: str, path: str) -> None:
    assert str(Selection.of(typed).place(key)) == path


@pytest.mark.parametrize("typed", ["/", "/a", "a//b", "..", "a/../b", "a//", "a\nb"])
def test_what_is_no_key_is_no_prefix(typed: str) -> None:
    with pytest.raises(UsageError):
        Selection.of(typed)


@pytest.mark.parametrize(
    "key", ["..", "../x", "a/../x", "./x", "a//x", "/x", "a/", "a\0b", "a/.x.capsa-part", ".x.capsa-part/a"]
)
def test_a_key_that_is_no_path_below_a_folder_is_refused(key: str) -> None:
    """No catalog page with such a key is parsed; this is the last line."""
    with pytest.raises(RefusedError):
        Selection.of(".").place(key)


def test_windows_names_and_what_only_resembles_a_way_out_are_fine() -> None:
    for key in ("CON", "a:b", "end.", "...", "..x", "-rf", "a\\..\\b", "x.capsa-part"):
        assert str(Selection.of(".").place(f"d/{key}")) == f"d/{key}"


@pytest.mark.parametrize(
    ("prefix", "key", "target", "good"),
    [
        ("t", "t/link", "file", True),
        ("t", "t/link", "./a//b/", True),
        ("t", "t/link", ".", True),
        ("t", "t/a/link", "../file", True),
        ("t", "t/a/link", "..", True),
        ("t", "t/a/b/link", "../../c/d", True),
        ("t", "t/a/b/link", ".././../c", True),
        ("t", "t/link", "../t/file", False),
        ("t", "t/link", "..", False),
        ("t", "t/a/link", "../..", False),
        ("t", "t/a/link", "a/../../b", False),
        ("t", "t/a/link", "x/..", False),
        ("t", "t/link", "/etc/passwd", False),
        ("t", "t/link", "/", False),
        ("t", "t/link", "//x", False),
        (".", "link", "t/file", True),
        (".", "link", "../x", False),
        (".", "t/link", "../other/file", True),
        ("t/link", "t/link", "file", True),
        ("t/link", "t/link", "../file", False),
        ("t/u", "t/u/a/link", "../b", True),
        ("t/u", "t/u/a/link", "../../b", False),
    ],
)
def test_a_link_stays_within_the_restored_folder(prefix: str, key: str, target: str, good: bool) -> None:
    place = Selection.of(prefix).place(key)
    if good:
        check_link(place, target)
    else:
        with pytest.raises(RefusedError) as caught:
            check_link(place, target)
        assert target in caught.value.message


def test_a_place_reads_as_a_path() -> None:
    assert str(Place(("a", "b"), "c", 1)) == "a/b/c"
