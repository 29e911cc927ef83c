"""What every pair of sessions must do, whatever carries them: one check a function.

Each check gets a `Joiner`, which joins two sessions by the means under test, the first one's peer being the second,
each with the handler given. Run all of `SESSION_CHECKS` on each such means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from capsa.core.messages import (
    BODY_SIZE_MAX,
    PAYLOAD_SIZE_MAX,
    PEER_MESSAGES,
    Failure,
    Get,
    Got,
    Have,
    Message,
    Ping,
    Pong,
    Put,
    PutDone,
    Released,
)
from capsa.errors import (
    CapsaError,
    DeadlineError,
    LostConnectionError,
    NotFoundError,
    ProtocolError,
    UnknownKindError,
)
from capsa.net.rpc import HANDLERS_MAX, REQUEST_BYTES_MAX, REQUESTS_MAX, Answer, Handler, Reply
from capsa.net.session import Session
from capsa.testing.transports import pattern

Joiner = Callable[[Handler, Handler], AbstractAsyncContextManager[tuple[Session, Session]]]
SessionCheck = Callable[[Joiner], Awaitable[None]]

MESSAGES: Final = tuple(message for message in PEER_MESSAGES if message is not Released)
"""What both sides must know; `Released` stands for a kind that they do not."""

_MIB: Final = 1024 * 1024
_TIMEOUT: Final = 30.0
_PUT: Final = Put(bytes(16), (bytes(32),), (1,))


async def echo(session: Session, message: Message, payload: memoryview) -> Answer:
    """Answers a ping by its number, and a put or get by its own payload."""
    if isinstance(message, Ping):
        return Pong(message.incarnation), ()
    if isinstance(message, Get):
        return Got(), (message.id,)
    return PutDone(), (payload,)


async def check_calls_go_both_ways(join: Joiner) -> None:
    async with join(echo, echo) as (near, far):
        for session in (near, far):
            reply = await session.call(Ping(7), timeout=_TIMEOUT)
            assert reply.body == Pong(7) and len(reply.payload) == 0


async def check_payloads_come_back_exactly(join: Joiner) -> None:
    async with join(echo, echo) as (near, _):
        for size in (0, 1, 100, 16_300, 16_384, 16_385, 65_519, 262_076, _MIB + 17, 4 * _MIB):
            reply = await near.call(_PUT, (pattern(size),), timeout=_TIMEOUT)
            assert reply.payload == pattern(size)


async def check_a_payload_may_have_many_parts(join: Joiner) -> None:
    parts = [pattern(size) for size in (0, 1, 70_000, 3, 9_000, 0, 16_384, 16_384, 300_000, 5)]
    async with join(echo, echo) as (near, _):
        reply = await near.call(_PUT, parts, timeout=_TIMEOUT)
        assert reply.payload == b"".join(parts)


async def check_many_calls_at_once_stay_within_the_bounds(join: Joiner) -> None:
    """More calls, and more bytes, than a session may have under way: callers wait their turn, nobody is cut off."""
    count = most = 0

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        nonlocal count, most
        count += 1
        most = max(most, count)
        await asyncio.sleep(0)
        count -= 1
        return await echo(session, message, payload)

    async with join(echo, handler) as (near, _), asyncio.TaskGroup() as tasks:
        pings = [tasks.create_task(near.call(Ping(n), timeout=_TIMEOUT)) for n in range(3 * REQUESTS_MAX)]
        block = pattern(_MIB)
        puts = [tasks.create_task(near.call(_PUT, (block,), timeout=_TIMEOUT)) for _ in range(40)]
        assert len(puts) * _MIB > REQUEST_BYTES_MAX
        assert [(await ping).body for ping in pings] == [Pong(n) for n in range(len(pings))]
        for put in puts:
            assert (await put).payload == block
    assert 1 < most <= HANDLERS_MAX


async def check_bulk_goes_both_ways_at_once(join: Joiner) -> None:
    async with join(echo, echo) as (near, far), asyncio.TaskGroup() as tasks:
        calls = [
            tasks.create_task(session.call(_PUT, (pattern(_MIB + n),), timeout=_TIMEOUT))
            for n in range(20)
            for session in (near, far)
        ]
        for number, call in enumerate(calls):
            assert (await call).payload == pattern(_MIB + number // 2)


async def check_a_small_call_overtakes_bulk(join: Joiner) -> None:
    order: list[str] = []

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        order.append(type(message).__name__)
        return await echo(session, message, payload)

    async with join(echo, handler) as (near, _), asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(near.call(_PUT, (pattern(4 * _MIB),), timeout=_TIMEOUT))
        await asyncio.sleep(0)
        tasks.create_task(near.call(Ping(), timeout=_TIMEOUT))
    assert order[:1] == ["Ping"] or order[1:2] == ["Ping"]


async def check_an_error_keeps_its_kind(join: Joiner) -> None:
    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        raise NotFoundError("It is not here.", "Ask elsewhere.")

    async with join(echo, handler) as (near, _):
        for _ in range(2):
            error = await _error_of(near.call(Ping(), timeout=_TIMEOUT))
            assert type(error) is NotFoundError
            assert (error.message, error.hint) == ("It is not here.", "Ask elsewhere.")


async def check_a_bug_in_a_handler_is_answered(join: Joiner) -> None:
    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Get):
            raise ZeroDivisionError("secret detail")
        return await echo(session, message, payload)

    async with join(echo, handler) as (near, _):
        error = await _error_of(near.call(Get(bytes(32)), timeout=_TIMEOUT))
        assert error.kind == "failed" and "secret detail" not in str(error)
        assert (await near.call(Ping(1), timeout=_TIMEOUT)).body == Pong(1)


async def check_an_answer_past_its_bounds_is_a_failure(join: Joiner) -> None:
    answers: dict[int, tuple[Message, tuple[bytes, ...]]] = {
        1: (Have((bytes(32),) * (BODY_SIZE_MAX // 32), bytes(16)), ()),
        2: (Got(), (bytes(PAYLOAD_SIZE_MAX), b"+")),
    }

    async def overdo(session: Session, message: Message, payload: memoryview) -> Answer:
        assert isinstance(message, Ping)
        return answers.get(message.incarnation) or (Pong(message.incarnation), ())

    async with join(echo, overdo) as (near, far):
        for number in answers:
            assert type(await _error_of(near.call(Ping(number), timeout=_TIMEOUT))) is ProtocolError
            message, _ = answers[1]
            assert type(await _error_of(far.call(message, timeout=_TIMEOUT))) is ProtocolError
        assert (await near.call(Ping(3), timeout=_TIMEOUT)).body == Pong(3)
        assert near.idle and not far.closed


async def check_an_unknown_kind_gets_a_typed_error(join: Joiner) -> None:
    async with join(echo, echo) as (near, _):
        error = await _error_of(near.call(Released(), (pattern(100_000),), timeout=_TIMEOUT))
        assert type(error) is UnknownKindError
        assert (await near.call(Ping(1), timeout=_TIMEOUT)).body == Pong(1)


async def check_a_deadline_ends_a_call_and_not_the_session(join: Joiner) -> None:
    release = asyncio.Event()

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        if isinstance(message, Get):
            await release.wait()
        return await echo(session, message, payload)

    async with join(echo, handler) as (near, _):
        error = await _error_of(near.call(Get(bytes(32)), timeout=0.01))
        assert type(error) is DeadlineError and error.retryable
        release.set()
        for number in range(3):  # the late reply is dropped, and taken for no other
            assert (await near.call(Ping(number), timeout=_TIMEOUT)).body == Pong(number)
        assert near.idle


async def check_a_call_may_be_cancelled_at_any_moment(join: Joiner) -> None:
    async with join(echo, echo) as (near, _):
        for turns in range(30):
            buffer = bytearray(pattern(_MIB))
            async with asyncio.TaskGroup() as tasks:
                call = tasks.create_task(near.call(_PUT, (buffer,), timeout=_TIMEOUT))
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
            buffer[:] = bytes(_MIB)  # the buffer is the caller's again
            reply = await near.call(_PUT, (pattern(1000),), timeout=_TIMEOUT)
            assert reply.payload == pattern(1000)
        async with asyncio.TaskGroup() as tasks:
            # Behind one that takes a while none of these begins to leave; each place must be given back.
            tasks.create_task(near.call(_PUT, (pattern(3 * _MIB),), timeout=_TIMEOUT))
            calls = [tasks.create_task(near.call(_PUT, (buffer,), timeout=_TIMEOUT)) for _ in range(13)]
            await asyncio.sleep(0)
            for call in calls:
                call.cancel()
        await near.call(_PUT, (bytes(4 * _MIB),), timeout=_TIMEOUT)
        assert near.idle


async def check_the_end_fails_calls_on_both_sides(join: Joiner) -> None:
    entered = asyncio.Event()

    async def never(session: Session, message: Message, payload: memoryview) -> Answer:
        entered.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")

    for end in ("abort", "close", "far"):
        entered.clear()
        async with join(echo, never) as (near, far), asyncio.TaskGroup() as tasks:
            call = tasks.create_task(_lost(near))
            await entered.wait()
            if end == "far":
                far.abort()
            else:
                getattr(near, end)()
            await call
            await near.wait_closed()
            await far.wait_closed()
            await _lost(near)
            await _lost(far)


async def check_a_retired_session_finishes_first(join: Joiner) -> None:
    release = asyncio.Event()

    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        await release.wait()
        return await echo(session, message, payload)

    async with join(echo, handler) as (near, far), asyncio.TaskGroup() as tasks:
        call = tasks.create_task(near.call(Ping(3), timeout=_TIMEOUT))
        await asyncio.sleep(0)
        near.retire()
        release.set()
        assert (await call).body == Pong(3)
        await far.wait_closed()


async def check_a_failure_is_not_an_answer(join: Joiner) -> None:
    async def handler(session: Session, message: Message, payload: memoryview) -> Answer:
        return Failure("a kind of the future", "Something new went wrong."), ()

    async with join(echo, handler) as (near, _):
        error = await _error_of(near.call(Ping(), timeout=_TIMEOUT))
        assert error.message == "Something new went wrong."


async def _error_of(call: Awaitable[Reply]) -> CapsaError:
    try:
        await call
    except CapsaError as error:
        return error
    raise AssertionError("a call that must fail was answered")


async def _lost(session: Session) -> None:
    error = await _error_of(session.call(Ping(), timeout=_TIMEOUT))
    assert type(error) is LostConnectionError and error.retryable


SESSION_CHECKS: tuple[SessionCheck, ...] = (
    check_calls_go_both_ways,
    check_payloads_come_back_exactly,
    check_a_payload_may_have_many_parts,
    check_many_calls_at_once_stay_within_the_bounds,
    check_bulk_goes_both_ways_at_once,
    check_a_small_call_overtakes_bulk,
    check_an_error_keeps_its_kind,
    check_a_bug_in_a_handler_is_answered,
    check_an_answer_past_its_bounds_is_a_failure,
    check_an_unknown_kind_gets_a_typed_error,
    check_a_deadline_ends_a_call_and_not_the_session,
    check_a_call_may_be_cancelled_at_any_moment,
    check_the_end_fails_calls_on_both_sides,
    check_a_retired_session_finishes_first,
    check_a_failure_is_not_an_answer,
)
