from __future__ import annotations

from pathlib import Path

import pytest

from capsa.errors import UsageError
from capsa.faces.cli.remembered import Remembered, read_remembered, write_remembered


@pytest.mark.parametrize(
    "options",
    [
        Remembered(),
        Remembered(listen=(), peers=(), capacity=0, zone=""),
        Remembered(("tcp://0.0.0.0:4747", "tcp://[::1]:0"), ("tcp://a:1",), 2**62, 'Søren\'s "attic" 🏠 \\'),
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
        ("http = 1", "listen, peers, capacity, zone"),
        ("capacity = -1", "200GB"),
        ("capacity = true", "200GB"),
        ("capacity = 'much'", "200GB"),
        ("listen = 'tcp://a:1'", "listen ="),
        ("peers = [1]", "peers ="),
        ("zone = 3", "zone ="),
        ("zone = ", "Mend"),
        ("x" * 70000, "Mend"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error_that_helps(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "capsa.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_remembered(tmp_path)
    assert hint in caught.value.hint
