"""Lines that go out together: what a command with very many of them says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from capsa.errors import leading
from capsa.faces.cli.output import Screen, is_terminal

_FLUSH_SECONDS: Final = 1.0


@asynccontextmanager
async def gathering(screen: Screen) -> AsyncIterator[None]:
    """Within, what the screen says goes to a file or a pipe about once a second; to a terminal still at once."""
    if is_terminal(sys.stdout):
        yield
        return
    screen.gathers = True
    try:
        async with asyncio.TaskGroup() as group:
            flushing = group.create_task(_flush_often(screen))
            try:
                yield
            finally:
                flushing.cancel()
    except BaseExceptionGroup as errors:
        raise leading(errors) from None
    finally:
        screen.gathers = False
    screen.flush()


async def _flush_often(screen: Screen) -> None:
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        screen.flush()
