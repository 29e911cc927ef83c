"""The walks as the README has them: none that no test takes, none that nobody understands."""

from __future__ import annotations

import pytest

from tests.walks.readme import README, Line, blocks_of, unmarked, walk

TAKEN = {"one machine", "three machines", "behind a router"}
"""The walks that the tests of this folder take."""


def test_every_command_of_the_readme_but_the_set_up_is_typed_by_a_test() -> None:
    page = README.read_text("utf-8")
    assert {block.walk for block in blocks_of(page)} == TAKEN
    [set_up] = unmarked(page)
    assert [line.split()[0] for line in set_up.splitlines()] == ["make", "make", "export"]


def test_marks_are_read() -> None:
    mark = "<!-- walk: one, on: ben, brings: b.txt from ann -->"
    page = f"{mark}\n```sh\ncapsa up     # his\n\ncapsa ls\n```\n```sh\nls\n```\n"
    [block] = blocks_of(page)
    assert (block.walk, block.on, block.brings, block.script) == ("one", "ben", ("b.txt", "ann"), None)
    assert block.lines == [Line("capsa up", "his"), Line("capsa ls", "")]
    assert unmarked(page) == ["ls\n"]


@pytest.mark.parametrize("mark", ["walk: one, on: ben, brought: b.txt", "walk: one", "a comment"])
def test_a_mark_that_nobody_understands_is_refused(mark: str) -> None:
    with pytest.raises(ValueError, match=mark):
        blocks_of(f"<!-- {mark} -->\n```sh\ncapsa up\n```\n")


def test_a_walk_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AssertionError, match="no walk"):
        walk("seven machines")
