"""Machines that people type on, and the terminals in front of them: real shells on real pseudo-terminals."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PATIENCE_SECONDS: Final = 120.0
_AT_TERMINAL: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal on stdin the one that controls the session, then becomes the command."""
_PAINT: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Machine:
    """One machine: its user's home folder, and the words that run something there, such as in its network.

    `answers` is what its user types when asked: by a regular expression for the question.
    """

    folder: Path
    within: Sequence[str] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)

    def environment(self) -> dict[str, str]:
        """That of a fresh login: nothing of whoever runs the tests but where programs are."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }


@dataclass(frozen=True)
class Typed:
    """A command that ended: its exit code, what the terminal showed (without colours), how often it asked."""

    code: int
    shown: str
    asked: int


class Terminal:
    """A terminal with one command line that runs in it."""

    def __init__(self, machine: Machine, line: str) -> None:
        self._answers = [(re.compile(question), answer) for question, answer in machine.answers.items()]
        self._shown = bytearray()
        self._seen = 0
        self.asked = 0
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self._process = subprocess.Popen(
            [*machine.within, sys.executable, "-c", _AT_TERMINAL, "bash", "-c", line],
            cwd=machine.folder,
            env=machine.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        # What a node says later has to go somewhere, also while nobody looks.
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def shown(self) -> str:
        """All that was shown so far, without colours."""
        return _PAINT.sub("", self._shown.decode(errors="replace")).replace("\r", "")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def expect(self, text: str) -> None:
        """Answer what is asked, until this is shown."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while text not in self.shown:
            assert self.running or self._reading.is_alive(), f"it ended without showing {text!r}: {self.shown}"
            assert time.monotonic() < give_up, f"it does not show {text!r}: {self.shown}"
            self._answer()
            self._reading.join(0.02)

    def end(self) -> Typed:
        """Answer what is asked, until the command ends and all it showed was read."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while self._reading.is_alive():
            assert time.monotonic() < give_up, f"it does not end: {self.shown}"
            self._answer()
            self._reading.join(0.02)
        return Typed(self._process.wait(_PATIENCE_SECONDS), self.shown, self.asked)

    def press(self, key: bytes) -> None:
        """Press a key, such as Ctrl-C; nothing happens where the command has ended."""
        if self.running:
            with contextlib.suppress(OSError):
                os.write(self._ours, key)

    def kill(self) -> None:
        """End everything that runs in it, as when the machine is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_PATIENCE_SECONDS)

    def close(self) -> None:
        """Kill what still runs, and close the window; a repeat does nothing."""
        self.kill()
        self._reading.join(_PATIENCE_SECONDS)
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def _answer(self) -> None:
        shown = self.shown[self._seen :]
        for question, answer in self._answers:
            if match := question.search(shown):
                self._seen += match.end()
                self.asked += 1
                os.write(self._ours, answer.encode() + b"\n")
                return

    def _read(self) -> None:
        # The terminal's end is an error on Linux, and nothing more to read on macOS.
        with contextlib.suppress(OSError):
            while piece := os.read(self._ours, 65536):
                self._shown += piece
