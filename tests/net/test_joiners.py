"""Whoever is not admitted yet is served for a while only: an invite is no lease of a connection."""

from __future__ import annotations

import pytest

from capsa.net import pool as pools
from capsa.net.identity import Peer, Role, SharedSecret
from capsa.net.pool import Pool
from capsa.net.transports.memory import MemoryNetwork
from capsa.testing.sessions import MESSAGES, echo
from tests.net.cast import NETWORK, SECRET, CountedEntropy, device, make_pool, running


class Doorman(SharedSecret):
    """Takes everybody for a joiner."""

    def check(self, role: Role, static_public: bytes, payload: bytes) -> Peer:
        return Peer(super().check(role, static_public, payload).node, None, admitted=False)


async def test_a_joiner_is_asked_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "JOINER_SECONDS", 0.01)
    network = MemoryNetwork()
    joiner = make_pool("a", network)
    doorman = Doorman(device("b"), NETWORK, SECRET)
    member = Pool({"memory": network}, doorman, echo, entropy=CountedEntropy("b"), messages=MESSAGES)
    async with running(joiner, member):
        await member.listen("memory:b")
        session = await joiner.dial("memory:b")
        await session.wait_closed()
