"""A command's line to its node breaks, and the command waits for the node to be back."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from capsa.client.link import HomeLink
from capsa.core.commands import Done, Greet
from capsa.core.messages import Message
from capsa.errors import LostConnectionError
from capsa.net.rpc import Reply
from capsa.net.session import Session


class Line:
    """A session whose call takes a while, and is lost as often as told."""

    def __init__(self, losses: int, seconds: float) -> None:
        self.calls = 0
        self._losses = losses
        self._seconds = seconds
        self.closed = False

    async def call(self, message: Message, payload: object = (), *, timeout: float) -> Reply:
        self.calls += 1
        await asyncio.sleep(self._seconds)
        if self.calls <= self._losses:
            raise LostConnectionError("The session ended before the answer came.")
        return Reply(Done(), memoryview(b""))


def over(line: Line, patience: float) -> HomeLink:
    async def connect() -> Session:
        return cast(Session, line)

    return HomeLink(connect, patience=patience)


async def test_patience_begins_when_the_line_breaks() -> None:
    """However long the question was under way."""
    line = Line(losses=1, seconds=0.05)
    assert await over(line, patience=0.04).ask(Greet(), Done) == Done()
    assert line.calls == 2


async def test_patience_ends() -> None:
    line = Line(losses=10**9, seconds=0)
    with pytest.raises(LostConnectionError):
        await over(line, patience=0.0).ask(Greet(), Done)
    assert line.calls == 1
