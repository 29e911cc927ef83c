"""Files that hold a secret, such as a passphrase, on one line."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
from typing import Final

from capsa.core.keystore import PASSPHRASE_SIZE_MAX
from capsa.errors import UsageError, from_os_error
from capsa.faces.cli.descriptors import Wakeable
from capsa.faces.cli.given import STDIN
from capsa.faces.cli.output import Screen
from capsa.seams import Lane, Workers

_LINE_END: Final = b"\n"
_READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH


async def read_secret(path: str, screen: Screen, workers: Workers) -> str:
    """The text in a file, or on stdin for `-`, without the line break at its end.

    Cancellation ends the wait for a pipe; close `workers` after that. Raises `UsageError` if it is empty, longer than
    a passphrase may be, or not UTF-8, and `NotFoundError` and the like if it cannot be read.
    """
    try:
        if path == STDIN:
            if sys.stdin is None:
                raise UsageError("There is no stdin to read a passphrase from.", "Name a file.")
            descriptor = os.dup(sys.stdin.fileno())
        else:
            # Without waiting for whoever writes to a named pipe: the reader does that, and can be called away.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if _is_open_to_others(descriptor):
                screen.note(f"Others can read {path}: chmod 600 keeps them out.")
        data = await _read_all(descriptor, workers)
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise UsageError(f"{path} is a folder, not a file with a passphrase.", "Check the path.") from None
        where = "Stdin" if path == STDIN else path
        raise from_os_error(error, f"{where} cannot be read", "Check the path.") from None
    return _text(data, path)


async def _read_all(descriptor: int, workers: Workers) -> bytes:
    source = Wakeable(descriptor)
    try:
        return await workers.run(Lane.READ, _read, source, descriptor)
    except asyncio.CancelledError:
        source.wake()
        raise


def _read(source: Wakeable, descriptor: int) -> bytes:
    """Up to the end, or one byte more than is allowed; closes the descriptor."""
    size_max = PASSPHRASE_SIZE_MAX + len(_LINE_END)
    data = b""
    try:
        while len(data) <= size_max and (piece := source.read(size_max + 1 - len(data))):
            data += piece
    finally:
        os.close(descriptor)
    return data


def _is_open_to_others(descriptor: int) -> bool:
    facts = os.fstat(descriptor)
    return stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & _READABLE_BY_OTHERS)


def _text(data: bytes, path: str) -> str:
    line = data.removesuffix(_LINE_END).removesuffix(b"\r")
    where = "What came on stdin" if path == STDIN else path
    if not line:
        raise UsageError(f"{where} is empty where a passphrase should be.", "Check that it is the right file.")
    if len(line) > PASSPHRASE_SIZE_MAX:
        raise UsageError(f"{where} is too long for a passphrase.", f"It may have {PASSPHRASE_SIZE_MAX} bytes.")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{where} is not UTF-8 text.", "Check that it is the right file.") from None
