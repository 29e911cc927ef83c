"""A real network in one process: homes of several owners in a folder, and their nodes on real TCP and real disk.

Keys come from names, so that block ids, and with them placement, are the same in every run. Homes are made admitted
already; `Network.newcomer` makes one that has to ask.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from capsa.client.files import Files
from capsa.client.gets.reading import Reader
from capsa.client.link import HomeLink
from capsa.client.puts.jobs import Job, Stored, Wish
from capsa.client.puts.sources import FileSource
from capsa.client.snapshot import Owner
from capsa.core import commands as c
from capsa.core import inquiries as q
from capsa.core import statements as st
from capsa.core.ids import NodeId
from capsa.core.keys import DeviceKey, Ed25519Key, OwnerKeys
from capsa.core.pages import Shape
from capsa.core.signing import Signed, encode_signed
from capsa.net.base import Transport
from capsa.net.local import connect
from capsa.net.session import Session
from capsa.net.transports.tcp import TcpTransport
from capsa.net.transports.unix import UnixTransport
from capsa.node.app import Node, Ready
from capsa.node.home import Home, NewHome, Papers
from capsa.node.runtime import SystemClock, SystemEntropy, ThreadWorkers
from capsa.node.settings import NodeConfig, Timing
from capsa.stores.disk import Disk, SystemDisk

SMALL = Shape(chunk_size=4096, fanout=8, inline_max=256)
FAST = Timing(
    tick=0.02,
    sync=0.2,
    dial_retry=0.05,
    dial_retry_max=0.2,
    settle=0.2,
    transfer=5.0,
    ask=2.0,
    hedge=0.5,
    announce=0.2,
)
LOOPBACK = ("tcp://127.0.0.1:0",)
ROOMY = 10**12
PATIENCE_SECONDS = 10.0


def secret_of(name: str) -> bytes:
    """32 bytes that stand for a name."""
    return blake3(name.encode()).digest()


def noise(size: int, seed: str = "noise") -> bytes:
    """Bytes that look random and are the same in every run."""
    return blake3(seed.encode()).digest(size)


def write(path: Path, data: bytes) -> Path:
    """A file with these bytes."""
    path.write_bytes(data)
    return path


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def job_of(path: Path, key: str) -> Job:
    """A file to be put, as the command line would have it."""
    return Job(key, lambda: FileSource(path), path.stat().st_size)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that must come; far more patient than it should need."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Client:
    """What a command of a home works with."""

    link: HomeLink
    files: Files
    reader: Reader

    async def put(self, path: Path, key: str, *, copies: int | None = None) -> Stored:
        """Put one file, raising what failed."""
        [stored] = [stored async for stored in self.files.put([job_of(path, key)], Wish(copies))]
        if stored.error is not None:
            raise stored.error
        return stored

    async def get(self, stored: Stored, target: Path) -> bytes:
        """Fetch what a put stored, by its cap alone, to a new file; the bytes."""
        assert stored.cap is not None
        root = await self.reader.open(stored.cap)
        await self.reader.fetch_to(stored.cap, root, target)
        return content_of(target)

    async def alive(self) -> list[str]:
        """Names of the nodes that its node sees alive, itself included."""
        told = await self.link.ask(q.Peers(), q.PeersTold)
        return sorted(line.name for line in told.nodes if line.state == "alive")

    async def status(self) -> q.StatusTold:
        return await self.link.ask(q.Status(), q.StatusTold)


class _Running:
    def __init__(self, task: asyncio.Task[None], ready: Ready, workers: ThreadWorkers) -> None:
        self.task = task
        self.ready = ready
        self.workers = workers


class Network:
    """The homes, by their owners' names; the first one founds the network."""

    def __init__(self, root: Path, tasks: asyncio.TaskGroup, *, copies: int) -> None:
        self.root = root
        self._tasks = tasks
        self._copies = copies
        self._running: dict[str, _Running] = {}
        self._founder = ""
        self._statements: list[Signed] = []

    # --- homes

    def owner(self, name: str) -> OwnerKeys:
        return OwnerKeys.from_entropy(secret_of(f"owner {name}"))

    def device(self, name: str) -> DeviceKey:
        return DeviceKey(secret_of(f"device {name}"))

    def node(self, name: str) -> NodeId:
        return self.device(name).node

    def home(self, name: str) -> Home:
        """The home of a member, made when first asked for."""
        if (self.root / name / "home.json").exists():
            return Home.open(self.root / name)
        owner, device, now = self.owner(name), self.device(name), int(time.time())
        if not self._founder:
            self._founder = name
            founding = st.found(owner.signing, nonce=bytes(16), created=now, name=name, copies=self._copies)
            self._statements.append(founding)
            statements = [founding, self._certificate(name, now)]
        else:
            brought = self.invitation(name, expires=0)
            admission = st.admit(
                self.device(self._founder),
                st.network_id(self._statements[0]),
                join_digest=st.digest(brought[1]),
                owner=owner.owner,
                admitted=now,
            )
            founder = self._certificate(self._founder, now)
            statements = [self._statements[0], founder, *brought, admission]
        return self._create(name, statements, device)

    def invitation(self, name: str, *, expires: int, invited_as: str = "") -> list[Signed]:
        """Invite, join and certificate of a newcomer; the invite may have been meant for somebody else."""
        owner, now, network = self.owner(name), int(time.time()), st.network_id(self._statements[0])
        one_time = Ed25519Key(secret_of(f"invite {invited_as or name}"))
        founder = self.owner(self._founder).signing
        invite = st.invite(founder, network, one_time=one_time.public, created=1, expires=expires)
        return [
            invite,
            st.join(one_time, owner.signing, network, created=now, name=name),
            self._certificate(name, now),
        ]

    def newcomer(
        self, name: str, *, expires: int = 0, invited_as: str = "", secret: str = "network", invited: bool = True
    ) -> Home:
        """A home that has to be admitted yet."""
        brought = self.invitation(name, expires=expires, invited_as=invited_as)
        statements = [self._statements[0], *(brought if invited else brought[2:])]
        return self._create(name, statements, self.device(name), secret)

    def founding(self) -> list[Signed]:
        """The network's founding, once a home was made."""
        return self._statements[:1]

    def _certificate(self, name: str, now: int) -> Signed:
        network = st.network_id(self._statements[0])
        return st.certify(self.owner(name).signing, self.device(name), network, created=now)

    def _create(self, name: str, statements: list[Signed], device: DeviceKey, secret: str = "network") -> Home:
        papers = Papers(tuple(encode_signed(statement) for statement in statements), ())
        new = NewHome(
            st.network_id(self._statements[0]),
            secret_of(secret),
            secret_of(f"owner {name}"),
            secret_of(f"device {name}"),
            name,
            papers,
        )
        return Home.create(self.root / name, new)

    # --- nodes

    def config(self, name: str, **changes: object) -> NodeConfig:
        """The settings of a home's node; it knows the founder's address, if that is up."""
        home = self.home(name)
        peer = self._running.get(self._founder)
        facts: dict[str, object] = {
            "network": home.network,
            "secret": home.secret(),
            "device": home.device(),
            "owner": home.owner,
            "name": name,
            "listen": LOOPBACK,
            "bootstrap": peer.ready.listen if peer else (),
            "capacity": ROOMY,
            "control": home.socket,
            "papers": home.papers().statements,
            "timing": FAST,
        }
        return NodeConfig(**(facts | changes))  # type: ignore[arg-type]

    async def up(
        self,
        name: str,
        *,
        disk: Callable[[Disk], Disk] = lambda disk: disk,
        tcp: Callable[[Transport], Transport] = lambda tcp: tcp,
        **changes: object,
    ) -> Ready:
        """Start a home's node; `disk` and `tcp` may wrap the real ones, `changes` are those of its settings."""
        config = self.config(name, **changes)
        workers = ThreadWorkers()
        transports: Mapping[str, Transport] = {"tcp": tcp(TcpTransport()), "unix": UnixTransport()}
        node = Node(
            config,
            disk=disk(SystemDisk(self.root / name)),
            transports=transports,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            workers=workers,
        )
        ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        task = self._tasks.create_task(node.run(ready.set_result))
        task.add_done_callback(lambda _: ready.cancel())
        await asyncio.wait([ready])
        if task.done():
            await task
        self._running[name] = _Running(task, await ready, workers)
        return await ready

    async def down(self, name: str) -> None:
        """Stop a home's node."""
        running = self._running.pop(name)
        running.task.cancel()
        await asyncio.wait([running.task])
        running.workers.close()

    async def end(self) -> None:
        for name in list(self._running):
            await self.down(name)

    @property
    def running(self) -> list[str]:
        """The names of those whose nodes are up."""
        return list(self._running)

    def address(self, name: str) -> str:
        """Where a running node listens."""
        return self._running[name].ready.listen[0]

    # --- commands

    @asynccontextmanager
    async def client(self, name: str, *, shape: Shape = SMALL, copies: int | None = None) -> AsyncIterator[Client]:
        """A command of a home whose node is up."""
        home, workers, unix = self.home(name), ThreadWorkers(), UnixTransport()

        async def reach() -> Session:
            return await connect(unix, home.socket, c.COMMAND_MESSAGES)

        link = HomeLink(reach)
        owner = Owner(home.owner_keys(), home.network, home.node, self._copies if copies is None else copies)
        clock, entropy = SystemClock(), SystemEntropy()
        files = Files(link, owner, workers=workers, clock=clock, entropy=entropy, shape=shape)
        try:
            yield Client(link, files, Reader(link, workers=workers, shape=shape))
        finally:
            link.close()
            workers.close()

    async def acquainted(self, *names: str) -> None:
        """Wait until each of these that runs a node sees all of them."""
        for name in self._running.keys() & set(names):
            async with self.client(name) as client:

                async def all_there(client: Client = client) -> bool:
                    return set(names) <= set(await client.alive())

                await until(all_there)


@asynccontextmanager
async def live(root: Path, names: str = "ann", *, copies: int = 2) -> AsyncIterator[Network]:
    """A network of these members, all up and acquainted; everything ends with the context."""
    async with asyncio.TaskGroup() as tasks:
        network = Network(root, tasks, copies=copies)
        try:
            for name in names.split():
                await network.up(name)
            await network.acquainted(*names.split())
            yield network
        finally:
            await network.end()
            for _ in range(5):
                await asyncio.sleep(0)  # connections that asyncio had just accepted are ended in tasks of its own
