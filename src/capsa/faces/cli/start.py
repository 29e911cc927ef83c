"""Start-up: the one place of the command line that names disks, transports, clocks and threads."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capsa.client.link import HomeLink
from capsa.client.snapshot import Owner, Snapshot, take_snapshot
from capsa.core.commands import COMMAND_MESSAGES, Greet, Greeted
from capsa.core.keys import OwnerKeys
from capsa.errors import CapsaError, HomeInUseError, ProtocolError, RefusedError, UnreachableError, leading
from capsa.faces.cli.keys.passphrases import Unlock
from capsa.faces.cli.running import signals_of_end
from capsa.net.local import connect
from capsa.net.session import Session
from capsa.net.transports.unix import UnixTransport
from capsa.node.home import Home
from capsa.node.runtime import SystemClock, SystemEntropy, ThreadWorkers

if TYPE_CHECKING:
    from capsa.client.files import Files
    from capsa.client.gets.reading import Reader
    from capsa.node.app import Node, Ready

SETTLE_SECONDS: Final = 5.0
"""How long a command that runs without a node looks for members first."""
_START_SECONDS = 30.0
LOCK_SECONDS = 10.0
"""How long `up` waits for a command that runs without a node."""
_RETRY_SECONDS = 0.05
_ADMISSION_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `up` was told, or remembers."""

    listen: tuple[str, ...]
    peers: tuple[str, ...]
    capacity: int
    zone: str
    advertise: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class HomeContext:
    """What a command works with: the home, the line to its node, and what that node said of itself."""

    home: Home
    link: HomeLink
    facts: Greeted
    workers: ThreadWorkers
    opened: OwnerKeys | None = field(default=None, repr=False)
    clock: SystemClock = field(default_factory=SystemClock)
    entropy: SystemEntropy = field(default_factory=SystemEntropy)

    @property
    def keys(self) -> OwnerKeys:
        """The owner's keys, for a command that asked `at_home` to open them."""
        assert self.opened is not None
        return self.opened

    def owner(self) -> Owner:
        """Whose catalog this home writes."""
        return Owner(self.keys, self.home.network, self.home.node, self.facts.copies)

    async def snapshot(self) -> Snapshot:
        """The catalog as it is now."""
        return await take_snapshot(self.link, self.owner())

    def files(self) -> Files:
        """Puts, and the catalog as it is written."""
        from capsa.client.files import Files  # here, since whoever only looks needs none of it

        return Files(self.link, self.owner(), workers=self.workers, clock=self.clock, entropy=self.entropy)

    def reader(self) -> Reader:
        """Gets; needs no keys but a cap's."""
        from capsa.client.gets.reading import Reader

        return Reader(self.link, workers=self.workers)


@asynccontextmanager
async def at_home(root: Path, *, unlock: Unlock | None = None, settle: float = 0.0) -> AsyncIterator[HomeContext]:
    """Connect to the home's node; without a running one, become a node that does not listen for as long.

    `unlock` opens the owner's keys for a command that needs them. `settle` is how many seconds a node of our own may
    take to be admitted and to meet a member. Raises `HomeError`, and what `unlock` raises. Commands that joined it
    meanwhile are served to their end, unless this one fails.
    """
    home = Home.open(root)
    workers = ThreadWorkers()
    unix = UnixTransport()
    try:
        async with asyncio.TaskGroup() as group:
            done = asyncio.Event()
            joined = await _join(unix, home)
            lasting = joined is not None and joined[1].serving
            if not lasting:
                group.create_task(_serve_commands(home, workers, done))
            first = joined[0] if joined else await _connect_patiently(unix, home)
            link = HomeLink(_reconnecting(unix, home, first), on_lost=_tell_of_waiting)
            try:
                keys = None if unlock is None else await unlock(home, link)
                facts = await _facts(link, 0.0 if lasting else settle)
                yield HomeContext(home, link, facts, workers, keys)
            finally:
                link.close()
                done.set()
    except BaseExceptionGroup as errors:
        raise leading(errors) from None
    finally:
        workers.close()


@asynccontextmanager
async def beside_node(root: Path) -> AsyncIterator[HomeContext]:
    """Watch the home's running node, and never become one: `RefusedError` if none runs.

    A question that it does not answer fails at once, as `LostConnectionError`, and may be asked again.
    """
    home = Home.open(root)
    unix = UnixTransport()
    joined = await _join(unix, home)
    if joined is None or not joined[1].serving:
        if joined is not None:
            joined[0].close()
        raise RefusedError("No node runs in this home.", "Start it with 'capsa up'.")
    workers = ThreadWorkers()
    link = HomeLink(_reconnecting(unix, home, joined[0]), patience=0.0)
    try:
        yield HomeContext(home, link, joined[1], workers)
    finally:
        link.close()
        workers.close()


def _tell_of_waiting() -> None:
    if sys.stderr.isatty():
        with suppress(OSError):  # the terminal may be gone as well
            print("The home's node does not answer; waiting for it to come back.", file=sys.stderr, flush=True)


def _reconnecting(unix: UnixTransport, home: Home, first: Session) -> Callable[[], Awaitable[Session]]:
    waiting = [first]

    async def reconnect() -> Session:
        return waiting.pop() if waiting else await connect(unix, home.socket, COMMAND_MESSAGES)

    return reconnect


