"""Places that bytes flow to and do not stay: stdout, pipes, devices, and descriptors that the shell opened."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path
from typing import Final

from capsa.errors import RefusedError, from_os_error
from capsa.faces.cli.output import OutputClosedError

STDOUT: Final = 1
_HOPS_MAX: Final = 8
_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/(?:self|thread-self))/fd/([0-9]{1,6})")


class Outlet:
    """An open descriptor as a place for plaintext; called on a lane."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name

    def write(self, data: memoryview, /) -> None:
        """Write all of it; `OutputClosedError` once nobody reads."""
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise OutputClosedError from None
            raise from_os_error(error, f"{self._name} cannot be written") from None

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def open_stdout() -> Outlet:
    """Stdout, whatever that is."""
    sys.stdout.flush()
    try:
        return Outlet(_dup(STDOUT), "Stdout")
    except OSError as error:
        raise from_os_error(error, "Stdout cannot be written") from None


def descriptor_of(path: str) -> int | None:
    """The number of the descriptor of ours that a path such as /dev/stdout stands for; None if it is another path."""
    for _ in range(_HOPS_MAX):
        path = os.path.normpath(Path(path).absolute())
        if match := _DESCRIPTOR.fullmatch(path):
            return int(match[1])
        if not Path(path).is_symlink():
            return None
        path = str(Path(path).parent / Path(path).readlink())
    return None


def open_outlet(path: str) -> Outlet | None:
    """The outlet that a path stands for: None if files can be there. `RefusedError` for one that cannot be used."""
    try:
        number = descriptor_of(path)
        if number is not None:
            return Outlet(_dup(number), path)
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            return None
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return None
        if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
            raise RefusedError(f"{path} is not a plain file.", "Choose another place with -o; - is stdout.")
        # Without O_NONBLOCK, a pipe that nobody reads from would be waited for.
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        hint = "Start its reader first." if error.errno == errno.ENXIO else "Choose another place with -o."
        raise from_os_error(error, f"{path} cannot be written", hint) from None
    os.set_blocking(descriptor, True)
    return Outlet(descriptor, path)


def _dup(number: int) -> int:
    """A copy of a descriptor that we were started with.

    What we opened ourselves, such as the home's database, is never inheritable, and is nobody's place for plaintext.
    """
    if not os.get_inheritable(number):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return os.dup(number)
