"""What a peer says of a duplicate is believed with a proof that nobody but a second process can make."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.core.keys import DeviceKey
from capsa.core.messages import Duplicate, Present
from capsa.core.presence import prove_presence, verify_presence
from capsa.errors import ProtocolError, RefusedError
from capsa.node.duplicates import Duplicates
from tests.node.liar import lying
from tests.node.network import live, noise, secret_of, write

OTHER = b"o" * 16


async def test_a_liar_cannot_turn_an_honest_node_read_only(tmp_path: Path) -> None:
    async with live(tmp_path, "ann ben") as network, lying(network, "eve") as eve:
        session = await eve.session("ann")
        assert session.hello is not None
        boot, home = session.hello.boot, eve.config.network
        own = await eve.ask("ann", Duplicate(OTHER), Present)
        lies = [
            Duplicate(boot),
            Duplicate(boot, own.proof),
            Duplicate(OTHER, own.proof),
            Duplicate(OTHER, bytes(64)),
            Duplicate(OTHER, b"short"),
            Duplicate(OTHER, prove_presence(eve.config.device, home, boot=OTHER, other=boot)),
        ]
        for lie in lies:
            with pytest.raises(ProtocolError):
                await eve.ask("ann", lie, Present)
        async with network.client("ann") as client:
            assert not (await client.status()).duplicate
            stored = await client.put(write(tmp_path / "file", noise(5_000)), "key", copies=1)
            assert await client.get(stored, tmp_path / "out") == noise(5_000)


async def test_a_proof_from_before_a_restart_says_nothing_after_it(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        config = network.config("ann")
        before, copy = Duplicates(config, b"1" * 16), Duplicates(config, b"2" * 16)
        proof = copy.answer(Duplicate(b"1" * 16)).proof
        after = Duplicates(config, b"3" * 16)
        with pytest.raises(ProtocolError):
            after.answer(Duplicate(b"2" * 16, proof))
        after.check_alone()
        before.answer(Duplicate(b"2" * 16, proof))
        with pytest.raises(RefusedError):
            before.check_alone()
        copy.check_alone()


async def test_who_is_asked_answers_for_its_own_process(tmp_path: Path) -> None:
    async with live(tmp_path, "ann") as network:
        config = network.config("ann")
        proof = Duplicates(config, b"1" * 16).answer(Duplicate(OTHER)).proof
        key = DeviceKey(secret_of("device ann"))
        verify_presence(key.node, config.network, boot=b"1" * 16, other=OTHER, proof=proof)
