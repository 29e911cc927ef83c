"""The demo's picture of its nodes."""

from __future__ import annotations

import pytest

from capsa.faces.cli.demo.stage import Actor, stage
from capsa.faces.cli.drawing.cells import cells
from capsa.faces.cli.drawing.style import Style, plain

ACTORS = (
    Actor("Ann", kept=256_000_000, sending=259e6),
    Actor("Ben", alive=False, kept=128_000_000),
    Actor("Cleo", kept=128_000_000, receiving=85e6),
    Actor("Eve", fetched=64_000_000, receiving=70e6),
)
AT_80 = """\
 Ann  ━━━━━━━━━━━━━━━━━━━━━━━━━━━      256 MB kept                 out 259 MB/s
 Ben  is dead
 Cleo ━━━━━━━━━━━━━╸─────────────      128 MB kept  in 85.0 MB/s
 Eve  ━━━━━━━────────────────────  64.0 MB fetched  in 70.0 MB/s
"""
AT_40 = """\
 Ann  ━━━━━━━━━━━━━━━━      256 MB kept
 Ben  is dead
 Cleo ━━━━━━━━────────      128 MB kept
 Eve  ━━━━────────────  64.0 MB fetched
"""


@pytest.mark.parametrize(("columns", "drawing"), [(80, AT_80), (40, AT_40)])
@pytest.mark.parametrize("colour", [True, False])
def test_each_node_has_a_line(columns: int, drawing: str, *, colour: bool) -> None:
    lines = stage(ACTORS, 256_000_000, columns - 1, Style(colour=colour))
    assert [plain(line) for line in lines] == drawing.splitlines()


@pytest.mark.parametrize("width", range(1, 40))
def test_no_line_is_ever_wider_than_there_is_room(width: int) -> None:
    assert max(cells(line) for line in stage(ACTORS, 0, width, Style())) <= width