async def _join(unix: UnixTransport, home: Home) -> tuple[Session, Greeted] | None:
    """A session with the home's node, and what it says of itself; None if there is none, or it is just ending."""
    try:
        session = await connect(unix, home.socket, COMMAND_MESSAGES)
    except UnreachableError:
        return None
    try:
        reply = await session.call(Greet(), timeout=_START_SECONDS)
    except UnreachableError:
        session.abort()
        return None
    if not isinstance(reply.body, Greeted):
        session.abort()
        raise ProtocolError("The home's node answered with something else.", "Restart the node with this capsa.")
    return session, reply.body


async def _connect_patiently(unix: UnixTransport, home: Home) -> Session:
    """Until our own node serves, or the one that holds the home's lock does."""
    give_up = asyncio.get_running_loop().time() + _START_SECONDS
    while True:
        joined = await _join(unix, home)
        if joined is not None:
            return joined[0]
        if asyncio.get_running_loop().time() >= give_up:
            raise HomeInUseError(f"The process that holds {home.root} does not answer.", "End it, then try again.")
        await asyncio.sleep(_RETRY_SECONDS)


async def _facts(link: HomeLink, settle: float) -> Greeted:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + settle
    facts = await link.ask(Greet(), Greeted)
    while loop.time() < give_up and not facts.settled:
        await asyncio.sleep(_ADMISSION_POLL_SECONDS)
        facts = await link.ask(Greet(), Greeted)
    return facts


async def _serve_commands(home: Home, workers: ThreadWorkers, done: asyncio.Event) -> None:
    """Be the home's node until this command is `done`, and those that joined it are.

    While another command is the node, wait for its end, and take over: that one may be killed at any moment.
    """
    while not done.is_set():
        try:
            with home.locked():
                node = _node(home, workers, UpOptions((), (), 0, ""), serving=False)
                async with asyncio.TaskGroup() as group:
                    running = group.create_task(node.run())
                    await done.wait()
                    await node.wait_unused()
                    running.cancel()
                return
        except HomeInUseError:
            await asyncio.sleep(_RETRY_SECONDS)


async def run_node(
    root: Path,
    options: UpOptions,
    ready: Callable[[Ready], None],
    waiting: Callable[[HomeInUseError], None] = lambda _: None,
) -> None:
    """`up`: run the home's node until SIGTERM, SIGINT, or SIGHUP of a terminal that is closed.

    Waits `LOCK_SECONDS` for a command that holds the home, and tells `waiting` so once; `HomeInUseError` after that.
    """
    home = Home.open(root)
    workers = ThreadWorkers()
    try:
        async with _locked(home, waiting):
            running = asyncio.ensure_future(_node(home, workers, options, serving=True).run(ready))
            for number in signals_of_end():
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
            with suppress(asyncio.CancelledError):
                await running
    finally:
        workers.close()


@asynccontextmanager
async def _locked(home: Home, waiting: Callable[[HomeInUseError], None]) -> AsyncIterator[None]:
    """The home's lock, waiting a while for a command that runs without a node."""
    give_up = asyncio.get_running_loop().time() + LOCK_SECONDS
    told = False
    while True:
        try:
            with home.locked():
                yield
                return
        except HomeInUseError as held:
            if await _has_node(home):
                raise HomeInUseError(f"A node runs already in {home.root}.", "Use that one, or end it first.") from None
            if asyncio.get_running_loop().time() >= give_up:
                raise
            if not told:
                waiting(held)
                told = True
        await asyncio.sleep(_RETRY_SECONDS)


async def _has_node(home: Home) -> bool:
    """Whether the process that holds the home is a node of its own, rather than a command that will end."""
    try:
        joined = await _join(UnixTransport(), home)
    except CapsaError:
        return False
    if joined is None:
        return False
    session, facts = joined
    session.close()
    return facts.serving


def _node(home: Home, workers: ThreadWorkers, options: UpOptions, *, serving: bool) -> Node:
    # Imported here, since a command that finds a node running needs none of it.
    from capsa.net.transports.tcp import TcpTransport
    from capsa.node.app import Node
    from capsa.node.settings import NodeConfig
    from capsa.stores.disk import SystemDisk

    papers = home.papers()
    config = NodeConfig(
        network=home.network,
        secret=home.secret(),
        device=home.device(),
        owner=home.owner,
        name=home.name,
        listen=options.listen,
        hosts=own_hosts(),
        advertise=options.advertise,
        bootstrap=tuple(dict.fromkeys((*options.peers, *papers.addresses))),
        capacity=options.capacity,
        zone=options.zone,
        serving=serving,
        control=home.socket,
        papers=papers.statements,
    )
    transports = {transport.scheme: transport for transport in (TcpTransport(), UnixTransport())}
    return Node(
        config,
        disk=SystemDisk(home.root),
        transports=transports,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        workers=workers,
    )


def own_hosts() -> tuple[str, ...]:
    """This machine's address towards the outside, or loopback where there is none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): connecting a datagram socket only picks a route
        except OSError:
            return ("127.0.0.1",)
        return (probe.getsockname()[0],)
