"""What somebody should look at is said once in the log, and counted for `status`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from capsa.core import statements as st
from capsa.core.heads import make_head
from capsa.core.signing import encode_signed
from capsa.faces.cli.commands.network import judge_health
from capsa.node.membership import Members
from capsa.node.runtime import ThreadWorkers
from capsa.node.state import State
from tests.node.network import Network, live


async def let_two_in(members: Members, network: Network) -> None:
    """Two nodes that did not know of each other admitted one each."""
    for name in ("cid", "dee"):
        invite, join, certificate = network.invitation(name, expires=0, invited_as="cid")
        admission = st.admit(
            network.device("ann"),
            network.home("ann").network,
            join_digest=st.digest(join),
            owner=network.owner(name).owner,
            admitted=1,
        )
        said = (invite, join, certificate, admission)
        await members.learn(statements=[encode_signed(each) for each in said])


async def fork(members: Members, network: Network) -> None:
    for created in (1, 2):
        head = make_head(
            network.owner("ann"),
            network.home("ann").network,
            device=network.node("ann"),
            sequence=1,
            lamport=0,
            previous=None,
            root=None,
            entries=0,
            complete=None,
            seen={},
            created=created,
        )
        await members.learn(heads=[head.signed])


async def test_an_invite_used_twice_and_a_fork_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.TaskGroup() as tasks:
        network, workers, state = (
            Network(tmp_path, tasks, copies=1),
            ThreadWorkers(),
            State(apsw.Connection(":memory:")),
        )
        members = Members(network.config("ann"), state=state, workers=workers)
        await members.open()
        assert (members.alarms(), members.forked()) == ([], set())
        for _ in range(2):
            await let_two_in(members, network)
            await fork(members, network)
        assert (len(members.alarms()), len(members.forked())) == (1, 1)
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
        assert "cid" in caplog.text and "dee" in caplog.text and network.node("ann").hex()[:8] in caplog.text
        put_out = st.revoke(
            network.owner("ann").signing, network.home("ann").network, subject=network.owner("dee").owner, created=2
        )
        await members.learn(statements=[encode_signed(put_out)])
        assert not members.alarms()
        workers.close()


async def test_status_counts_them(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network, network.client("ann") as ann:
        told = await ann.status()
        assert (told.alarms, told.forks) == (0, 0)
        _, before = judge_health(told)
        _, reasons = judge_health(replace(told, alarms=1, forks=1))
        assert [reason for reason in reasons if reason not in before] == [
            "1 invite let in several owners",
            "1 device signed two catalogs of one number: a key may be in two places",
        ]
