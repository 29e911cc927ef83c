"""A home's own files, judged: is all there, readable, and for its owner's eyes only?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capsa.core.diagnosis.findings import Finding, Level

_FILES = "files"
_PERMISSIONS = "permissions"
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class HomeFiles:
    """What was found of the files that a home has; names are relative to its folder."""

    folder: str
    missing: Sequence[str] = ()
    unreadable: Sequence[str] = ()
    foreign: Sequence[str] = ()
    """Those that belong to another user of the machine."""
    open_to_others: Sequence[str] = ()
    """Those with secrets that other users of the machine may read or change."""


@dataclass(frozen=True, slots=True)
class Process:
    """Who has the home in use."""

    held: bool
    """Whether a process holds the home's lock."""
    answers: bool
    """Whether something answers on its control socket."""
    serving: bool = False
    """Whether that is a node of its own, rather than a command that will end."""
    holder: str = ""
    """A sentence on who holds the lock, where nothing answers."""


def judge_files(files: HomeFiles) -> Finding:
    """Whether all that a home is made of is there and can be read."""
    if files.missing:
        return Finding(
            _FILES,
            Level.ERROR,
            f"The home {files.folder} lacks {_listed(files.missing)}.",
            "Restore the home from a backup, or make a new one with 'capsa recover' and the recovery phrase.",
        )
    if files.unreadable:
        return Finding(
            _FILES,
            Level.ERROR,
            f"Of the home {files.folder} this user cannot read {_listed(files.unreadable)}.",
            "Run capsa as the user that the home belongs to, or give the files back to this one.",
        )
    return Finding(_FILES, Level.OK, f"The home {files.folder} is complete.")


def judge_permissions(files: HomeFiles) -> Finding:
    """Whether the home is its user's alone."""
    if files.open_to_others:
        return Finding(
            _PERMISSIONS,
            Level.WARNING,
            f"Other users of this machine may read or change {_listed(files.open_to_others)}.",
            f"Run: chmod -R go-rwx {files.folder}",
        )
    if files.foreign:
        return Finding(
            _PERMISSIONS,
            Level.WARNING,
            f"Another user of this machine owns {_listed(files.foreign)}.",
            f"Run, as the administrator: chown -R {{your user}} {files.folder}",
        )
    return Finding(_PERMISSIONS, Level.OK, "Keys and settings are for this user's eyes only.")


def judge_keys(*, problem: str, remedy: str, sealed: bool) -> Finding:
    """The keystore: a `problem` when it was parsed, or whether a passphrase seals it."""
    if problem:
        return Finding("keys", Level.ERROR, problem, remedy)
    if not sealed:
        return Finding(
            "keys",
            Level.NOTE,
            "The owner's keys have no passphrase: whoever reads this disk can read and release all files.",
            "Set one with 'capsa passphrase', unless the disk itself is encrypted.",
        )
    return Finding("keys", Level.OK, "The owner's keys are sealed under a passphrase.")


def judge_settings(*, problem: str, remedy: str) -> Finding:
    """`capsa.toml`: a `problem` when it was read, or none."""
    if problem:
        return Finding("settings", Level.ERROR, problem, remedy)
    return Finding("settings", Level.OK, "capsa.toml is in order.")


def judge_process(process: Process) -> Finding:
    """Whether the home's node runs, and whether whoever holds the home is well."""
    if process.serving:
        return Finding("node", Level.OK, "The node runs.")
    if process.answers:
        return Finding("node", Level.NOTE, "A command is at work in this home, and no node runs.", "Run 'capsa up'.")
    if process.held:
        return Finding(
            "node",
            Level.ERROR,
            f"{process.holder} It does not answer.",
            "Wait a minute, in case it is starting or ending. If it stays so, end it; then run 'capsa up'.",
        )
    return Finding(
        "node", Level.NOTE, "No node runs in this home: nobody can fetch what it keeps for them.", "Run 'capsa up'."
    )


def judge_database(name: str, *, problem: str, precious: bool) -> Finding:
    """A database of the home; one that is `precious` cannot be made anew from what is on the disk."""
    if not problem:
        return Finding(name, Level.OK, f"{name} is in order.")
    if precious:
        return Finding(
            name,
            Level.ERROR,
            f"{name} is damaged ({problem}).",
            "Check the disk. Then restore the file from a backup, or make a new home with 'capsa recover'.",
        )
    return Finding(
        name,
        Level.WARNING,
        f"{name} is damaged ({problem}); it can be made anew from the segments.",
        f"Check the disk. Then remove {name}: the node makes it anew when it starts.",
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
