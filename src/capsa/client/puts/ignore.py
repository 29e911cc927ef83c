"""Exclusions: the rules of gitignore(5), from `--exclude` and from the `.capsaignore` files of a tree.

Only whether something is left out is decided here; that a folder which is left out is not entered, is the walk's part.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from capsa.errors import UsageError

IGNORE_FILE: Final = ".capsaignore"
IGNORE_SIZE_MAX: Final = 64 * 1024
"""Bytes of one such file."""

_WITHIN: Final = "ps_d"
"""The group by which the library's expressions tell that not the path itself fits, but a folder it lies in."""
_HINT: Final = "Write it as gitignore(5) has it, or remove it."


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line. `by_name`: it has no slash but a last one, so that it looks at the last part of a path alone."""

    regex: re.Pattern[str]
    excludes: bool
    only_folders: bool
    by_name: bool

    def fits(self, path: str, name: str, *, is_folder: bool) -> bool:
        if self.only_folders and not is_folder:
            return False
        found = self.regex.search(name if self.by_name else path)
        return found is not None and found.lastgroup != _WITHIN


@dataclass(frozen=True, slots=True)
class _Level:
    """The patterns of one folder, the last first; what is below it begins at `start` of a path."""

    start: int
    patterns: tuple[_Pattern, ...]

    def verdict(self, path: str, name: str, *, is_folder: bool) -> bool | None:
        """Whether it excludes this; None if no pattern fits."""
        below = path[self.start :]
        for pattern in self.patterns:
            if pattern.fits(below, name, is_folder=is_folder):
                return pattern.excludes
        return None


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out of a tree. Paths are relative to its top, separated by `/`, in Unicode's normal form C.

    The last pattern that fits decides; those of an inner folder come after those of an outer one, and those of the
    command line after all.
    """

    levels: tuple[_Level, ...] = ()
    """The one that decides first in front."""
    given: int = 0
    """How many of them come from the command line."""

    @classmethod
    def of(cls, patterns: Sequence[str]) -> Rules:
        """Those of the command line; `UsageError` names a pattern that cannot be understood."""
        if not patterns:
            return NO_RULES
        return cls((_Level(0, _parsed((pattern, f"--exclude {pattern!r}") for pattern in patterns)),), 1)

    def within(self, folder: str, content: bytes, where: str) -> Rules:
        """These and the patterns of a folder's `.capsaignore`; the tree's own top is the folder ``""``.

        Raises `UsageError`, which names the file by `where` and the line, on what cannot be understood.
        """
        if len(content) > IGNORE_SIZE_MAX:
            raise UsageError(f"{where} has more than {IGNORE_SIZE_MAX} bytes.", "Write fewer, wider patterns.")
        try:
            lines = content.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError:
            raise UsageError(f"{where} is not UTF-8.", "Save it as UTF-8.") from None
        patterns = _parsed(
            (line.removesuffix("\r"), f"{where}, line {number},") for number, line in enumerate(lines, 1)
        )
        level = _Level(len(folder) + 1 if folder else 0, patterns)
        return Rules((*self.levels[: self.given], level, *self.levels[self.given :]), self.given)

    def exclude(self, path: str, *, is_folder: bool) -> bool:
        """Whether this is left out. It lies in the innermost folder these are for, and no folder it lies in is."""
        name = path.rpartition("/")[2]
        for level in self.levels:
            verdict = level.verdict(path, name, is_folder=is_folder)
            if verdict is not None:
                return verdict
        return False


NO_RULES: Final = Rules()


def _parsed(lines: Iterable[tuple[str, str]]) -> tuple[_Pattern, ...]:
    patterns = [pattern for text, where in lines if (pattern := _pattern(text, where)) is not None]
    return tuple(reversed(patterns))


def _pattern(text: str, where: str) -> _Pattern | None:
    """The pattern on a line, or None for a blank one or a comment; `UsageError` if it is neither."""
    text = unicodedata.normalize("NFC", text)
    if not text.endswith("\\ "):
        text = text.rstrip()
    if not text or text.startswith("#"):
        return None
    # That a pattern is for folders alone is judged here: the library's expression for `foo/` fits what is in foo.
    bare = text.rstrip("/")
    compiled = _compiled(bare)
    if compiled is None:
        raise UsageError(f"{where} is not a pattern.", _HINT)
    regex, excludes = compiled
    return _Pattern(regex, excludes, bare != text, "/" not in bare)


def _compiled(text: str) -> tuple[re.Pattern[str], bool] | None:
    """The expression of a pattern that has no final slash, and whether it excludes; None if it has no meaning."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern  # slow to import, and seldom needed

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # `[[:alpha:]]`, which the library takes for something else
            pattern = GitIgnoreSpecPattern(text)
    except (ValueError, re.error, Warning):
        return None
    if pattern.regex is None or pattern.include is None:
        return None
    return pattern.regex, pattern.include
