from __future__ import annotations

from pathlib import Path

import pytest

from capsa.faces.cli.demo.specimen import is_found_in, make_film, take_specimen


@pytest.mark.parametrize("size", [4096, 3 * 2**20 + 17])
def test_a_film_is_found_where_it_lies_in_the_clear(tmp_path: Path, size: int) -> None:
    film = tmp_path / "film" / "somebody.mkv"
    film.parent.mkdir()
    make_film(film, size)
    assert film.stat().st_size == size
    specimen = take_specimen(film)
    disk = tmp_path / "disk"
    (disk / "deep").mkdir(parents=True)
    (disk / "deep" / "sealed").write_bytes(bytes(size))
    assert not is_found_in(specimen, disk)
    (disk / "deep" / "copy").write_bytes(b"x" * (2**20 - 5) + film.read_bytes())
    assert is_found_in(specimen, disk)


def test_a_name_in_the_clear_is_found_across_the_edge_of_two_reads(tmp_path: Path) -> None:
    source = tmp_path / "holiday.mkv"
    source.write_bytes(bytes(5000))
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "log").write_bytes(b"-" * (2**20 - 4) + b"holiday.mkv")
    assert is_found_in(take_specimen(source), disk)


def test_pieces_that_prove_nothing_are_not_taken(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(bytes(5000))
    assert not take_specimen(source).pieces
