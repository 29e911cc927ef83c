"""Single keys as they are pressed, for as long as somebody wants them."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from capsa.faces.cli.output import is_terminal

_KEYS_MAX: Final = 64
_LOCAL_FLAGS: Final = 3
"""Where `tcgetattr` has the flags that say what the terminal itself makes of keys."""


@contextmanager
def keys(pressed: Callable[[bytes], None]) -> Iterator[bool]:
    """Within, `pressed` gets the bytes of each key, Ctrl-C among them; once none at all, when the terminal is gone.

    Whether there is a keyboard; the terminal is as it was when the context is left.
    """
    if not is_terminal(sys.stdin):
        yield False
        return
    keyboard = sys.stdin.fileno()
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            data = os.read(keyboard, _KEYS_MAX)
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(keyboard)
        pressed(data)

    before = termios.tcgetattr(keyboard)
    changed = termios.tcgetattr(keyboard)
    changed[_LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    termios.tcsetattr(keyboard, termios.TCSADRAIN, changed)
    loop.add_reader(keyboard, read)
    try:
        yield True
    finally:
        loop.remove_reader(keyboard)
        with suppress(termios.error):  # it is gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
