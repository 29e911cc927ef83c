"""Running a command's coroutine so that it can be interrupted at any moment."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Final, TypeVar

from capsa.faces.cli.exits import interrupted_error

T = TypeVar("T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(work: Coroutine[None, None, T]) -> T:
    """Run `work` to its end. On SIGINT or SIGTERM it is cancelled, cleans up, and `InterruptError` is raised."""
    # A command speaks for itself: what the node inside it would log belongs to `up`.
    logging.getLogger("capsa").addHandler(logging.NullHandler())
    return asyncio.run(_interruptible(work))


async def _interruptible(work: Coroutine[None, None, T]) -> T:
    # The handler that asyncio.run itself installs can be too late: a signal that comes just before the loop starts
    # to wait is seen when something else wakes the loop, and nothing may. One of the loop's own wakes it.
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        return await work
    except asyncio.CancelledError:
        if interrupted:
            raise interrupted_error() from None
        raise
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
