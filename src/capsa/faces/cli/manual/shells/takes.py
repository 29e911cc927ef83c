"""What an argument takes, as far as a shell can complete it."""

from __future__ import annotations

from enum import Enum
from typing import Final

from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.manual.syntax import Argument


class Takes(Enum):
    """What completes a value."""

    NOTHING = "nothing"
    WORDS = "words"
    FILES = "files"
    FOLDERS = "folders"
    KEYS = "keys"


_BY_VALUE: Final = {
    "F": Takes.FILES,
    "PATH": Takes.FILES,
    "DIR": Takes.FOLDERS,
    "KEY": Takes.KEYS,
    "KEY|CAP": Takes.KEYS,
    "PREFIX": Takes.KEYS,
    "COMMAND": Takes.WORDS,
}
"""By the word that stands for the value in the help; one that is not here is the user's own."""
_NOWHERE: Final = ("--listen", "--advertise")


def takes(argument: Argument) -> Takes:
    """What completes an argument's value."""
    return Takes.WORDS if words_of(argument) else _BY_VALUE.get(argument.value, Takes.NOTHING)


def words_of(argument: Argument) -> tuple[str, ...]:
    """The values that are known beforehand."""
    if argument.value == "COMMAND":
        return tuple(BY_NAME)
    if any(flag in _NOWHERE for flag in argument.flags):
        return ("none",)
    return argument.choices
