"""What `top` draws, from looks."""

from __future__ import annotations

import pytest

from capsa.core.ids import NodeId
from capsa.core.inquiries import PeerLine, ShortLine, StatusTold
from capsa.faces.cli.drawing.cells import cells
from capsa.faces.cli.drawing.dashboard import Window, dashboard
from capsa.faces.cli.drawing.looks import Look, Traffic, look_as_json
from capsa.faces.cli.drawing.style import Style, plain

ANN, BEN, CLEO = (NodeId(bytes([number]) * 32) for number in (1, 2, 3))
LOOK = Look(
    at=1_700_000_000.0,
    node=ANN,
    peers=(
        PeerLine(ANN, ANN, "Ann", "", "alive", (), 10**9, 2 * 10**9, 0.0),
        PeerLine(BEN, BEN, "Ben", "", "alive", (), 10**9, 2 * 10**9, 2.0),
        PeerLine(CLEO, CLEO, "東京のノード", "", "gone", (), 0, 0, 7300.0),
    ),
    status=StatusTold(True, 1532, 1_600_000_000, 1, 0, 1, 12, "yes", (), 0, True),
    short=(ShortLine(1, 4, 2), ShortLine(3, 4, 10)),
    refilling=True,
    traffic={BEN: Traffic(10**6, 5 * 10**8, 0.0, 182e6, 480, 3), CLEO: Traffic(0, 4096, 0.0, 0.0)},
    disk_free=50 * 10**9,
    disk_size=200 * 10**9,
)
AT_80 = """\
capsa top  Ann                                                node aeaqcaibaeaq
degraded: 12 claims are short of copies; 1 other node does not answer
1,532 blocks, 1.6 GB   disk 50.0 GB of 200 GB free
peers 1 alive, 0 suspect, 1 gone

NODE            STATE  SEEN    FREE      OF         IN        OUT  SENDING
Ann (here)      alive   now  1.0 GB  2.0 GB
Ben             alive   2 s  1.0 GB  2.0 GB              182 MB/s        3
東京のノード     gone   2 h       -       -

2 claims with 1 of 4 copies so far
10 claims with 3 of 4 copies so far
taking back from the others what this node should hold
"""


@pytest.mark.parametrize("colour", [True, False])
def test_the_network_at_80_columns(*, colour: bool) -> None:
    lines = dashboard(LOOK, Window(79), Style(colour=colour))
    assert [plain(line).rstrip() for line in lines] == AT_80.splitlines()
    assert ("\x1b" in "".join(lines)) is colour


@pytest.mark.parametrize("width", [1, 5, 10, 20, 39, 60, 79, 100, 150])
@pytest.mark.parametrize("height", [1, 4, 10, 24])
def test_it_fits_whatever_the_window(width: int, height: int) -> None:
    for lost in (True, False):
        lines = dashboard(LOOK, Window(width, height, keys=True), Style(), lost=lost)
        assert len(lines) <= height
        assert max(map(cells, lines)) <= width


def test_where_there_is_no_room_for_all_nodes_the_rest_is_counted() -> None:
    lines = dashboard(LOOK, Window(79, 12), Style())
    assert "and 2 more nodes" in lines
    assert not any("Ben" in line for line in lines)


def test_the_busiest_come_first_on_demand() -> None:
    def first(window: Window) -> str:
        lines = dashboard(LOOK, window, Style())
        return lines[lines.index("") + 2].split()[0]

    assert (first(Window(79)), first(Window(79, by_traffic=True))) == ("Ann", "Ben")


def test_a_lost_node_is_told() -> None:
    lines = dashboard(LOOK, Window(79), Style(), lost=True)
    assert lines[1] == "the node does not answer; trying again"


def test_a_look_as_json() -> None:
    told = look_as_json(LOOK)
    assert (told["as_of"], told["running"], told["health"]) == ("2023-11-14T22:13:20Z", True, "degraded")
    assert told["short"] == [{"durable": 1, "wanted": 4, "claims": 2}, {"durable": 3, "wanted": 4, "claims": 10}]
    nodes = told["nodes"]
    assert isinstance(nodes, list)
    assert [node["sending_per_second"] for node in nodes] == [None, 182_000_000, 0]
    assert [(node["sent"], node["received"], node["copies"], node["under_way"]) for node in nodes[1:]] == [
        (500_000_000, 1_000_000, 480, 3),
        (4096, 0, 0, 0),
    ]
