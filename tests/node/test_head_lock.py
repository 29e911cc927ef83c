"""One head at a time: what one command adds is never missing from the head of the next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import pytest

from capsa.core import commands as c
from capsa.core.messages import Message
from capsa.errors import RefusedError
from capsa.net.session import Session
from tests.node.network import Client, live, noise, write

M = TypeVar("M", bound=Message)


async def keys_of(client: Client) -> list[str]:
    return [view.key async for view in (await client.files.catalog.snapshot()).scan()]


async def test_a_head_whose_lock_has_passed_on_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line breaks as the first command publishes, and another one is done before it is back."""
    one, other = write(tmp_path / "one", noise(10)), write(tmp_path / "other", noise(20))
    async with (
        live(tmp_path, "ann", copies=0) as network,
        network.client("ann") as first,
        network.client("ann") as second,
    ):
        ask_on, broken = first.link.ask_on, False

        async def ask_on_a_line_that_breaks(session: Session, message: Message, answer: type[M]) -> M:
            nonlocal broken
            if isinstance(message, c.PublishHead) and not broken:
                broken = True
                session.abort()
                await session.wait_closed()
                await second.put(other, "other")
            return await ask_on(session, message, answer)

        monkeypatch.setattr(first.link, "ask_on", ask_on_a_line_that_breaks)
        await first.put(one, "one")
        assert broken
        assert await keys_of(second) == ["one", "other"]


async def test_a_head_is_refused_from_whoever_does_not_hold_the_lock(tmp_path: Path) -> None:
    source = write(tmp_path / "note", noise(10))
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await ann.put(source, "note")
        [head] = (await ann.link.ask(c.Heads(), c.HeadsTold)).heads
        with pytest.raises(RefusedError, match="head lock"):
            await ann.link.ask(c.PublishHead(head, (), True), c.HeadPublished)


async def test_several_puts_over_one_line_all_stay(tmp_path: Path) -> None:
    """To the node they are one session, which holds the lock for all of them."""
    names = [f"file {number}" for number in range(4)]
    paths = [write(tmp_path / name, noise(20, name)) for name in names]
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        await asyncio.gather(*(ann.put(path, path.name) for path in paths))
        assert await keys_of(ann) == names
