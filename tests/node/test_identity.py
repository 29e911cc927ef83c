"""Who is taken for what in a handshake, and how much one can make a node think who only knows the secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from capsa.core import statements as st
from capsa.core.ids import NetworkId, NodeId
from capsa.core.signing import Signed, encode_signed
from capsa.core.trust import PROOF_STATEMENTS_MAX, Roster
from capsa.errors import NotMemberError
from capsa.net.identity import Role
from capsa.node.identity import Identity
from capsa.node.membership import Members
from capsa.node.runtime import SystemClock, ThreadWorkers
from capsa.node.state import State
from tests.node.network import Network, secret_of

STATIC = bytes(32)


@asynccontextmanager
async def knowing(network: Network, name: str) -> AsyncIterator[tuple[Identity, Members]]:
    """What a home knows of its network, and the identity of its node."""
    workers = ThreadWorkers()
    members = Members(network.config(name), state=State(apsw.Connection(":memory:")), workers=workers)
    await members.open()
    yield Identity(network.config(name), members, SystemClock()), members
    workers.close()


def member(network: Network) -> None:
    network.home("bob")


def revoked(network: Network) -> None:
    network.home("bob")


def joiner(network: Network) -> None:
    network.newcomer("bob")


def uninvited(network: Network) -> None:
    network.newcomer("bob", invited=False)


def out_of_date(network: Network) -> None:
    network.newcomer("bob", expires=1)


@pytest.mark.parametrize(
    ("make", "admitted", "evaluations"),
    [(member, True, 1), (joiner, False, 1), (revoked, None, 1), (uninvited, None, 0), (out_of_date, None, 0)],
)
async def test_a_stranger_makes_no_node_evaluate_all_that_it_knows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Network], None],
    admitted: bool | None,
    evaluations: int,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        network = Network(tmp_path, tasks, copies=1)
        network.home("ann")
        make(network)
        ann, network_id = network.owner("ann").signing, network.home("ann").network
        said = [st.invite(ann, network_id, one_time=secret_of(f"{n}"), created=n) for n in range(PROOF_STATEMENTS_MAX)]
        if make is revoked:
            said.append(st.revoke(ann, network_id, subject=network.owner("bob").owner, created=1))
        async with knowing(network, "ann") as (ours, members), knowing(network, "bob") as (theirs, _):
            await members.learn(statements=[encode_signed(each) for each in said])
            assert members.admitted
            proof = theirs.prove(Role.INITIATOR, STATIC)
            sizes: list[int] = []
            evaluate = Roster.evaluate

            def counted(network: NetworkId, statements: Iterable[Signed]) -> Roster:
                listed = list(statements)
                sizes.append(len(listed))
                return evaluate(network, listed)

            monkeypatch.setattr(Roster, "evaluate", counted)
            if admitted is None:
                with pytest.raises(NotMemberError):
                    ours.check(Role.INITIATOR, STATIC, proof)
            else:
                peer = ours.check(Role.INITIATOR, STATIC, proof)
                assert (peer.node, peer.admitted) == (NodeId(network.node("bob")), admitted)
            assert sum(size > PROOF_STATEMENTS_MAX for size in sizes) == evaluations
