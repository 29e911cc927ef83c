"""Losing the laptop: a kit on paper, a new folder, and everything back; with real processes."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsa.core.cards import Contact, format_card, make_card, parse_card
from capsa.faces.cli.demo.processes import NodeProcess, Outcome, run, run_well, stop_all
from tests.faces.cli.networks import Network, start, until_alive
from tests.node.network import noise

OTHERS = ("ben", "cleo", "dan")
FILES = {"docs/notes.txt": noise(300), "photos/large.jpg": noise(2_500_000), "photos/empty": b""}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[str, NodeProcess]]:
    """Ann founded the network, and three others keep what she puts."""
    nodes: dict[str, NodeProcess] = {}
    try:
        run_well(tmp_path / "ann", "init", "--name", "Ann", "--copies", "2")
        nodes["ann"] = start(tmp_path / "ann")
        for name in OTHERS:
            invite = run_well(tmp_path / "ann", "invite").last["invite"]
            run_well(tmp_path / name, "join", "--name", name.title(), stdin=invite.encode())
            nodes[name] = start(tmp_path / name)
        until_alive(tmp_path / "ann", 4)
        yield nodes
    finally:
        stop_all(list(nodes.values()))


def put(home: Path, tmp_path: Path, key: str, content: bytes) -> Outcome:
    (tmp_path / "source").write_bytes(content)
    return run_well(home, "put", str(tmp_path / "source"), "--as", key)


def keys(home: Path) -> list[str]:
    return [line["key"] for line in run_well(home, "ls").documents]


def contents(home: Path, tmp_path: Path) -> dict[str, bytes]:
    """All that a home lists, fetched."""
    found = {}
    for line in run_well(home, "ls").documents:
        run_well(home, "get", line["key"], "-o", str(tmp_path / "back"), "--force")
        found[line["key"]] = (tmp_path / "back").read_bytes()
    return found


def test_a_second_device_and_then_a_third_have_everything(tmp_path: Path, nodes: dict[str, NodeProcess]) -> None:
    ann, desk, anew, kit = (tmp_path / name for name in ("ann", "desk", "anew", "kit"))
    for key, content in FILES.items():
        put(ann, tmp_path, key, content)
    assert run_well(ann, "kit", "-o", str(kit)).last == {"path": str(kit), "format": "text"}
    assert stat.S_IMODE(kit.stat().st_mode) == 0o600

    outcome = run_well(desk, "recover", "--kit", str(kit))
    assert {*outcome.last} >= {"owner", "node", "network"}
    assert (outcome.last["files"], outcome.last["answered"], outcome.last["warnings"]) == (3, 4, [])
    nodes["desk"] = start(desk)
    until_alive(desk, 5)
    put(desk, tmp_path, "by the desk", b"desk")
    put(ann, tmp_path, "by the laptop", b"laptop")
    wanted = FILES | {"by the desk": b"desk", "by the laptop": b"laptop"}
    assert keys(desk) == keys(ann) == sorted(wanted)

    nodes["ann"].kill()
    shutil.rmtree(ann)
    nodes["desk"].kill()
    shutil.rmtree(desk)
    outcome = run_well(anew, "recover", "--kit", str(kit))
    assert (outcome.last["files"], outcome.last["answered"], outcome.last["warnings"]) == (5, 3, [])
    assert contents(anew, tmp_path) == wanted
    nodes["anew"] = start(anew)
    put(anew, tmp_path, "later", b"later")
    holders = run_well(anew, "info", "photos/large.jpg").last["holders"]
    assert nodes["anew"].node not in holders
    assert keys(anew) == sorted({*wanted, "later"})


def test_phrase_and_card_do_as_well_as_a_page(network: Network, tmp_path: Path) -> None:
    phrase, page, anew = tmp_path / "phrase", tmp_path / "kit.html", tmp_path / "anew"
    told = run_well(network.home("ben"), "kit").last
    words = enumerate(told["phrase"].split(), 1)
    phrase.write_text("\n".join(f"{place}. {word.upper()}" for place, word in words))
    first = run_well(anew, "recover", "--phrase-file", str(phrase), stdin=told["card"].encode()).last
    assert run_well(network.home("ben"), "kit", "-o", str(page)).last["format"] == "html"
    again = run_well(anew, "recover", "--kit", str(page)).last
    assert (again["node"], again["owner"]) == (first["node"], told["owner"])


def failed(outcome: Outcome, code: int, home: Path) -> None:
    """It ended with this code and one line on stderr, and left no home."""
    assert outcome.code == code, outcome
    assert outcome.stderr.count("\n") == 1
    assert not home.exists()


def test_what_cannot_be_recovered_leaves_nothing(network: Network, tmp_path: Path) -> None:
    ann, anew = network.ann, tmp_path / "anew"
    card = run_well(ann, "card").last["card"]
    phrase = run_well(ann, "kit").last["phrase"]
    run_well(tmp_path / "eve", "init", "--name", "Eve")
    (tmp_path / "eves").write_text(run_well(tmp_path / "eve", "kit").last["phrase"])
    (tmp_path / "anns").write_text(phrase)
    failed(run(anew, "recover", card, "--phrase-file", str(tmp_path / "eves")), 7, anew)

    words = phrase.split()
    (tmp_path / "typo").write_text(" ".join([*words[:6], "xyzzy", *words[7:]]))
    outcome = run(anew, "recover", card, "--phrase-file", str(tmp_path / "typo"))
    failed(outcome, 2, anew)
    assert "Word 7" in outcome.stderr
    assert "xyzzy" not in outcome.stderr

    true = parse_card(card)
    nowhere = tuple(Contact(one.node, one.owner, ("tcp://127.0.0.1:9",)) for one in true.members)
    stale = format_card(make_card(true.founding_statement, true.secret, nowhere))
    failed(run(anew, "recover", stale, "--phrase-file", str(tmp_path / "anns")), 6, anew)

    with start(tmp_path / "eve") as stranger:
        mixed = tuple(Contact(one.node, one.owner, (stranger.listen[0],)) for one in true.members[:1])
        there = make_card(true.founding_statement, true.secret, (*mixed, *true.members[1:]))
        outcome = run_well(anew, "recover", format_card(there), "--phrase-file", str(tmp_path / "anns"))
        assert outcome.last["answered"] >= 3
    assert run(network.home("ben"), "recover", card, "--phrase-file", str(tmp_path / "anns")).code == 7
    assert (network.home("ben") / "home.json").exists()


def test_a_kit_never_replaces_a_file(tmp_path: Path) -> None:
    run_well(tmp_path / "ann", "init")
    (tmp_path / "kit.txt").write_text("mine")
    assert run(tmp_path / "ann", "kit", "-o", str(tmp_path / "kit.txt")).code == 7
    assert (tmp_path / "kit.txt").read_text() == "mine"
