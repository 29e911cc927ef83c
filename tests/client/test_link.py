"""A command's line to its node: typed, patient, and honest when nobody is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from capsa.client.link import HomeLink
from capsa.core.commands import COMMAND_MESSAGES, Done, Greet, Greeted, Heads, HeadsTold
from capsa.core.messages import Message
from capsa.errors import LostConnectionError, NoSpaceError, ProtocolError
from capsa.net.local import Control, connect
from capsa.net.rpc import Answer
from capsa.net.session import Session
from capsa.net.transports.memory import MemoryNetwork

ADDRESS = "memory:home"


@asynccontextmanager
async def serving(network: MemoryNetwork, answer: Callable[[Message], Message]) -> AsyncIterator[Control]:
    """A node that answers commands so."""

    async def handle(session: Session, message: Message, payload: memoryview) -> Answer:
        return answer(message), ()

    control = Control(handle, COMMAND_MESSAGES)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(control.run())
        await control.listen(network, ADDRESS)
        try:
            yield control
        finally:
            running.cancel()


def linked(network: MemoryNetwork, *, patience: float = 5.0) -> HomeLink:
    return HomeLink(lambda: connect(network, ADDRESS, COMMAND_MESSAGES), patience=patience)


async def test_an_answer_of_the_asked_type_comes_back() -> None:
    network = MemoryNetwork()
    async with serving(network, lambda message: HeadsTold((b"head",))):
        link = linked(network)
        assert (await link.ask(Heads(), HeadsTold)).heads == (b"head",)
        link.close()


async def test_another_answer_is_the_nodes_fault() -> None:
    network = MemoryNetwork()
    async with serving(network, lambda message: Done()):
        link = linked(network)
        with pytest.raises(ProtocolError):
            await link.ask(Greet(), Greeted)
        link.close()


async def test_what_the_node_raises_comes_out_as_itself() -> None:
    network = MemoryNetwork()

    def full(message: Message) -> Message:
        raise NoSpaceError("The disk is full.", "Free some space on it.")

    async with serving(network, full):
        link = linked(network)
        with pytest.raises(NoSpaceError) as caught:
            await link.ask(Greet(), Greeted)
        assert (caught.value.kind, caught.value.hint) == ("no_space", "Free some space on it.")
        link.close()


async def test_a_question_lost_with_the_connection_is_asked_again() -> None:
    network = MemoryNetwork()
    asked = 0

    def dying(message: Message) -> Message:
        nonlocal asked
        asked += 1
        if asked == 1:
            control.sessions[0].abort()
        return Done()

    async with serving(network, dying) as control:
        link = linked(network)
        assert await link.ask(Heads(), Done) == Done()
        assert asked == 2
        link.close()


async def test_a_node_that_is_away_for_a_while_is_waited_for() -> None:
    network = MemoryNetwork()
    link = linked(network)
    asking = asyncio.ensure_future(link.ask(Heads(), Done))
    await asyncio.sleep(0)
    async with serving(network, lambda message: Done()):
        assert await asking == Done()
        link.close()


async def test_a_node_that_stays_away_is_a_retryable_error_that_says_what_to_do() -> None:
    link = linked(MemoryNetwork(), patience=0.0)
    with pytest.raises(LostConnectionError) as caught:
        await link.ask(Heads(), Done)
    assert caught.value.retryable and "capsa up" in caught.value.hint


async def test_many_questions_at_once_share_one_session() -> None:
    network = MemoryNetwork()
    async with serving(network, lambda message: Done()) as control:
        link = linked(network)
        await asyncio.gather(*(link.ask(Heads(), Done) for _ in range(50)))
        assert len(control.sessions) == 1
        link.close()
