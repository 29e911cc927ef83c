"""`peers` and `status`, as people read them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from capsa.core.inquiries import PeerLine, StatusTold
from capsa.faces.cli.commands.network import in_order, judge_health, peer_lines, status_lines
from capsa.faces.cli.drawing.cells import cells

NODE = bytes(range(32))
ANN = PeerLine(NODE, NODE, "Ann", "", "alive", (), 0, 0, 0.0)
BEN = PeerLine(NODE, NODE, "Ben", "attic", "alive", ("tcp://192.168.1.17:4747",), 10**9, 10**12, 42.0)
CLEO = PeerLine(
    NODE, NODE, "東京\nCleo", "", "gone", tuple(f"tcp://[2001:db8::{n}]:4747" for n in range(1, 5)), 5, 999, -1.0
)
PEERS = """\
Ann (here)    alive    seen now       keeps nothing for others
  aaaqeayeauda  does not listen
Ben           alive    seen 42 s ago  1.0 GB of 1.0 TB free
  aaaqeayeauda  zone attic  tcp://192.168.1.17:4747
東京\\x0aCleo  gone     never seen     5 B of 999 B free
  aaaqeayeauda  tcp://[2001:db8::1]:4747, tcp://[2001:db8::2]:4747 and 2 more
"""
FINE = StatusTold(True, 1, 1000, 2, 0, 0, 0, "yes", ("tcp://0.0.0.0:4747",), 0, True)
STATUS = """\
ok
  node       aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq
  stored     1 block, 1.0 kB
  peers      2 alive, 0 suspect, 0 gone
  reachable  yes, from outside
  keys       locked
  listens    tcp://0.0.0.0:4747
"""


def test_a_node_takes_two_lines() -> None:
    assert peer_lines([ANN, BEN, CLEO], 80) == PEERS.splitlines()


def test_the_space_of_a_node_is_told_whole_or_not_at_all() -> None:
    assert peer_lines([BEN], 50)[0] == "Ben (here)  alive    seen 42 s ago"
    assert peer_lines([BEN], 59)[0] == "Ben (here)  alive    seen 42 s ago  1.0 GB of 1.0 TB free"


def test_this_node_comes_first_and_the_others_by_name() -> None:
    dora, anna = replace(BEN, name="dora"), replace(BEN, name="Anna")
    assert in_order([BEN, dora, CLEO, anna]) == [BEN, anna, dora, CLEO]


@pytest.mark.parametrize("width", [20, 33, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = replace(BEN, name="n" * 300, addresses=("tcp://" + "a" * 300, "tcp://b:1"), zone="z" * 300)
    for lines in (
        peer_lines([ANN, long, CLEO], width),
        status_lines(replace(FINE, alive=0, gone=3), NODE, "open", width),
    ):
        assert max(map(cells, lines)) <= width


def test_a_status_that_is_fine() -> None:
    assert status_lines(FINE, NODE, "locked", 80) == STATUS.splitlines()


@dataclass(frozen=True)
class Amiss:
    changes: dict[str, object]
    health: str
    reason: str


@pytest.mark.parametrize(
    "amiss",
    [
        Amiss({"underreplicated": 1}, "degraded", "1 claim is short of copies"),
        Amiss({"underreplicated": 1200}, "degraded", "1,200 claims are short of copies"),
        Amiss({"full": True}, "degraded", "the disk is full: nothing new is stored on it"),
        Amiss({"damaged": 1}, "degraded", "1 block on this disk is damaged"),
        Amiss({"suspect": 1}, "degraded", "1 other node does not answer"),
        Amiss({"suspect": 1, "gone": 1}, "degraded", "2 other nodes do not answer"),
        Amiss({"admitted": False}, "degraded", "not admitted to the network yet"),
        Amiss({"alive": 0}, "alone", "no other node answers: what is stored now lies here only"),
    ],
)
def test_what_is_amiss_is_told_in_words(amiss: Amiss) -> None:
    health, reasons = judge_health(replace(FINE, **amiss.changes))
    assert (health, reasons) == (amiss.health, [amiss.reason])
    assert status_lines(replace(FINE, **amiss.changes), NODE, "open", 80)[0] == f"{amiss.health}: {amiss.reason}"
