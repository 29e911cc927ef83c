"""The demo's file, and the pieces of it by which one would know it on somebody else's disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

_PIECE_SIZE: Final = 32
_PIECES_MAX: Final = 8
_DISTINCT_BYTES_MIN: Final = 8
"""A piece of fewer different byte values, such as zeros, is found everywhere and proves nothing."""
_NAME_SIZE_MIN: Final = 8
"""Shorter names are found by chance in what is sealed."""
_READ_SIZE: Final = 1024 * 1024
_SENTENCE: Final = b"In a hole in the ground there lived a canary that must not be seen. "
_SAMPLE_SIZE: Final = 24


@dataclass(frozen=True, slots=True)
class Specimen:
    """Byte strings that are in the file or its name, and that no sealed block holds."""

    pieces: tuple[bytes, ...]


def make_film(path: Path, size: int) -> None:
    """A file of `size` bytes that cannot be compressed, with a sentence at the beginning of every mebibyte."""
    with path.open("wb") as file:
        while size > 0:
            piece = (_SENTENCE + os.urandom(_READ_SIZE - len(_SENTENCE)))[:size]
            file.write(piece)
            size -= len(piece)


def take_specimen(path: Path) -> Specimen:
    """The file's name, and pieces from all over it."""
    size = path.stat().st_size
    pieces = []
    if len(path.name.encode()) >= _NAME_SIZE_MIN:
        pieces.append(path.name.encode())
    with path.open("rb") as file:
        for number in range(_PIECES_MAX):
            file.seek(number * size // _PIECES_MAX)
            piece = file.read(_PIECE_SIZE)
            if len(piece) == _PIECE_SIZE and len(set(piece)) >= _DISTINCT_BYTES_MIN:
                pieces.append(piece)
        file.seek(0)
        if _SENTENCE in file.read(len(_SENTENCE)):
            pieces.append(_SENTENCE)
    return Specimen(tuple(dict.fromkeys(pieces)))


def is_found_in(specimen: Specimen, folder: Path) -> bool:
    """Whether any file under a folder holds any of the pieces."""
    overlap = max((len(piece) for piece in specimen.pieces), default=1) - 1
    return any(
        piece in window
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for window in _windows(path, overlap)
        for piece in specimen.pieces
    )


def first_bytes_of_store(home: Path) -> str:
    """A few bytes from the middle of the largest segment of a home, in hexadecimal."""
    segments = [path for path in (home / "store" / "segments").rglob("*") if path.is_file()]
    largest = max(segments, key=lambda path: path.stat().st_size)
    with largest.open("rb") as file:
        file.seek(largest.stat().st_size // 2)
        return f"{file.read(_SAMPLE_SIZE).hex(' ', 4)} …"


def digest_of(path: Path) -> str:
    """BLAKE3-256 of a file, in hexadecimal."""
    hasher = blake3()
    with path.open("rb") as file:
        while piece := file.read(_READ_SIZE):
            hasher.update(piece)
    return hasher.hexdigest()


def _windows(path: Path, overlap: int) -> Iterator[bytes]:
    """A file's bytes, each window beginning with the end of the one before."""
    before = b""
    with path.open("rb") as file:
        while piece := file.read(_READ_SIZE):
            yield before + piece
            before = (before + piece)[-overlap:] if overlap else b""
