"""Asking at the terminal for what nobody is to see."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from typing import Final

from capsa.errors import UsageError
from capsa.faces.cli.descriptors import Wakeable
from capsa.faces.cli.output import is_terminal, printable
from capsa.seams import Lane, Workers

ANSWER_SIZE_MAX: Final = 4096
"""Bytes of an answer: what a terminal hands over as one line."""
_TERMINAL: Final = "/dev/tty"
_LOCAL_FLAGS: Final = 3
"""Where `tcgetattr` has the flags that say whether what is typed is shown."""


def somebody_is_there() -> bool:
    """Whether the process was started at a terminal, and can ask there, wherever its output goes."""
    if not (is_terminal(sys.stdin) or is_terminal(sys.stderr)):
        return False
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def ask_hidden(prompt: str, workers: Workers) -> str:
    """What is typed at the terminal, which does not show it; empty at the end of the input.

    Cancellation ends the question and leaves the terminal as it was; close `workers` after that.
    Raises `UsageError` if there is no terminal, or what was typed is not UTF-8.
    """
    question = _Question(prompt)
    try:
        return await workers.run(Lane.READ, question.ask)
    except asyncio.CancelledError:
        question.call_off()
        raise


class _Question:
    """One question. `ask` waits on a thread; `call_off`, on another, ends that."""

    def __init__(self, prompt: str) -> None:
        try:
            self._terminal = os.fdopen(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC), "wb", buffering=0)
        except OSError:
            raise UsageError("There is no terminal to ask at.", "Give --passphrase-file.") from None
        self._prompt = prompt
        self._answers = Wakeable(self._terminal.fileno())

    def ask(self) -> str:
        with self._terminal as terminal:
            try:
                before = termios.tcgetattr(terminal)
                hidden = [*before]
                hidden[_LOCAL_FLAGS] &= ~termios.ECHO
                try:
                    # What was typed before the question is no answer to it: it is thrown away.
                    termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
                    terminal.write(printable(self._prompt).encode())
                    line = self._answers.read(ANSWER_SIZE_MAX)
                    terminal.write(b"\n")
                finally:
                    termios.tcsetattr(terminal, termios.TCSADRAIN, before)
            except (OSError, termios.error):
                raise UsageError("The terminal was closed before the answer.", "Give --passphrase-file.") from None
        try:
            return line.removesuffix(b"\n").decode()
        except UnicodeDecodeError:
            raise UsageError("What was typed is not UTF-8.", "Use a terminal that is.") from None

    def call_off(self) -> None:
        self._answers.wake()
