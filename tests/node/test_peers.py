"""Knowing each other: one address suffices, and is not needed again."""

from __future__ import annotations

from pathlib import Path

from capsa.core import commands as c
from capsa.core import inquiries as q
from tests.node.network import live, until


async def test_one_address_suffices_to_learn_all_members_and_to_be_learnt(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob cid dan") as network:
        for name in ("ann", "dan"):
            async with network.client(name) as client:
                assert await client.alive() == ["ann", "bob", "cid", "dan"]


async def test_peers_are_remembered_over_a_restart(tmp_path: Path) -> None:
    """The first one stays away for good, and nobody is given an address again."""
    async with live(tmp_path, "ann bob cid") as network:
        await network.down("ann")
        await network.down("bob")
        await network.up("bob", bootstrap=())
        await network.acquainted("bob", "cid")


async def test_a_node_that_does_not_listen_is_known_to_all(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob") as network:
        await network.up("hid", listen=())
        await network.acquainted("ann", "bob", "hid")
        async with network.client("bob") as bob:
            told = await bob.link.ask(q.Peers(), q.PeersTold)
            assert [line.addresses for line in told.nodes if line.name == "hid"] == [()]
        async with network.client("hid") as hid:
            assert (await hid.status()).reachable == "no"


async def test_who_went_away_is_missed_and_seen_again(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob") as network, network.client("ann") as ann:
        await network.down("bob")

        async def missed() -> bool:
            return (await ann.status()).suspect == 1

        await until(missed)
        await network.up("bob")
        await network.acquainted("ann", "bob")


async def test_a_command_that_runs_without_up_is_no_node_of_the_network(tmp_path: Path) -> None:
    """It signs no record, so that nothing is placed on it."""
    async with live(tmp_path, "ann") as network:
        await network.up("bob", listen=(), serving=False, capacity=0)
        async with network.client("bob") as bob:

            async def met() -> bool:
                return (await bob.link.ask(c.Greet(), c.Greeted)).settled

            await until(met)
        async with network.client("ann") as ann:
            assert await ann.alive() == ["ann"]


async def test_addresses_go_on_the_contact_card(tmp_path: Path) -> None:
    async with live(tmp_path, "ann bob") as network, network.client("bob") as bob:
        told = await bob.link.ask(q.Contacts(), q.ContactsTold)
        assert {line.addresses for line in told.contacts} == {(network.address("ann"),), (network.address("bob"),)}
