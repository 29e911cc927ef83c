"""A member that lies, now in this way, now in that: its node is a real one, but for what it answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest

from capsa.core.claims import ClaimPart, make_receipt
from capsa.core.ids import Buffer
from capsa.core.messages import (
    Claim,
    Claimed,
    Find,
    Found,
    Get,
    GetPart,
    Got,
    Have,
    Held,
    Inventory,
    Message,
    Parts,
    Put,
    PutDone,
)
from capsa.errors import NotFoundError
from capsa.net.session import Session
from capsa.node import app
from capsa.node.serving import Serving
from capsa.node.settings import NodeConfig

Answer = tuple[Message, Sequence[Buffer]]


class Liar:
    """Stands where a node's `Serving` does. It keeps nothing, says that it has everything, and gives anything."""

    def __init__(self, config: NodeConfig, serving: Serving, chance: random.Random) -> None:
        self._config = config
        self._serving = serving
        self._chance = chance
        self._lies: dict[type[Message], Callable[[Any], Message]] = {
            Put: lambda message: PutDone(),
            Claim: self._promise,
            Have: lambda message: Held(tuple(chance.randbytes(32) for _ in message.ids)),
            Find: lambda message: Found(tuple(range(len(message.ids)))),
            Inventory: lambda message: Parts(tuple(sorted(chance.randbytes(32) for _ in range(3)))),
        }

    async def handle(self, session: Session, message: Message, payload: memoryview) -> Answer:
        """Answer one request, somehow."""
        if isinstance(message, Get | GetPart):
            return Got(), (await self._anything(session),)
        if type(message) in self._lies:
            return self._lies[type(message)](message), ()
        return await self._serving.handle(session, message, payload)

    def _promise(self, message: Claim) -> Message:
        """A receipt that holds, for blocks that it threw away."""
        part = ClaimPart.parse(message.part, self._config.network)
        ids = [part.blocks[index][0] for index in message.indexes]
        receipt = make_receipt(self._config.device, self._config.network, part.digest, ids, message.nonce)
        return Claimed(receipt, ())

    async def _anything(self, session: Session) -> bytes:
        match self._chance.randrange(6):
            case 0:
                raise NotFoundError("It was here a moment ago.")
            case 1:
                await asyncio.sleep(self._chance.choice([1, 60, 1_000_000]))
                return b"late"
            case 2:
                session.abort()
                return b"broken"
            case 3:
                raise ValueError("a node with a bug")
            case 4:
                return b""
            case _:
                return self._chance.randbytes(self._chance.choice([1, 105, 1041, 100_000]))


def make_liars(monkeypatch: pytest.MonkeyPatch, names: Collection[str], chance: random.Random) -> None:
    """Let the nodes of these names lie from their next start."""

    def serving(config: NodeConfig, **parts: Any) -> Serving | Liar:
        honest = Serving(config, **parts)
        return Liar(config, honest, chance) if config.name in names else honest

    monkeypatch.setattr(app, "Serving", serving)
