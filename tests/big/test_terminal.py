"""Whole sessions at a terminal, in tmux: nothing wraps, nothing is garbled, nothing stays; with and without colour."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from capsa.faces.cli.demo.specimen import digest_of
from capsa.faces.cli.drawing.cells import cells
from capsa.faces.cli.grammar import COMMANDS
from tests.big.tmux import Sight, Window
from tests.faces.cli.networks import Network, running_network

pytestmark = pytest.mark.big

FILM_SIZE = 300_000_000
"""Enough to look at while it is on its way: seconds."""
PHOTOS = 300
SECONDS = r"\d+\.\d s"
COPIED = f"300 MB in {SECONDS}, 3 copies"
NARROW = 40
GATE = "read _ < gate; cat > got"
"""What takes the bytes of a get once it is let: until then they are on their way."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network"), "9GB") as network:
        yield network


def make_film(path: Path) -> Path:
    """A film that nobody has yet."""
    with path.open("wb") as file:
        for _ in range(FILM_SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))
    return path


def make_photos(folder: Path) -> None:
    chance = random.Random(os.urandom(8))
    for number in range(PHOTOS):
        path = folder / ("Sommer 日本" if number % 2 else "winter") / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randint(1_000, 300_000)))


def drawn(sight: Sight) -> bool:
    """Whether the picture of a put is there, with a line for each node; no line takes more than there is room for."""
    return all(text in sight for text in (" here  ", " Ben  ", " Cleo "))


def ends_with_picture(sight: Sight, columns: int) -> bool:
    """Whether the last lines are a whole picture that fits. When a window becomes narrower, tmux wraps what is there
    before it tells the new size: pieces of the picture before may stay above."""
    last = sight.told[-5:]
    heads = ("put  ", " ", " here  ", " Ben   ", " Cleo  ")
    return len(last) == 5 and all(
        line.startswith(head) and cells(line) < columns for line, head in zip(last, heads, strict=True)
    )


def is_painted(sight: Sight) -> bool:
    """Whether there is any colour, or bold or faint text."""
    return "\x1b[" in sight.painted


def matches(sight: Sight, *patterns: str) -> bool:
    """Whether it told just these lines."""
    told = sight.told
    return len(told) == len(patterns) and all(map(re.fullmatch, patterns, told))


