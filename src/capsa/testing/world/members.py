"""Owners with homes in the simulated world: the very nodes of real machines, and the commands that talk to them.

A `Circle` is one network. Each owner's node runs on the host of its name; each command is another host beside it, so
that a scenario may kill either.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from capsa.client.files import Files
from capsa.client.gets.reading import Reader
from capsa.client.link import HomeLink
from capsa.client.puts.jobs import Job, Stored, Wish
from capsa.client.puts.stamps import Stamp
from capsa.client.snapshot import Owner
from capsa.core.caps import Cap
from capsa.core.commands import COMMAND_MESSAGES, Greet, Greeted
from capsa.core.ids import NetworkId
from capsa.core.inquiries import Peers, PeersTold, Status, StatusTold
from capsa.core.keys import DeviceKey, Ed25519Key, OwnerKeys
from capsa.core.pages import Kind, Shape
from capsa.core.signing import encode_signed
from capsa.core.statements import certify, found, invite, join, network_id
from capsa.errors import CapsaError
from capsa.net.local import connect
from capsa.node.app import Node
from capsa.node.settings import NodeConfig, Timing
from capsa.testing.world.sources import START, SeededEntropy
from capsa.testing.world.wires import Link
from capsa.testing.world.world import Host, World

T = TypeVar("T")

SHAPE: Final = Shape(chunk_size=1024, fanout=4, inline_max=512)
"""Small enough for a tree of several floors to be a few kilobytes long."""
TIMING: Final = Timing(settle=2.0, transfer=5.0, ask=5.0, dial_retry=0.5, dial_retry_max=4.0)
SEGMENT_SIZE: Final = 32 * 1024
CAPACITY: Final = 10**9
PEER_PORT: Final = 1
CONTROL_PORT: Final = 2

_BESIDE: Final = Link(latency_s=50e-6)
_POLL_SECONDS: Final = 0.25
_PLAIN: Final = Wish()
_MEETING_SECONDS_MAX: Final = 60.0


class Content:
    """A `Source` over bytes: the same at each opening. With a `stamp`, it can be known without being opened."""

    kind = Kind.FILE
    link_target = ""

    def __init__(self, data: bytes, name: str = "", stamp: Stamp | None = None) -> None:
        self.stamp = stamp
        self._stream = io.BytesIO(data)
        self.name = name
        self.size: int | None = len(data)
        self.mtime_ns: int | None = int(START) * 10**9
        self.mode = 0o644

    def read_into(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer)

    def close(self) -> None:
        """Nothing to let go."""


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """An owner, and a home of theirs."""

    keys: OwnerKeys
    device: DeviceKey
    config: NodeConfig

    @property
    def name(self) -> str:
        return self.config.name

    async def serve(self, host: Host) -> None:
        """Run the home's node: the `main` of its host."""
        node = Node(
            self.config,
            disk=host.disk,
            transports={host.transport.scheme: host.transport},
            clock=host.clock,
            entropy=host.entropy,
            workers=host.workers,
        )
        await node.run()


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with."""

    link: HomeLink
    files: Files
    reader: Reader

    def put_each(self, contents: Mapping[str, bytes], wish: Wish = _PLAIN) -> AsyncIterator[Stored]:
        """Put bytes under keys, yielding what became of each as soon as it is acknowledged."""
        return self.files.put([Job(key, partial(Content, data), len(data)) for key, data in contents.items()], wish)

    async def put(self, contents: Mapping[str, bytes], wish: Wish = _PLAIN) -> list[Stored]:
        """Put bytes under keys; what became of each."""
        return [stored async for stored in self.put_each(contents, wish)]

    async def get(self, cap: Cap) -> bytes:
        """The whole of a file."""
        out = io.BytesIO()
        await self.reader.read(await self.reader.open(cap), out)
        return out.getvalue()

    async def get_key(self, key: str) -> bytes | None:
        """The whole of what the catalog holds under a key; None if it holds nothing there."""
        view = await (await self.files.catalog.snapshot()).look_up(key)
        return None if view.current is None else await self.get(view.current.cap)


Work = Callable[[Desk], Awaitable[T]]


class Circle:
    """One network in a world: founded by the first of `names`, who has invited the others.

    Those in `bare` have no room for others' blocks. All but the founder are given its address alone.
    """

    def __init__(self, world: World, names: Sequence[str], *, bare: Sequence[str] = (), copies: int = 3) -> None:
        self._world = world
        self._entropy = SeededEntropy(world.seed, "circle")
        self._commands: dict[str, list[Host]] = {name: [] for name in names}
        self._secret = self._entropy.take(32)
        self._founder, *guests = names
        owner, device = self._new_keys()
        founding = found(
            owner.signing, nonce=self._entropy.take(16), created=int(START), name=self._founder, copies=copies
        )
        self._founding = encode_signed(founding)
        self._network = network_id(founding)
        certificate = certify(owner.signing, device, self._network, created=int(START))
        first = self._member(self._founder, owner, device, (encode_signed(certificate),), ())
        self.members: dict[str, Member] = {self._founder: first}
        for name in guests:
            self.members[name] = self.newcomer(name, self.invite(), via=self._founder)
        for name in bare:
            self.change(name, capacity=0)

    # --- who is in it

    def invite(self, expires: int = 0) -> tuple[bytes, Ed25519Key]:
        """The founder's grant, and the one-time key that it is made to."""
        one_time = Ed25519Key(self._entropy.take(32))
        founder = self.members[self._founder].keys.signing
        grant = invite(founder, self._network, one_time=one_time.public, created=int(START), expires=expires)
        return encode_signed(grant), one_time

    def newcomer(self, name: str, invitation: tuple[bytes, Ed25519Key], *, via: str) -> Member:
        """A new owner with an invite, who knows the address of one member. It is not in the circle's list yet."""
        grant, one_time = invitation
        owner, device = self._new_keys()
        joining = join(one_time, owner.signing, self._network, created=int(START), name=name)
        certificate = certify(owner.signing, device, self._network, created=int(START))
        papers = (grant, encode_signed(joining), encode_signed(certificate))
        return self._member(name, owner, device, papers, (f"sim://{via}:{PEER_PORT}",))

    def another(self, name: str, *, of: str, via: str) -> Member:
        """A further device of an owner, as `recover` makes it of the phrase and a card with the address of `via`.

        It is not in the circle's list yet.
        """
        owner, device = self.members[of].keys, DeviceKey(self._entropy.take(32))
        certificate = certify(owner.signing, device, self._network, created=int(START))
        return self._member(name, owner, device, (encode_signed(certificate),), (f"sim://{via}:{PEER_PORT}",))

    def add(self, member: Member) -> None:
        """List a newcomer, or another device."""
        self.members[member.name] = member
        self._commands[member.name] = []

    def change(self, name: str, **settings: object) -> None:
        """Other settings for a member's node, from its next start."""
        member = self.members[name]
        self.members[name] = replace(member, config=replace(member.config, **settings))  # type: ignore[arg-type]

    @property
    def network(self) -> NetworkId:
        return self._network

    def host(self, name: str) -> Host:
        """The machine of a member's node."""
        return self._world.host(name)

    def _new_keys(self) -> tuple[OwnerKeys, DeviceKey]:
        return OwnerKeys.from_entropy(self._entropy.take(32)), DeviceKey(self._entropy.take(32))

    def _member(
        self, name: str, keys: OwnerKeys, device: DeviceKey, papers: tuple[bytes, ...], bootstrap: tuple[str, ...]
    ) -> Member:
        config = NodeConfig(
            network=self._network,
            secret=self._secret,
            device=device,
            owner=keys.owner,
            name=name,
            listen=(f"sim://{name}:{PEER_PORT}",),
            bootstrap=bootstrap,
            capacity=CAPACITY,
            control=f"sim://{name}:{CONTROL_PORT}",
            papers=(self._founding, *papers),
            segment_size=SEGMENT_SIZE,
            timing=TIMING,
        )
        return Member(keys, device, config)

    # --- nodes

    def start(self, *names: str) -> None:
        """Start these members' nodes; without names, all."""
        for name in names or self.members:
            self.host(name).start(self.members[name].serve)

    async def met(self, *names: str) -> float:
        """Wait until each of these (without names, all) sees all others of them alive; seconds that it took."""
        names = names or tuple(self.members)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        wanted = {bytes(self.members[name].device.node) for name in names}

        async def see(desk: Desk) -> None:
            async with asyncio.timeout(_MEETING_SECONDS_MAX):
                while True:
                    told = await desk.link.ask(Peers(), PeersTold)
                    if wanted <= {line.node for line in told.nodes if line.state == "alive"}:
                        return
                    await asyncio.sleep(_POLL_SECONDS)

        for name in names:
            await self.run(name, see)
        return loop.time() - begun

    async def gather(self) -> None:
        """Start all, and wait until they have met."""
        self.start()
        await self.met()

    async def completed(self, name: str, *, within: float) -> None:
        """Wait until a node counts nothing that is short of copies; `TimeoutError`."""

        async def watch(desk: Desk) -> None:
            async with asyncio.timeout(within):
                while True:
                    if not (await desk.link.ask(Status(), StatusTold)).underreplicated:
                        return
                    await asyncio.sleep(_POLL_SECONDS)

        await self.run(name, watch)

    # --- commands

    def command(self, name: str, work: Work[object], *, failed: Callable[[CapsaError], None] | None = None) -> Host:
        """Start a command at a member's home, on a host of its own.

        Its error is told to `failed`; without that, it ends the world.
        """
        commands = self._commands[name]
        host = self._world.host(f"{name}-command-{len(commands) + 1}")
        commands.append(host)
        self._world.network.set_link(name, host.name, _BESIDE)
        member = self.members[name]

        async def main(host: Host) -> None:
            control = f"sim://{name}:{CONTROL_PORT}"
            link = HomeLink(lambda: connect(host.transport, control, COMMAND_MESSAGES))
            try:
                facts = await link.ask(Greet(), Greeted)
                owner = Owner(member.keys, self._network, member.device.node, facts.copies)
                files = Files(link, owner, workers=host.workers, clock=host.clock, entropy=host.entropy, shape=SHAPE)
                await work(Desk(link, files, Reader(link, workers=host.workers, shape=SHAPE)))
            except CapsaError as error:
                if failed is None:
                    raise
                failed(error)
            finally:
                link.close()

        host.start(main)
        return host

    async def run(self, name: str, work: Work[T]) -> T:
        """Run a command to its end; what it returns."""
        results: list[T] = []

        async def main(desk: Desk) -> None:
            results.append(await work(desk))

        await self.command(name, main).ended()
        return results[0]

    async def attempt(self, name: str, work: Work[T]) -> T | CapsaError | None:
        """Run a command that may fail, or be killed on the way: what it returns, its error, or None."""
        outcomes: list[T | CapsaError] = []

        async def main(desk: Desk) -> None:
            outcomes.append(await work(desk))

        await self.command(name, main, failed=outcomes.append).ended()
        return outcomes[0] if outcomes else None

    async def put(self, name: str, contents: Mapping[str, bytes], wish: Wish = _PLAIN) -> dict[str, Stored]:
        """Put bytes under keys from a member's home; what became of each key."""
        stored = await self.run(name, lambda desk: desk.put(contents, wish))
        return {one.key: one for one in stored}

    async def get(self, name: str, cap: Cap) -> bytes:
        """Read a file by its cap at a member's home."""
        return await self.run(name, lambda desk: desk.get(cap))

    async def get_key(self, name: str, key: str) -> bytes | None:
        """Read a file by its key at its owner's home; None if the catalog has no such key."""
        return await self.run(name, lambda desk: desk.get_key(key))

    async def cut_power(self, name: str) -> None:
        """The machine of a home loses power: its node and its commands are gone at once."""
        hosts = [self.host(name), *(host for host in self._commands[name] if host.running)]
        for host in hosts:
            host.power_off()
        for host in hosts:
            await host.ended()
