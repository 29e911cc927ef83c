"""Exclusions against gitignore(5): every row of the tables is what `git check-ignore` says of it."""

from __future__ import annotations

import pytest

from capsa.client.puts.ignore import IGNORE_SIZE_MAX, NO_RULES, Rules
from capsa.errors import UsageError


def of_file(content: str, folder: str = "", rules: Rules = NO_RULES) -> Rules:
    return rules.within(folder, content.encode(), ".capsaignore")


@pytest.mark.parametrize(
    ("pattern", "excluded", "kept"),
    [
        ("foo", ["foo", "foo/", "a/foo", "a/b/foo/"], ["food", "a/afoo", "foo2/"]),
        ("foo/", ["foo/", "a/foo/"], ["foo", "a/foo"]),
        ("/foo", ["foo", "foo/"], ["a/foo", "a/foo/"]),
        ("a/foo", ["a/foo", "a/foo/"], ["b/a/foo", "foo"]),
        ("a/foo/", ["a/foo/"], ["a/foo", "b/a/foo/"]),
        ("*.o", ["x.o", ".o", "a/x.o", "x.o/"], ["x.oo", "o"]),
        ("a/*.o", ["a/x.o"], ["a/b/x.o", "x.o"]),
        ("x?", ["xy", "a/x1"], ["x", "xyz", "x/"]),
        ("[ab].c", ["a.c", "d/b.c"], ["c.c", "ab.c"]),
        ("[!ab].c", ["c.c"], ["a.c", "d/b.c"]),
        ("a[!b]c", ["axc", "d/axc"], ["abc", "a/c"]),
        ("**/foo", ["foo", "a/foo", "a/b/foo/"], ["food"]),
        ("foo/**", ["foo/x", "foo/a/b", "foo/a/"], ["foo", "foo/", "a/foo/x"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/"], ["b", "c/a/b", "a/x/bb"]),
        ("*", ["a", "a/", "a/b"], []),
        ("*/", ["a/", "a/b/"], ["a", "a/b"]),
        ("**", ["a", "a/b/"], []),
        ("\\#x", ["#x"], ["x"]),
        ("\\!x", ["!x"], ["x"]),
        ("foo\\ ", ["foo "], ["foo"]),
        ("foo   ", ["foo"], ["foo "]),
        ("a b", ["a b", "c/a b"], ["a", "b"]),
        ("café", ["café", "x/café"], ["cafe"]),
        ("caf\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}", ["caf\N{LATIN SMALL LETTER E WITH ACUTE}"], ["cafe"]),
        ("#foo", [], ["foo", "#foo"]),
        ("", [], ["a", "a/"]),
    ],
)
def test_a_pattern_fits_what_git_says(pattern: str, excluded: list[str], kept: list[str]) -> None:
    rules = of_file(f"{pattern}\n")
    judged = {path: rules.exclude(path.removesuffix("/"), is_folder=path.endswith("/")) for path in [*excluded, *kept]}
    assert judged == dict.fromkeys(excluded, True) | dict.fromkeys(kept, False)


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        ("*.o\n!keep.o", "keep.o", False),
        ("!keep.o\n*.o", "keep.o", True),
        ("*\n!*/\n!*.c", "a/x.c", False),
        ("*\n!*/\n!*.c", "a/x.h", True),
        ("*\n!*/\n!*.c", "a/", False),
        ("*/\n!a/", "a/b/", True),
        ("/foo\n!foo/bar", "foo/bar", False),
        ("x\n!/foo", "foo/x", True),
        ("a\r\nb\r\n", "b", True),
        ("\ufeffa\n", "a", True),
    ],
)
def test_the_last_pattern_that_fits_decides(lines: str, path: str, excluded: bool) -> None:
    assert of_file(lines).exclude(path.removesuffix("/"), is_folder=path.endswith("/")) is excluded


def test_inner_files_come_after_outer_ones_and_the_command_line_after_all() -> None:
    rules = Rules.of(["*.tmp", "!/a/b/given.log"])
    top = of_file("*.log\n/top\n", rules=rules)
    outer = of_file("!*.log\n/top\n", "a", top)
    inner = of_file("*.log\n!x.tmp\n", "a/b", outer)
    paths = {
        top: ("x.log", "top"),
        outer: ("a/x.log", "a/top"),
        inner: ("a/b/x.log", "a/b/given.log", "a/b/x.tmp", "a/b/top"),
    }
    said = {path: rules.exclude(path, is_folder=False) for rules in paths for path in paths[rules]}
    assert said == {
        "x.log": True,
        "a/x.log": False,
        "a/b/x.log": True,
        "a/b/given.log": False,
        "a/b/x.tmp": True,
        "top": True,
        "a/top": True,
        "a/b/top": False,
    }


@pytest.mark.parametrize("pattern", ["!", "/", "//", "foo\\", "foo[", "[z-a]", "[[:alpha:]]"])
def test_what_is_no_pattern_is_named_with_its_place(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"^photos/\.capsaignore, line 3, is not a pattern"):
        NO_RULES.within("photos", f"*.o\n\n{pattern}\n".encode(), "photos/.capsaignore")
    with pytest.raises(UsageError, match=r"^--exclude .* is not a pattern"):
        Rules.of(["good", pattern])


def test_a_file_of_patterns_has_a_bound_and_is_text() -> None:
    line = b"#" * (IGNORE_SIZE_MAX - 4)
    assert NO_RULES.within("", line + b"\nfoo", "there").exclude("foo", is_folder=False)
    with pytest.raises(UsageError, match="there has more than 65536 bytes"):
        NO_RULES.within("", line + b"\n food", "there")
    with pytest.raises(UsageError, match="there is not UTF-8"):
        NO_RULES.within("", b"caf\xe9\n", "there")


def test_without_patterns_nothing_is_excluded() -> None:
    assert Rules.of([]) == NO_RULES
    assert not NO_RULES.exclude("anything", is_folder=True)