@pytest.fixture(params=[{}, {"NO_COLOR": "1"}], ids=["colour", "no colour"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    return dict(request.param)


def test_files_go_in_and_come_out(network: Network, room: Path, environment: dict[str, str]) -> None:
    film = make_film(room / "film.mkv")
    make_photos(room / "photos")
    key = f"film{len(environment)}"
    with Window(room, network.ann, environment) as window:
        window.begin(f"capsa put film.mkv --as {key}")
        assert is_painted(window.until(drawn)) is (not environment)
        assert matches(window.end(), rf"{key}: {COPIED}")

        told = window.run(f"capsa put -r photos --as p{key}").told
        assert re.fullmatch(rf"{PHOTOS} files: {PHOTOS} new; [\d.]+ MB in {SECONDS}, 3 copies", told[-1])
        assert len(told) == PHOTOS + 1
        assert matches(window.run(f"capsa put -r photos --as p{key}"), f"{PHOTOS} files: {PHOTOS} unchanged; 3 copies")

        told = window.run(f"capsa get -r p{key} -o back").told
        assert len(told) == PHOTOS + 1
        assert re.fullmatch(rf"back: {PHOTOS} new; [\d.]+ MB in {SECONDS}", told[-1])
        assert matches(window.run(f"capsa share {key} --quiet > cap"))

    with Window(room / "eve", network.home("eve"), environment) as window:
        os.mkfifo(room / "eve" / "gate")
        window.begin(f"capsa get --cap-file ../cap -o - | ({GATE})")
        sight = window.until(lambda sight: " Ben " in sight or " Cleo " in sight)
        assert "of 300 MB" in sight
        assert is_painted(sight) is (not environment)
        (room / "eve" / "gate").write_text("\n")
        assert matches(window.end())
        assert digest_of(room / "eve" / "got") == digest_of(film)
        assert matches(window.run("capsa get --cap-file ../cap -o all"), rf"all: 300 MB in {SECONDS}")


def test_top_fills_the_screen_and_gives_it_back(network: Network, room: Path, environment: dict[str, str]) -> None:
    with Window(room, network.ann, environment) as window:
        window.begin("capsa top")
        sight = window.until(lambda sight: "q quits" in sight)
        assert (sight.alternate, sight.cursor_shown) == (True, False)
        assert is_painted(sight) is (not environment)
        for columns in (NARROW, 20, 120, 80):
            window.resize(columns, 20)
            sight = window.until(lambda sight: bool(sight.lines[0]) and not sight.wrapped, whole=False)
            assert sight.alternate
        window.press("s")
        window.until(lambda sight: "s sorts as listed" in sight)
        window.press("q")
        assert matches(window.end())


def test_what_is_told_of_the_network_and_of_a_file(network: Network, room: Path, environment: dict[str, str]) -> None:
    (room / "sea.jpg").write_bytes(os.urandom(2_000_000))
    with Window(room, network.ann, environment) as window:
        assert matches(window.run("capsa put sea.jpg --new-version"), rf"sea.jpg: 2.0 MB in {SECONDS}, 3 copies")
        told = whole(window.run("capsa peers")).told
        assert [line.split()[0] for line in told[::2]] == ["Ann", "Ben", "Cleo", "Eve"]
        assert whole(window.run("capsa status")).told[0] == "ok"
        assert " 2.0 MB  " in whole(window.run("capsa ls sea"))
        told = whole(window.run("capsa info sea.jpg")).told
        assert told[0] == "sea.jpg"
        assert told[2] == "  3 blocks, each in 3 copies or more; 3 wanted"
        assert whole(window.run("capsa history sea.jpg")).told[0].endswith("  3 of 3 copies  current")
        sight = whole(window.run("capsa doctor"))
        assert sight.told[-1] == "Nothing is wrong."
        assert is_painted(sight) is (not environment)
        told = whole(window.run("capsa kit --quiet")).told
        assert "CAPSA RECOVERY KIT" in told
        assert max(line.count("█") for line in told) > 10


def test_help_at_a_terminal(network: Network, room: Path) -> None:
    with Window(room, network.ann, {}) as window:
        assert whole(window.run("capsa --help")).told[0].startswith("usage: capsa [-h]")
        for command in COMMANDS:
            assert whole(window.run(f"capsa {command.name} --help")).told[0].startswith(f"usage: capsa {command.name}")


def test_the_demo_at_a_terminal(room: Path, environment: dict[str, str]) -> None:
    with Window(room, room / "nowhere", environment) as window:
        window.begin("capsa demo --size 20MB")
        sight = window.until(lambda sight: all(f" {name} " in sight for name in ("Ann", "Ben", "Cleo", "Dan", "Eve")))
        assert is_painted(sight) is (not environment)
        window.until(lambda sight: " is dead" in sight)
        told = window.end().told
        assert [line for line in told if line.startswith((" 1. ", "10. "))] != []
        assert not [line for line in told if "─" in line or " is dead" in line]  # nothing of the picture
        assert told[-2].startswith("Done in ")
        assert window.code == 0


def test_a_narrow_terminal(network: Network, room: Path) -> None:
    make_film(room / "film.mkv")
    with Window(room, network.ann, {}, NARROW) as window:
        window.begin("capsa put film.mkv --as narrow")
        window.until(drawn)
        assert matches(window.end(), rf"narrow: {COPIED}")
        for command in ("peers", "status", "doctor", "--help", "put --dry-run film.mkv"):
            whole(window.run(f"capsa {command}"))
            assert window.code == 0


def test_a_terminal_that_is_resized_while_a_put_draws(network: Network, room: Path) -> None:
    make_film(room / "film.mkv")
    with Window(room, network.ann, {}) as window:
        window.begin("capsa put film.mkv --as resized")
        for columns in (80, NARROW, 100, 30):
            window.resize(columns)
            window.until(partial(ends_with_picture, columns=columns), whole=False)
        window.resize(80)
        assert re.fullmatch(rf"resized: {COPIED}", window.end().told[-1])
        assert window.code == 0


def test_a_put_whose_terminal_is_closed_ends_in_order_and_is_taken_up(network: Network, room: Path) -> None:
    film = make_film(room / "film.mkv")
    with Window(room, network.ann, {}) as window:
        window.begin("capsa put film.mkv --as closed")
        window.until(drawn)
        [command] = window.children
    wait_for_end(command)
    with Window(room, network.ann, {}) as window:
        assert matches(window.run("capsa put film.mkv --as closed"), rf"closed: {COPIED}")
        assert matches(window.run("capsa get closed -o got"), rf"got: 300 MB in {SECONDS}")
    assert digest_of(room / "got") == digest_of(film)


@pytest.mark.parametrize("prefix", ["TERM=dumb ", "TERM= "])
def test_a_terminal_that_cannot_draw(network: Network, room: Path, prefix: str) -> None:
    (room / "sea.jpg").write_bytes(os.urandom(2_000_000))
    with Window(room, network.ann, {}) as window:
        sight = window.run(f"{prefix}capsa put sea.jpg --as {len(prefix)}.jpg")
        assert matches(sight, rf"{len(prefix)}.jpg: 2.0 MB in {SECONDS}, 3 copies")
        told = whole(window.run(f"{prefix}capsa top")).told
        assert told[0].startswith("capsa top  Ann ")
        assert "q quits" not in told[-1]


def test_what_goes_to_a_file_is_plain(network: Network, room: Path) -> None:
    (room / "sea.jpg").write_bytes(os.urandom(2_000_000))
    with Window(room, network.ann, {}) as window:
        for command in ("put sea.jpg --as plain.jpg", "top --count 2", "doctor", "get nothing", "demo --size 4kB"):
            assert matches(window.run(f"capsa {command} > told 2>&1"))
            told = (room / "told").read_text()
            assert told.strip()
            assert not re.search(r"[^\n\x20-\x7e\u00a0-\uffff]", told)


def whole(sight: Sight) -> Sight:
    """A sight in which no line is wrapped."""
    assert not sight.wrapped
    return sight


def wait_for_end(process: int) -> None:
    """Until a process is gone; the suite's own time limit is the deadline."""
    while Path(f"/proc/{process}").exists():
        time.sleep(0.02)
