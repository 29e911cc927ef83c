"""What is short is completed when somebody comes who can help, and costs nothing until then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from capsa.client.puts.upload import BUFFERS
from capsa.core.claims import make_release
from capsa.core.commands import Done, EndClaims
from capsa.core.messages import Claim, Message, Put
from capsa.net.rpc import Answer
from capsa.net.session import Session
from tests.client.puts.test_upload import Counting
from tests.node.liar import Liar, lying
from tests.node.network import FAST, Client, job_of, live, noise, until, write


async def complete(client: Client) -> None:
    async def nothing_is_short() -> bool:
        return not (await client.status()).underreplicated

    await until(nothing_is_short)


async def test_a_released_claim_in_a_short_part_is_not_short_for_ever(tmp_path: Path) -> None:
    """Holders take no blocks for it any more: asking for it again would go on without end."""
    paths = [write(tmp_path / name, noise(10, name)) for name in ("kept", "ended")]
    async with live(tmp_path, "ann bob", copies=2) as network, network.client("ann") as ann:
        async for _ in ann.files.put([job_of(path, path.name) for path in paths]):
            pass
        ended = (await (await ann.files.catalog.snapshot()).look_up("ended")).current
        assert ended is not None
        home = network.home("ann")
        note = make_release(home.owner_keys().signing, home.network, [ended.claim])
        await ann.link.ask(EndClaims(note.signed), Done)
        assert (await ann.status()).underreplicated
        await network.up("cid")
        await complete(ann)


async def test_nobody_is_asked_again_while_nobody_new_is_there(tmp_path: Path) -> None:
    """In a network smaller than the copies wanted, every claim is short for as long as it stays so."""
    source = write(tmp_path / "film.bin", noise(50_000))
    async with live(tmp_path, "ann", copies=2) as network, lying(network, "bob") as bob:
        bob.lie = Counting(network, "bob")
        await network.acquainted("ann", "bob")
        async with network.client("ann") as ann:
            assert (await ann.put(source, "film.bin")).durable == 2
            asked = len(of_kind(bob, Claim))
            await asyncio.sleep(5 * FAST.settle)
            assert asked and len(of_kind(bob, Claim)) == asked
            await network.up("cid")
            await complete(ann)


class Stuck(Liar):
    """Its disk hangs: it gossips, and never answers a put."""

    async def _handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Put):
            self.asked.append(message)
            await asyncio.get_running_loop().create_future()
        return await super()._handle(session, message, payload)


async def test_a_holder_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(400_000))
    timing = replace(FAST, transfer=0.3)
    async with live(tmp_path, "cid", copies=1) as network:
        await network.up("ann", timing=timing)
        await network.acquainted("ann", "cid")
        async with lying(network, "bob", kind=Stuck) as bob:
            await network.acquainted("ann", "bob")
            async with network.client("ann") as ann:
                stored = await ann.put(source, "film.bin")
        assert stored.durable == 2
        assert 0 < len(of_kind(bob, Put)) <= 2 * BUFFERS < stored.blocks // 3


def of_kind(liar: Liar, kind: type[Message]) -> list[Message]:
    return [message for message in liar.asked if isinstance(message, kind)]
