"""Unix sockets: `unix:PATH`. The socket's file is for its owner only (mode 0600)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.net.base import Connection, Listener, Receiver, ReceiverFactory
from capsa.net.transports.stream import StreamConnection, StreamListener

_PATH_SIZE_MAX: Final = 103  # sockaddr_un: 108 bytes with the final zero on Linux, 104 on macOS
_BACKLOG: Final = 128
_SOCKET_BUFFER_SIZE: Final = 2 * 1024 * 1024
_SCHEME: Final = "unix:"


def _parse(address: str) -> Path:
    path = Path(address.removeprefix(_SCHEME))
    if not address.startswith(_SCHEME) or not path.is_absolute():
        raise UsageError(f"{address!r} is not the address of a Unix socket.", "Write it as unix:/absolute/path.")
    return path


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the same file that fits a socket address, as long as the context lasts."""
    if len(os.fsencode(path)) <= _PATH_SIZE_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _bind(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(door.fileno(), 0o600)  # on Linux the file is made with this mode: nobody gets in before the chmod
        with _short(path) as name:
            door.bind(name)
        path.chmod(0o600)
        door.setblocking(False)
    except BaseException:
        door.close()
        raise
    return door


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more; one that somebody does is left."""
    if not path.exists() or not stat.S_ISSOCK(path.lstat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, _short(path) as name:
        probe.setblocking(False)
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            return


def _widen(transport: asyncio.Transport) -> None:
    """Room for a block in the socket, as far as the kernel gives it: each turn of the loop then moves more."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_SIZE)


class UnixTransport:
    """A `Transport` over Unix sockets."""

    scheme = "unix"

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        path = _parse(address)
        try:
            _remove_stale(path)
            door = _bind(path)
        except OSError as error:
            raise RefusedError(f"Cannot listen on {address}: {error}.", "Is a node running there already?") from error
        made = path.lstat().st_ino

        def connection() -> StreamConnection:
            return StreamConnection(accept(), lambda _: address, _widen)

        def remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_ino == made:
                    path.unlink()

        server = await asyncio.get_running_loop().create_unix_server(connection, sock=door, backlog=_BACKLOG)
        return StreamListener(server, address, remove)

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        path = _parse(address)
        connect = functools.partial(StreamConnection, receiver, lambda _: address, _widen)
        try:
            with _short(path) as name:
                _, connection = await asyncio.get_running_loop().create_unix_connection(connect, name)
        except OSError as error:
            raise UnreachableError(f"Nobody answers at {address}: {error.strerror}.") from error
        return connection
