"""The picture of a put and of a get, drawn from facts: what it shows at 80, 40 and 20 columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capsa.faces.cli.drawing.cells import cells
from capsa.faces.cli.drawing.picture import NODES_MAX, Facts, Share, picture
from capsa.faces.cli.drawing.style import Style, plain

PUT = Facts(
    label="put",
    done=1_600_000_000,
    total=2_600_000_000,
    rate=182e6,
    current="holiday/日本/film 🎬.mkv",
    files=(3, 12),
    copies=(2.74, 4),
    nodes=(
        Share("here", 1_600_000_000, 182e6, 1532, home=True),
        Share("Ben", 1_400_000_000, 167e6, 1404),
        Share("Cleopatra the Seventh", 990_000_000, 118e6, 990),
        Share("東京のノード", 20_000, 1e3, 1),
    ),
)
GET = Facts(
    label="get",
    done=150_000_000,
    total=None,
    rate=50e6,
    nodes=(Share("Ben", 120_000_000, 40e6), Share("Cleo", 30_000_000, 10e6)),
)
AT_80 = """\
put  holiday/日本/film 🎬.mkv                    3 of 12 files, 2.7 of 4 copies
  62 %            ━━━━━━━━━━━━━╸────────  1.6 GB of 2.6 GB  182 MB/s   5 s left
 here             ━━━━━━━━━━━━━╸────────      1,532 blocks  182 MB/s
 Ben              ━━━━━━━━━━━━──────────      1,404 blocks  167 MB/s
 Cleopatra the S… ━━━━━━━━╸─────────────        990 blocks  118 MB/s
 東京のノード     ╸─────────────────────           1 block  1.0 kB/s
"""
AT_40 = """\
put  holiday/日本/fil…  2.7 of 4 copies
  62 %         ━━━━━━━━╸─────  182 MB/s
 here          ━━━━━━━━╸─────  182 MB/s
 Ben           ━━━━━━━╸──────  167 MB/s
 Cleopatra th… ━━━━━╸────────  118 MB/s
 東京のノード  ╸─────────────  1.0 kB/s
"""
AT_20 = """\
put  holiday/日本/…
  62 %  ━━━━━━━────
 here   ━━━━━━━────
 Ben    ━━━━━━─────
 Cleop… ━━━━───────
 東京…  ╸──────────
"""
GET_AT_80 = """\
get
 total                                                        150 MB  50.0 MB/s
 Ben   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━        120 MB  40.0 MB/s
 Cleo  ━━━━━━━━━━━━───────────────────────────────────       30.0 MB  10.0 MB/s
"""


@pytest.mark.parametrize(
    ("facts", "columns", "drawing"), [(PUT, 80, AT_80), (PUT, 40, AT_40), (PUT, 20, AT_20), (GET, 80, GET_AT_80)]
)
@pytest.mark.parametrize("colour", [True, False])
def test_the_picture(facts: Facts, columns: int, drawing: str, *, colour: bool) -> None:
    lines = picture(facts, columns - 1, Style(colour=colour))
    assert [plain(line).rstrip() for line in lines] == drawing.splitlines()
    assert ("\x1b" in "".join(lines)) is colour


@pytest.mark.parametrize("facts", [PUT, GET, replace(PUT, done=0, rate=0.0, nodes=(), copies=None)])
@pytest.mark.parametrize("width", [*range(1, 60), 200])
def test_no_line_is_ever_wider_than_there_is_room(facts: Facts, width: int) -> None:
    for style in (Style(colour=True), Style(drawn=False)):
        assert max(cells(plain(line)) for line in picture(facts, width, style)) <= width


def test_without_unicode_it_is_ascii() -> None:
    facts = replace(PUT, current="film.mkv", nodes=(Share("here", 10**9, 0.0, 5, home=True),))
    lines = picture(facts, 79, Style(drawn=False))
    assert all(line.isascii() for line in lines)
    assert "=====-" in lines[1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rate": 0.0}, ("62 %", "1.6 GB of 2.6 GB")),
        ({"done": 2_600_000_000}, ("100 %", "finishing")),
        ({"done": 1300 * 10**6, "rate": 1e6}, ("50 %", "21 min 40 s left")),
        ({"total": 0, "done": 0}, ("total", "0 B")),
    ],
)
def test_the_whole_is_told_first(changes: dict[str, float], told: tuple[str, ...]) -> None:
    line = picture(replace(PUT, **changes), 100, Style())[1]  # type: ignore[arg-type]
    assert [text for text in told if text not in line] == []


@pytest.mark.parametrize(
    ("files", "told"), [((0, None), ""), ((1, 1), ""), ((1200, None), "1,200 files done"), ((3, 12), "3 of 12 files")]
)
def test_several_files_are_counted(files: tuple[int, int | None], told: str) -> None:
    title = picture(replace(PUT, current="", files=files, copies=None), 79, Style())[0]
    assert title.removeprefix("put").strip() == told


def test_more_nodes_than_there_is_room_for_are_counted() -> None:
    nodes = [Share(f"node {number}", 1, 0.0, 1) for number in range(NODES_MAX + 1)]
    assert len(picture(replace(PUT, nodes=nodes[:-1]), 79, Style())) == 2 + NODES_MAX
    lines = picture(replace(PUT, nodes=nodes), 79, Style())
    assert len(lines) == 2 + NODES_MAX
    assert lines[-1].strip() == "and 2 more"
