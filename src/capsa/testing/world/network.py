"""The simulated network: every host has a transport in it; links are slow, break, and are cut in two by seed.

Addresses are `sim://host:port`. A dead process refuses dials at once; a cut wire swallows them until the dial's
deadline, holds what is under way, and breaks connections that wait too long for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Final

from capsa.errors import RefusedError, UnreachableError, UsageError
from capsa.net.base import Receiver, ReceiverFactory
from capsa.testing.world.connections import End
from capsa.testing.world.sources import dice
from capsa.testing.world.trace import Trace
from capsa.testing.world.wires import Link, Tap, Wire

DIAL_SECONDS: Final = 10.0
"""After so long without an answer a dial fails."""
_FIRST_PORT: Final = 49152  # where RFC 6335 puts ports that nobody asked for
_LOOPBACK: Final = Link(latency_s=30e-6)
_LATENCY_SECONDS: Final = (0.0005, 0.08)  # from one room to one continent


def parse_address(address: str) -> tuple[str, int]:
    """The host and port of `sim://host:port`; raises `UsageError`."""
    host, colon, port = address.removeprefix("sim://").rpartition(":")
    if not (
        address.startswith("sim://") and colon and host and port.isascii() and port.isdigit() and int(port) < 2**16
    ):
        raise UsageError(f"{address} is not an address of the simulated network.", "Write sim://host:port.")
    return host, int(port)


class SimNetwork:
    """Hosts, the wires between them, and the connections that are open."""

    def __init__(self, seed: int, trace: Trace) -> None:
        self._seed = seed
        self._trace = trace
        self._wires: dict[tuple[str, str], Wire] = {}
        self._doors: dict[tuple[str, int], ReceiverFactory] = {}
        self._connections: dict[int, tuple[str, str, End, End]] = {}
        self._numbers = count()
        self.tap: Tap | None = None
        """Sees every byte sent; set it before the hosts start."""

    def transport(self, host: str) -> SimTransport:
        """A transport for the process that now runs on `host`."""
        return SimTransport(self, host)

    def set_link(self, a: str, b: str, link: Link) -> None:
        """Choose what the way between two hosts is like, from now on, in both directions."""
        self._wire(a, b).link = self._wire(b, a).link = link

    def partition(self, one: Iterable[str], other: Iterable[str]) -> None:
        """Cut all wires between two groups of hosts, until `heal`; cuts add up."""
        one, other = sorted(one), sorted(other)
        self._trace.note("partition", ",".join(one), ",".join(other))
        for a in one:
            for b in other:
                self._wire(a, b).cut = self._wire(b, a).cut = True

    def heal(self) -> None:
        """Make all wires whole; what they hold travels on."""
        self._trace.note("heal")
        for wire in self._wires.values():
            wire.cut = False
        for _, _, client, server in self._connections.values():
            client.resume()
            server.resume()

    def lose(self, a: str, b: str) -> None:
        """Break all connections between two hosts; both hear of it at once."""
        self._trace.note("lose", a, b)
        for one, other, client, server in list(self._connections.values()):
            if {one, other} == {a, b}:
                client.lose()
                server.lose()

    def crash(self, host: str) -> None:
        """The process on `host` is gone: its doors close, and its connections break for others when they hear of it."""
        for door in [door for door in self._doors if door[0] == host]:
            del self._doors[door]
        for one, other, client, server in list(self._connections.values()):
            if one == host:
                client.abort()
            if other == host:
                server.abort()

    # What transports call.

    def open_door(self, host: str, port: int, accept: ReceiverFactory) -> int:
        """Listen; returns the port. Raises `RefusedError` if it is taken."""
        if port == 0:
            port = next(port for port in count(_FIRST_PORT) if (host, port) not in self._doors)
        if (host, port) in self._doors:
            raise RefusedError(f"Port {port} of {host} is in use.", "Choose another one.")
        self._doors[host, port] = accept
        return port

    def close_door(self, host: str, port: int, accept: ReceiverFactory) -> None:
        """Listen no more; a repeat does nothing, even if somebody else listens there by now."""
        if self._doors.get((host, port)) is accept:
            del self._doors[host, port]

    def connect(self, source: str, target: str, port: int, receiver: Receiver) -> tuple[End, asyncio.Future[None]]:
        """Knock at a door; the future ends when it opens, or with `UnreachableError`."""
        number = next(self._numbers)
        self._trace.note("dial", source, f"{target}:{port}")
        local, remote = f"sim://{source}:{_FIRST_PORT + number % (2**16 - _FIRST_PORT)}", f"sim://{target}:{port}"
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        open_ends = {local, remote}

        def answered() -> Receiver:
            if not opened.done():
                opened.set_result(None)
            return receiver

        def knocked() -> Receiver | None:
            accept = self._doors.get((target, port))
            self._trace.note("knock", remote, local, "refused" if accept is None else "accepted")
            return None if accept is None else accept()

        def ended(end: str, _: Exception | None) -> None:
            open_ends.discard(end)
            if not open_ends:
                del self._connections[number]
            if end == local and not opened.done():
                opened.set_exception(UnreachableError(f"{remote} does not answer."))

        client = End(
            self._trace, local=local, remote=remote, answers=False, opening=answered, on_end=partial(ended, local)
        )
        server = End(
            self._trace, local=remote, remote=local, answers=True, opening=knocked, on_end=partial(ended, remote)
        )
        self._connections[number] = source, target, client, server
        End.join(client, server, self._wire(source, target), self._wire(target, source))
        return client, opened

    def _wire(self, source: str, target: str) -> Wire:
        if (source, target) not in self._wires:
            one, other = sorted((source, target))  # both directions are equally long
            latency = dice(self._seed, f"latency {one} {other}").uniform(*_LATENCY_SECONDS)
            link = _LOOPBACK if source == target else Link(latency)
            chance = dice(self._seed, f"wire {source} {target}")
            self._wires[source, target] = Wire(source, target, link, chance, self._on_sent)
        return self._wires[source, target]

    def _on_sent(self, source: str, target: str, data: bytes) -> None:
        if self.tap is not None:
            self.tap(source, target, data)


class SimListener:
    """An open door of a host."""

    def __init__(self, network: SimNetwork, host: str, port: int, accept: ReceiverFactory) -> None:
        self._network = network
        self._host = host
        self._port = port
        self._accept = accept

    @property
    def address(self) -> str:
        return f"sim://{self._host}:{self._port}"

    async def close(self) -> None:
        self._network.close_door(self._host, self._port, self._accept)


class SimTransport:
    """One process's `Transport`. After `halt` every call is cancelled: the process is gone."""

    def __init__(self, network: SimNetwork, host: str) -> None:
        self._network = network
        self._host = host
        self._halted = False

    @property
    def scheme(self) -> str:
        return "sim"

    def halt(self) -> None:
        """Switch off. A repeat does nothing."""
        self._halted = True

    async def listen(self, address: str, accept: ReceiverFactory) -> SimListener:
        host, port = parse_address(address)
        self._check_alive()
        if host != self._host:
            raise RefusedError(f"{address} is not an address of {self._host}.", "Listen on an address of your own.")
        return SimListener(self._network, host, self._network.open_door(host, port, accept), accept)

    async def dial(self, address: str, receiver: Receiver) -> End:
        host, port = parse_address(address)
        self._check_alive()
        end, opened = self._network.connect(self._host, host, port, receiver)
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                await opened
        except TimeoutError:
            end.abort()
            raise UnreachableError(f"{address} does not answer.") from None
        except asyncio.CancelledError:
            end.abort()
            raise
        return end

    def _check_alive(self) -> None:
        if self._halted:
            raise asyncio.CancelledError
