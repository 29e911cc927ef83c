"""What was seen of an owner's heads is not forgotten, and what is missing is known to be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from capsa.core import statements as st
from capsa.core.heads import Head, make_head
from capsa.core.ids import NodeId
from capsa.core.keys import DeviceKey
from capsa.core.messages import Sync
from capsa.core.signing import encode_signed
from capsa.node.membership import Members
from capsa.node.runtime import ThreadWorkers
from capsa.node.state import State
from tests.node.network import Network, secret_of

LAPTOP, DESK = DeviceKey(secret_of("laptop")), DeviceKey(secret_of("desk"))


class Ann:
    """What Ann's home knows, over one `state.db`; she has two devices more."""

    def __init__(self, root: Path) -> None:
        self.network = Network(root, asyncio.TaskGroup(), copies=1)
        self.keys = self.network.owner("ann")
        self.id = self.network.home("ann").network
        self.workers = ThreadWorkers()
        self._state = State(apsw.Connection(":memory:"))

    async def members(self) -> Members:
        """As after a start."""
        members = Members(self.network.config("ann"), state=self._state, workers=self.workers)
        await members.open()
        devices = [st.certify(self.keys.signing, device, self.id, created=2) for device in (LAPTOP, DESK)]
        await members.learn(statements=[encode_signed(each) for each in devices])
        return members

    def head(self, device: DeviceKey, number: int, *, complete: Head | None = None, **seen: int) -> Head:
        return make_head(
            self.keys,
            self.id,
            device=device.node,
            sequence=number,
            lamport=number,
            previous=complete.ref if complete else None,
            root=None,
            entries=0,
            complete=complete.ref if complete else None,
            seen={LAPTOP.node: seen["laptop"]} if seen else {},
            created=number,
        )


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Ann]:
    ann = Ann(tmp_path)
    yield ann
    ann.workers.close()


async def told(members: Members, *heads: Head) -> None:
    await members.absorb(Sync(heads=tuple(head.signed for head in heads)))


def numbers(members: Members) -> dict[NodeId, int]:
    return {head.device: head.sequence for head in members.own_heads()}


async def test_a_head_that_another_device_has_seen_is_missed_until_it_comes(ann: Ann) -> None:
    members = await ann.members()
    await told(members, ann.head(LAPTOP, 10), ann.head(DESK, 3, laptop=12))
    assert members.behind() == {LAPTOP.node: 12}
    members = await ann.members()  # a floor outlives the process
    assert (members.behind(), members.floor(LAPTOP.node)) == ({LAPTOP.node: 12}, 12)
    assert numbers(members) == {LAPTOP.node: 10, DESK.node: 3}
    await told(members, ann.head(LAPTOP, 12))
    assert members.behind() == {}


async def test_an_old_head_that_comes_again_is_counted_and_not_used(ann: Ann) -> None:
    members = await ann.members()
    complete = ann.head(LAPTOP, 8)
    await told(members, complete, ann.head(LAPTOP, 9, complete=complete))
    await told(members, ann.head(LAPTOP, 5), complete)
    assert members.old_heads == 1
    assert numbers(members) == {LAPTOP.node: 9}
    assert members.floor(LAPTOP.node) == 9


async def test_a_fallback_is_used_until_a_newer_head_comes(ann: Ann) -> None:
    members = await ann.members()
    complete = ann.head(LAPTOP, 8)
    newest = ann.head(LAPTOP, 9, complete=complete)
    await told(members, complete, newest)
    assert members.own_newest() == [(newest, complete)]
    await members.fall_back(newest.digest, complete.digest)
    members = await ann.members()
    assert numbers(members) == {LAPTOP.node: 8}
    assert members.floor(LAPTOP.node) == 9
    await told(members, ann.head(LAPTOP, 10, complete=complete))
    assert numbers(members) == {LAPTOP.node: 10}


async def test_another_owner_raises_no_floor_of_ours(ann: Ann) -> None:
    members = await ann.members()
    ann.network.home("bob")
    ann.keys = ann.network.owner("bob")
    await told(members, ann.head(DESK, 3, laptop=12))
    assert (members.behind(), members.floor(LAPTOP.node), members.floor(DESK.node)) == ({}, 0, 0)
