"""Who is taken for what in a handshake, and how much one can make a node think who only knows the secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from capsa.core import statements as st
from capsa.core.ids import NetworkId, NodeId
from capsa.core.keys import DeviceKey
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


NEXT = DeviceKey(secret_of("bob's next device"))


def _certificate(network: Network, name: str, *, device: DeviceKey = NEXT) -> Signed:
    return st.certify(network.owner(name).signing, device, network.home("ann").network, created=2)


def _shown(network: Network, statements: list[Signed], role: Role) -> bytes:
    """The proof of Bob's next device, made of these statements."""
    papers = tuple(encode_signed(each) for each in (*network.founding(), *statements))
    config = replace(network.config("ann"), device=NEXT, owner=network.owner("bob").owner, papers=papers)
    workers = ThreadWorkers()
    members = Members(config, state=State(apsw.Connection(":memory:")), workers=workers)
    workers.close()
    return Identity(config, members, SystemClock()).prove(role, STATIC)


@pytest.mark.parametrize(
    ("case", "admitted"),
    [
        ("certified by a member", True),
        ("certified by a stranger", False),
        ("certified by who was revoked", False),
        ("certified, then revoked", False),
        ("another device certified", False),
        ("not certified", False),
        ("asked in the other role", False),
    ],
)
async def test_a_certificate_alone_lets_in_a_new_device_of_a_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, admitted: bool
) -> None:
    async with asyncio.TaskGroup() as tasks:
        network = Network(tmp_path, tasks, copies=1)
        ann, network_id = network.owner("ann").signing, network.home("ann").network
        network.home("bob")
        said: list[Signed] = []
        match case:
            case "certified by a stranger":
                brought = [_certificate(network, "eve")]
            case "another device certified":
                brought = [_certificate(network, "bob", device=network.device("eve"))]
            case "not certified":
                brought = []
            case _:
                brought = [_certificate(network, "bob")]
        if case == "certified by who was revoked":
            said = [st.revoke(ann, network_id, subject=network.owner("bob").owner, created=3)]
        if case == "certified, then revoked":
            revocation = st.revoke(network.owner("bob").signing, network_id, subject=NEXT.node, created=3)
            said = [*brought, revocation]
        async with knowing(network, "ann") as (ours, members), knowing(network, "bob") as (_, theirs):
            everything = [*theirs.roster.statements, *said]
            await members.learn(statements=[encode_signed(each) for each in everything])
            assert members.roster.is_member(network.owner("bob").owner) == (case != "certified by who was revoked")
            role = Role.RESPONDER if case == "asked in the other role" else Role.INITIATOR
            proof = _shown(network, brought, role)
            evaluate, known = Roster.evaluate, len(members.roster.statements)

            def within_bounds(network: NetworkId, statements: Iterable[Signed]) -> Roster:
                listed = list(statements)
                assert admitted or len(listed) < known, "all that is known was evaluated for a stranger"
                return evaluate(network, listed)

            monkeypatch.setattr(Roster, "evaluate", within_bounds)
            if not admitted:
                with pytest.raises(NotMemberError):
                    ours.check(role, STATIC, proof)
                return
            peer = ours.check(role, STATIC, proof)
            assert (peer.node, peer.owner, peer.admitted) == (NEXT.node, network.owner("bob").owner, True)
            assert members.roster.owner_of(NEXT.node) == network.owner("bob").owner
