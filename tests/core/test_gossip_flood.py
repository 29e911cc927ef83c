"""A member that fills the room for statements is put out all the same."""

from __future__ import annotations

import pytest

from capsa.core import gossip as gossip_module
from capsa.core.gossip import Gossip
from capsa.core.signing import encode_signed
from capsa.core.statements import invite
from capsa.core.trust import Roster
from tests.core.test_gossip import FOUNDING, GUEST, GUEST_OUT, MEMBERSHIP, NETWORK, seed


def test_the_founder_puts_out_who_floods_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    gossip = Gossip(encode_signed(FOUNDING), Roster.evaluate)
    gossip.learn(statements=[encode_signed(each) for each in MEMBERSHIP])
    monkeypatch.setattr(gossip_module, "STATEMENTS_SIZE_MAX", 8 * 1024)
    flood = (invite(GUEST.signing, NETWORK, one_time=seed(f"{n}"), created=n) for n in range(100))
    kept = [gossip.learn(statements=[encode_signed(each)]).statements for each in flood]
    assert kept[0] and not kept[-1]
    gossip.learn(statements=[encode_signed(GUEST_OUT)])
    assert not gossip.roster.is_member(GUEST.owner)
