"""TCP: `tcp://host:port`; an IPv6 address in brackets; `tcp://[::]:port` listens on all interfaces, IPv4 too."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import os
import socket
from typing import Final
from urllib.parse import urlsplit

from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.net.base import Connection, Listener, Receiver, ReceiverFactory
from capsa.net.transports.stream import StreamConnection, StreamListener

_BACKLOG: Final = 512
_HAPPY_EYEBALLS_SECONDS: Final = 0.25  # RFC 8305, section 5
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))


def parse_address(address: str) -> tuple[str, int]:
    """The host and port of a `tcp://` URL; raises `UsageError`."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.scheme != "tcp" or parts.path or parts.query or parts.username is not None:
        raise UsageError(f"{address!r} is not a TCP address.", "Write it as tcp://host:port or tcp://[::1]:port.")
    return host, port


def format_address(name: object) -> str:
    """The URL of a socket's name as the operating system gives it."""
    if not isinstance(name, tuple) or len(name) < 2:
        return ""
    host, port = str(name[0]), name[1]
    host = host.removeprefix("::ffff:")
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _prepare(transport: asyncio.Transport) -> None:
    """No delay for small writes; a peer that vanished is noticed within two minutes."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class TcpTransport:
    """A `Transport` over TCP."""

    scheme = "tcp"

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        host, port = parse_address(address)
        loop = asyncio.get_running_loop()

        def connection() -> StreamConnection:
            return StreamConnection(accept(), format_address, _prepare)

        try:
            if host == "::":
                door = socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
                server = await loop.create_server(connection, sock=door, backlog=_BACKLOG)
            else:
                server = await loop.create_server(connection, host, port, backlog=_BACKLOG)
        except (OSError, ValueError, OverflowError) as error:
            raise RefusedError(
                f"Cannot listen on {address}: {_why(error)}.", "Choose another with --listen."
            ) from error
        return StreamListener(server, format_address(server.sockets[0].getsockname()))

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        host, port = parse_address(address)
        connect = functools.partial(StreamConnection, receiver, format_address, _prepare)
        loop = asyncio.get_running_loop()
        try:
            if isinstance(loop, asyncio.BaseEventLoop):
                # Not for a single address: a race that is cancelled as it is won forgets its open socket.
                delay = None if _is_numeric(host) else _HAPPY_EYEBALLS_SECONDS
                _, connection = await loop.create_connection(connect, host, port, happy_eyeballs_delay=delay)
            else:  # uvloop, which tries a name's addresses one after the other
                _, connection = await loop.create_connection(connect, host, port)
        except (OSError, ValueError) as error:  # names that cannot be encoded are ValueErrors, too
            raise UnreachableError(f"Nobody answers at {address}: {error}.") from error
        return connection


def _is_numeric(host: str) -> bool:
    """Whether this is an address rather than a name that may have several."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _why(error: Exception) -> str:
    """What went wrong, in the system's words: asyncio's repeat the address."""
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
        return os.strerror(error.errno)
    return str(error)
