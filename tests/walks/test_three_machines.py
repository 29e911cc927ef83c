"""The README's walk of three people, each with a machine of their own; one of whom loses hers, and goes on."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.network import noise
from tests.walks.lan import Lan, lan
from tests.walks.machines import Machine
from tests.walks.readme import walk
from tests.walks.walking import Walker, walking

WALK = walk("three machines")
SEA, FILM = noise(2_500_000), noise(9_000_000)
PHRASE = re.compile(r"(?:\b[a-z]{3,8}\b\s+){24}")
ASKED = {"init": 2, "unlock": 1, "join": 2, "recover": 3, "ls": 1, "get": 1}
"""Which commands of the walk ask a person, and how often at most; no other does."""


def answers(name: str) -> dict[str, str]:
    """What somebody types when asked for a passphrase."""
    secret = f"{name} keeps every scroll"
    return {"New passphrase: ": secret, "The same again: ": secret, "Passphrase of [^\n]*: ": secret}


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path) as street:
        yield street


def belongings(folder: Path) -> None:
    """What a person has in their home folder."""
    (folder / "photos" / "2024").mkdir(parents=True)
    (folder / "photos" / "sea.jpg").write_bytes(SEA)
    (folder / "better.jpg").write_bytes(noise(2_600_000))
    (folder / "photos" / "2024" / "größer 🌊.jpg").write_bytes(noise(70_000))
    (folder / "photos" / "2024" / "latest").symlink_to("größer 🌊.jpg")
    (folder / "photos" / "empty").mkdir()
    (folder / "letters").mkdir()
    (folder / "letters" / "to ben.txt").write_text("Salve!")
    (folder / "letters" / "draft.tmp").write_text("not to be kept")
    (folder / "music").mkdir()
    (folder / "music" / "song").write_bytes(noise(300_000))
    (folder / "film.mkv").write_bytes(FILM)
    (folder / ".capsa-passphrase").write_text("ann keeps every scroll\n")
    (folder / ".capsa-passphrase").chmod(0o600)


def same_tree(one: Path, other: Path) -> bool:
    """Whether two folders have the same files, links, bytes, bits and times."""
    names = sorted(path.relative_to(one) for path in one.rglob("*"))
    if names != sorted(path.relative_to(other) for path in other.rglob("*")):
        return False
    return all(_same(one / name, other / name) for name in names)


def _same(one: Path, other: Path) -> bool:
    mine, theirs = one.lstat(), other.lstat()
    if mine.st_mode != theirs.st_mode:
        return False
    if stat.S_ISLNK(mine.st_mode):
        return one.readlink() == other.readlink()
    if stat.S_ISREG(mine.st_mode):
        return mine.st_mtime_ns == theirs.st_mtime_ns and filecmp.cmp(one, other, shallow=False)
    return True


@pytest.mark.big
def test_three_people_keep_each_others_files_and_one_loses_her_laptop(tmp_path: Path, street: Lan) -> None:
    machines = {name: street.machine(name, answers(name)) for name in ("ann", "ben", "cleo")}
    belongings(machines["ann"].folder)
    lost = next(place for place, block in enumerate(WALK) if block.on == "new laptop")
    with walking(machines) as walker:
        walker.walk(WALK[:lost])
        check_every_day(machines["ann"].folder, machines["ben"].folder, walker)

        kept = lose_the_laptop(walker, tmp_path)
        machines["new laptop"] = street.machine("new laptop", answers("ann"))
        machines["old desktop"] = street.machine("old desktop", answers("ann") | {"24 words: ": the_phrase(walker)})
        assert walker.run("ben", "capsa card > card.txt").code == 0
        walker.walk(WALK[lost:])
        assert same_tree(kept / "photos", machines["new laptop"].folder / "photos")
        check_two_devices(walker)

        asked = {line.command.split()[1]: typed.asked for _, line, typed in walker.typed if typed.asked}
        assert asked == ASKED
        for name in ("new laptop", "ben", "cleo"):
            assert [ended.code for ended in walker.interrupt(name)] == [0]


def check_every_day(ann: Path, ben: Path, walker: Walker) -> None:
    """What Ann and Ben typed did what the page says."""
    assert (ann / "again.jpg").read_bytes() == (ann / "old.jpg").read_bytes() == SEA
    assert (ben / "film.mkv").read_bytes() == FILM
    listed = walker.run("ann", "capsa ls --passphrase-file .capsa-passphrase").shown
    assert "letters/to ben.txt" in listed
    assert "draft.tmp" not in listed
    check_the_night(ann, walker)


def check_the_night(ann: Path, walker: Walker) -> None:
    """The script says nothing while all is well, and names what is not."""
    assert [typed.shown for _, line, typed in walker.typed if line.command == "sh nightly.sh"] == [""]
    (ann / "letters" / "no\nkey").touch()
    (ann / "letters" / "new").touch()
    night = walker.run("ann", "sh nightly.sh")
    assert night.code == 1
    [told] = night.shown.splitlines()
    assert "no\\x0akey" in told
    lines = [json.loads(line) for line in (ann / "put.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines if "error" in line] == ["letters/no\nkey"]
    assert [line["key"] for line in lines if line.get("unchanged") is False] == ["letters/new"]


def lose_the_laptop(walker: Walker, folder: Path) -> Path:
    """All that is left of it is what was printed; returns a copy of what was on it, to compare."""
    ann, kept = walker.machines["ann"].folder, folder / "kept"
    walker.machines["paper"] = Machine(folder / "paper")
    walker.carry("kit.html", "ann", "paper")
    walker.lose("ann")
    ann.rename(kept)
    shutil.rmtree(kept / ".local")
    return kept


def check_two_devices(walker: Walker) -> None:
    """What is put on one shows on the other."""
    devices = ("new laptop", "old desktop")
    for here, there in (devices, devices[::-1]):
        key = f"poem of the {here}"
        (walker.machines[here].folder / key).write_text("Exegi monumentum")
        assert walker.run(here, f"capsa put '{key}'").code == 0
        assert key in walker.run(there, "capsa ls").shown


def the_phrase(walker: Walker) -> str:
    """The 24 words that Ann wrote down."""
    [shown] = [typed.shown for on, line, typed in walker.typed if line.command.startswith("capsa init")]
    found = PHRASE.search(shown)
    assert found, shown
    return " ".join(found[0].split())
