"""A command at a terminal of its own, as a person would have it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

_PATIENCE_SECONDS = 60.0
_LOCAL_FLAGS = 3
_COMMAND = """
import fcntl, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from capsa.faces.cli import main
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
sys.exit(main())
"""
"""As `python -m capsa`, once the terminal on stderr is the one that controls the session.

SIGHUP means what it does at a terminal, even where the tests themselves run under nohup(1).
"""


class AtTerminal:
    """One command that runs at a terminal: what it shows, and what is typed."""

    def __init__(
        self, home: Path, *words: str, environment: Mapping[str, str] | None = None, stdin: int | None = None
    ) -> None:
        """`stdin` is where its input comes from, if that is not typed."""
        self.shown = ""
        self._seen = 0
        self._ours, theirs = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CAPSA_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "--home", str(home), *words],
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs,
            env={**kept, "TERM": "dumb", **(environment or {})},
            start_new_session=True,
        )
        self._theirs = theirs  # kept open, so that its settings can be looked at after the command's end

    def expect(self, text: str) -> None:
        """Wait until it shows this, after what was expected before."""
        while text not in self.shown[self._seen :]:
            assert self._read(), f"it ended without showing {text!r}: {self.shown!r}"
        self._seen = self.shown.index(text, self._seen) + len(text)

    def type(self, text: str) -> None:
        """Type a line, and Enter."""
        os.write(self._ours, text.encode() + b"\n")

    def press(self, key: bytes) -> None:
        """Press one key, such as Ctrl-C."""
        os.write(self._ours, key)

    def resize(self, columns: int, lines: int = 24) -> None:
        """Give the terminal's window another size, and tell whoever draws there."""
        termios.tcsetwinsize(self._ours, (lines, columns))

    def hang_up(self) -> None:
        """Close the terminal's window while the command runs."""
        self._close()

    def end(self) -> int:
        """Wait for the command's end; its exit code."""
        if self._ours < 0:
            return self._process.wait(_PATIENCE_SECONDS)
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while self._process.poll() is None or select.select([self._ours], [], [], 0)[0]:
            assert time.monotonic() < give_up, f"it does not end: {self.shown!r}"
            self._read(wait=0.05)
        return self._process.returncode

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._theirs)[_LOCAL_FLAGS] & termios.ECHO)

    def _read(self, wait: float = _PATIENCE_SECONDS) -> bool:
        """Take in what is shown next; whether anything came."""
        give_up = time.monotonic() + wait
        while (left := give_up - time.monotonic()) > 0:
            if select.select([self._ours], [], [], min(left, 0.05))[0]:
                self.shown += os.read(self._ours, 65536).decode(errors="replace")
                return True
            if self._process.poll() is not None:
                return False
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._ours >= 0:
            os.close(self._theirs)
            os.close(self._ours)
            self._ours = self._theirs = -1
