"""Findings: what a check says, how bad it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is, from good to bad."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, or it will pass; worth knowing."""
    WARNING = "warning"
    """Something is at risk, or works less well than it could."""
    ERROR = "error"
    """Something does not work, or files are in danger."""


_ORDER = list(Level)


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on what was checked, and one on what to do where something is to be done."""

    name: str
    """What was checked, a word or two."""
    level: Level
    message: str
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level among these; `OK` if there are none."""
    return max((finding.level for finding in findings), key=_ORDER.index, default=Level.OK)
