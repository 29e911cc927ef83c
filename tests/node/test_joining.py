"""Who gets in: those with the network's secret and a grant that nobody else has used; nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.core import commands as c
from capsa.core.messages import Get, Inventory, Ping, Pong
from capsa.errors import CapsaError, NotMemberError
from tests.node.liar import lying
from tests.node.network import Network, live, until


async def refusal_of(network: Network, name: str) -> str:
    """Why a node that asks is not let in, once somebody has said so."""
    async with network.client(name) as client:

        async def refused() -> bool:
            return bool((await client.link.ask(c.Greet(), c.Greeted)).refusal)

        await until(refused)
        told = await client.link.ask(c.Greet(), c.Greeted)
        assert not told.admitted
        return told.refusal


async def become_member(network: Network, name: str) -> None:
    async with network.client(name) as client:

        async def admitted() -> bool:
            return (await client.link.ask(c.Greet(), c.Greeted)).admitted

        await until(admitted)


async def test_a_newcomer_with_an_invite_is_admitted_and_all_learn_of_it(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob") as network:
        network.newcomer("cid")
        await network.up("cid")
        await become_member(network, "cid")
        await network.acquainted("ann", "bob", "cid")


async def test_a_member_who_did_not_invite_admits_too(tmp_path: Path) -> None:
    """Inviting needs the inviter to be online no longer."""
    async with live(tmp_path, "ann bob") as network:
        bob = network.address("bob")
        network.newcomer("cid")
        await network.down("ann")
        await network.up("cid", bootstrap=(bob,))
        await become_member(network, "cid")
        await network.acquainted("bob", "cid")


async def test_a_newcomer_with_nobody_online_comes_in_once_somebody_is(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        address = network.address("ann")
        await network.down("ann")
        network.newcomer("cid")
        await network.up("cid", bootstrap=(address,))
        async with network.client("cid") as cid:
            assert not (await cid.link.ask(c.Greet(), c.Greeted)).admitted
        await network.up("ann", listen=(address,))
        await become_member(network, "cid")


async def test_an_invite_lets_one_owner_in_and_refuses_the_second(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob") as network:
        network.newcomer("cid")
        await network.up("cid")
        await become_member(network, "cid")
        await network.acquainted("ann", "bob", "cid")
        network.newcomer("thief", invited_as="cid")
        for member in ("ann", "bob"):
            await network.up("thief", bootstrap=(network.address(member),))
            assert "used" in await refusal_of(network, "thief")
            await network.down("thief")


async def test_an_expired_invite_is_refused(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        network.newcomer("late", expires=1_000_000_000)
        await network.up("late")
        assert "expired" in await refusal_of(network, "late")


async def test_the_secret_alone_gets_no_session(tmp_path: Path) -> None:
    """A device with a certificate of its own owner, whom nobody granted anything."""
    async with live(tmp_path, "ann") as network:
        network.newcomer("stranger", invited=False)
        async with lying(network, "stranger", announced=False) as stranger:
            with pytest.raises(CapsaError):
                await stranger.ask("ann", Ping(), Pong)
            assert not stranger.pool.sessions
        async with network.client("ann") as ann:
            assert await ann.alive() == ["ann"]


async def test_an_invite_alone_gets_a_session_for_admission_only(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        network.newcomer("cid")
        async with lying(network, "cid", announced=False) as cid:
            session = await cid.pool.dial(network.address("ann"))
            for ask in (Inventory(), Get(bytes(32)), Ping()):
                with pytest.raises(NotMemberError):
                    await session.call(ask, timeout=10)


async def test_a_grant_without_the_secret_gets_no_session(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        network.newcomer("cid", secret="guessed")
        async with lying(network, "cid", announced=False) as cid:
            with pytest.raises(CapsaError):
                await cid.pool.dial(network.address("ann"))
