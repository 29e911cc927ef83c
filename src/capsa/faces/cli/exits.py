"""Exit codes (docs/design.md, section 9), and how whatever went wrong becomes one of them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from capsa import errors
from capsa.errors import CapsaError, from_os_error, leading


class Exit(IntEnum):
    """What a process of ours ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    FEWER_COPIES = 4
    INTEGRITY = 5
    UNREACHABLE = 6
    REFUSED = 7
    NO_SPACE = 8
    LOCKED = 9
    HOME = 10
    INTERRUPTED = 130


MEANINGS: Final = {
    Exit.DONE: "done",
    Exit.FAILED: "failed",
    Exit.USAGE: "wrong usage, or a malformed cap, key or invite",
    Exit.NOT_FOUND: "not found",
    Exit.FEWER_COPIES: "stored, but in fewer copies than asked",
    Exit.INTEGRITY: "integrity failure",
    Exit.UNREACHABLE: "not enough peers reachable",
    Exit.REFUSED: "refused: exists already, is retained, or not permitted",
    Exit.NO_SPACE: "no space",
    Exit.LOCKED: "keys locked",
    Exit.HOME: "home absent, in use, or of a newer version",
    Exit.INTERRUPTED: "interrupted",
}
"""What each code says, as help and manual tell it. A failure beats `FEWER_COPIES`."""

_BY_CLASS: Final[dict[type[CapsaError], Exit]] = {
    errors.UsageError: Exit.USAGE,
    errors.NotFoundError: Exit.NOT_FOUND,
    errors.IntegrityError: Exit.INTEGRITY,
    errors.UnreachableError: Exit.UNREACHABLE,
    errors.RefusedError: Exit.REFUSED,
    errors.NoSpaceError: Exit.NO_SPACE,
    errors.LockedError: Exit.LOCKED,
    errors.HomeError: Exit.HOME,
}
"""Subclasses share their parent's code; what is not listed is `FAILED`."""


class InterruptError(CapsaError):
    """The user, or whoever ended the process, asked it to stop."""

    kind = "interrupted"
    retryable = True


def interrupted_error() -> InterruptError:
    """The one thing to say when a command was interrupted."""
    return InterruptError("Interrupted.", "Run the command again: it goes on where it stopped.")


def exit_of(error: CapsaError) -> Exit:
    """The exit code of an error."""
    if isinstance(error, InterruptError):
        return Exit.INTERRUPTED
    return next((_BY_CLASS[parent] for parent in type(error).__mro__ if parent in _BY_CLASS), Exit.FAILED)


def as_capsa_error(error: BaseException) -> CapsaError:
    """Anything that was raised, as an error with a sentence and a hint."""
    if isinstance(error, BaseExceptionGroup):
        error = leading(error)
    if isinstance(error, CapsaError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return interrupted_error()
    if isinstance(error, TimeoutError):
        return errors.DeadlineError("Something took too long.", "Run the command again.")
    if isinstance(error, OSError):
        where = f"{error.filename} cannot be used" if error.filename else "The operating system refused"
        return from_os_error(error, where, "Check the disk and its permissions, then run the command again.")
    if isinstance(error, MemoryError):
        return CapsaError("There is not enough memory.", "Close something else, then run the command again.")
    text = " ".join(str(error).split())
    name = type(error).__name__
    return CapsaError(
        f"Something went wrong inside capsa: {name}{': ' if text else ''}{text}.",
        "Please report it, with what CAPSA_DEBUG=1 shows in addition.",
    )
