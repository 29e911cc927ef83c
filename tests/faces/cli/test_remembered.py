from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from capsa.errors import UsageError
from capsa.faces.cli.remembered import Remembered, read_remembered, write_remembered


@pytest.mark.parametrize(
    "options",
    [
        Remembered(),
        Remembered(listen=(), peers=(), advertise=(), capacity=0, zone=""),
        Remembered(
            ("tcp://0.0.0.0:4747", "tcp://[::1]:0"),
            ("tcp://a:1",),
            ("tcp://b.example:2",),
            2**62,
            'Søren\'s "attic" 🏠 # \\',
        ),
    ],
)
def test_what_was_remembered_is_read_again(tmp_path: Path, options: Remembered) -> None:
    write_remembered(tmp_path, options)
    assert read_remembered(tmp_path) == options


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    assert read_remembered(tmp_path) == Remembered()


def test_people_may_write_sizes_as_they_say_them(tmp_path: Path) -> None:
    (tmp_path / "capsa.toml").write_text('capacity = "200GB"\n')
    assert read_remembered(tmp_path).capacity == 200 * 10**9


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("capasity = 1", "'capacity'"),
        ("http = 1", "listen, peers, advertise, capacity, zone"),
        ("capacity = -1", "200GB"),
        ("capacity = true", "200GB"),
        ("capacity = 'much'", "200GB"),
        ("listen = 'tcp://a:1'", "listen ="),
        ("peers = [1]", "peers ="),
        ("zone = 3", "zone ="),
        ('zone = "\\u202e"', "control"),
        ("zone = ", "Mend"),
        ("capacity = 99999999999999999999", "200GB"),
        ("listen = ['udp://a:1']", "tcp://host:port"),
        ("listen = ['none', 'tcp://a:1']", "Leave out"),
        ("advertise = ['tcp://0.0.0.0:4747']", "home.example.net"),
        ("advertise = ['tcp://a:0']", "home.example.net"),
        ("peers = ['tcp://[::]:1']", "home.example.net"),
        (f"advertise = {[f'tcp://h{number}:1' for number in range(17)]}", "fewer"),
        (f"peers = ['tcp://{'h' * 260}:1']", "256"),
        ("x" * 70000, "Mend"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error_that_helps(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "capsa.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_remembered(tmp_path)
    assert hint in caught.value.hint
    assert "capsa.toml" in caught.value.message


@pytest.mark.parametrize("text", ['listen = "none"', 'listen = ["none"]', "listen = []"])
def test_nowhere_is_written_in_several_ways(tmp_path: Path, text: str) -> None:
    (tmp_path / "capsa.toml").write_text(text)
    assert read_remembered(tmp_path).listen == ()


EDITED = """\
# My node.
zone = 'attic # two'   # the house

"capacity" = "200GB"  # all that there is
listen = [
    "tcp://0.0.0.0:4747",  # everywhere
]
# the end"""


def test_comments_and_order_stay_where_a_person_put_them(tmp_path: Path) -> None:
    (tmp_path / "capsa.toml").write_text(EDITED)
    before = read_remembered(tmp_path)
    write_remembered(tmp_path, replace(before, zone="cellar", listen=(), peers=("tcp://a:1",)))
    assert (
        (tmp_path / "capsa.toml").read_text()
        == """\
# My node.
zone = "cellar"  # the house

"capacity" = "200GB"  # all that there is
listen = []
# the end
peers = ["tcp://a:1"]
"""
    )


def test_a_file_that_says_so_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "capsa.toml").write_text(EDITED)
    before = (tmp_path / "capsa.toml").stat()
    write_remembered(tmp_path, read_remembered(tmp_path))
    after = (tmp_path / "capsa.toml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "text",
    [
        'zone = """\\\n  listen = []"""\ncapacity = 1\n',
        '"z\\u006fne" = "attic"\n',
        "listen = [\n'tcp://a:1', # capacity = 3\n'tcp://b:2']\n",
    ],
)
def test_however_a_file_was_written_it_says_what_it_is_to_say(tmp_path: Path, text: str) -> None:
    (tmp_path / "capsa.toml").write_text(text)
    wanted = Remembered(("tcp://a:1",), (), (), 5, "cellar")
    write_remembered(tmp_path, wanted)
    assert read_remembered(tmp_path) == wanted


def test_every_setting_is_explained_in_a_new_file_and_set_in_its_place(tmp_path: Path) -> None:
    write_remembered(tmp_path, Remembered(capacity=7))
    lines = (tmp_path / "capsa.toml").read_text().splitlines()
    for field in fields(Remembered):
        assert sum(line.removeprefix("# ").startswith(f"{field.name} = ") for line in lines) == 1
    write_remembered(tmp_path, Remembered(capacity=7, zone="attic"))
    changed = (tmp_path / "capsa.toml").read_text().splitlines()
    assert [line for line in changed if line not in lines] == ['zone = "attic"']
    assert len(changed) == len(lines)


def test_a_link_to_a_file_elsewhere_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").write_text("capacity = 1\n")
    (tmp_path / "capsa.toml").symlink_to("elsewhere.toml")
    write_remembered(tmp_path, Remembered(capacity=2))
    assert (tmp_path / "capsa.toml").is_symlink()
    assert (tmp_path / "elsewhere.toml").read_text() == "capacity = 2\n"


def test_a_fifo_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "capsa.toml")
    assert read_remembered(tmp_path) == Remembered()
