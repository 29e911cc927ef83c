"""Running a command's coroutine so that it can be interrupted at any moment."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Coroutine
from typing import Final, TypeVar

from capsa.faces.cli.exits import interrupted_error

T = TypeVar("T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def signals_of_end() -> tuple[signal.Signals, ...]:
    """The signals by which a command is asked to stop."""
    return _SIGNALS if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*_SIGNALS, signal.SIGHUP)


def run(work: Coroutine[None, None, T]) -> T:
    """Run `work` to its end. On SIGINT, SIGTERM or SIGHUP it is cancelled, cleans up, and `InterruptError` is raised.

    Under nohup(1), which has SIGHUP ignored, that stays so.
    """
    # A command speaks for itself: what the node inside it would log belongs to `up`.
    logging.getLogger("capsa").addHandler(logging.NullHandler())
    gc.freeze()  # what was imported stays: nobody needs to look for garbage among it, again and again
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

    heeded = signals_of_end()
    for number in heeded:
        loop.add_signal_handler(number, interrupt)
    try:
        return await work
    except asyncio.CancelledError:
        if interrupted:
            raise interrupted_error() from None
        raise
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
