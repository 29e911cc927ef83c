"""A shell in a window of tmux, as a person has it: what is typed there, and what is seen."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PROMPT: Final = "$"
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.02
_MARK: Final = "<~~~~>"
_LEFT_OVER: Final = re.compile(r"\x1b|\^\[|\[(?:\d[\d;]*|\?\d+)[A-Za-z]")
"""What of an escape sequence is seen when it was garbled."""
_SETTINGS: Final = """\
set -g status off
set -g default-terminal screen-256color
set -g history-limit 5000
"""
_SHELL: Final = """\
PS1='{prompt} '
PROMPT_COMMAND='echo $? >> {codes}'
HISTFILE=
cd {folder}
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """A window at one moment, with what was scrolled out of it: lines as they are seen, and as they were written."""

    lines: list[str]
    wrapped: list[str]
    """Lines that were longer than the window is wide."""
    painted: str
    """The same with the sequences that paint it."""
    alternate: bool
    cursor_shown: bool

    @property
    def told(self) -> list[str]:
        """What stands between the command that was typed and the next prompt."""
        return [line for line in self.lines if line and line != PROMPT and not line.startswith(f"{PROMPT} ")]

    @property
    def garbled(self) -> list[str]:
        """Lines with the remains of an escape sequence."""
        return [line for line in self.lines if _LEFT_OVER.search(line)]

    def __contains__(self, text: str) -> bool:
        return any(text in line for line in self.lines)


class Window:
    """One window, and the shell in it. Whatever looks at it while a command runs sees whole lines, or fails."""

    def __init__(self, folder: Path, home: Path, environment: Mapping[str, str], columns: int = 80) -> None:
        """The shell's folder, which also keeps what tmux needs; the home that `capsa` works with there."""
        (folder / "bin").mkdir(exist_ok=True, parents=True)
        self._capsa(folder / "bin" / "capsa")
        self._folder = folder
        self._codes = folder / "codes"
        self._codes.unlink(missing_ok=True)
        (folder / "settings").write_text(_SETTINGS)
        (folder / "shell").write_text(
            _SHELL.format(prompt=PROMPT, codes=shlex.quote(str(self._codes)), folder=shlex.quote(str(folder)))
        )
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("CAPSA_", "TMUX", "NO_COLOR"))
        }
        self._environment = {
            **kept,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "CAPSA_HOME": str(home),
            "CAPSA_PASSPHRASE": "",
            **environment,
        }
        self._tmux = ["tmux", "-u", "-S", "tmux", "-f", "settings"]  # a socket's whole path may be too long
        shell = ["bash", "--noprofile", "--rcfile", str(folder / "shell"), "-i"]
        self._do("new-session", "-d", "-x", str(columns), "-y", "24", shlex.join(shell))
        self._until_prompt(1)

    def run(self, command: str, *, patience: float = _PATIENCE_SECONDS) -> Sight:
        """Type a command and wait for its end; `code` has its exit code then."""
        self.begin(command)
        return self.end(patience=patience)

    def begin(self, command: str) -> None:
        """On an empty screen, type a command."""
        self._do("send-keys", "C-l")
        self.until(self._is_empty, whole=False)
        self._ended = self._count()
        self._do("send-keys", "-l", command)
        self._do("send-keys", "Enter")

    def end(self, *, patience: float = _PATIENCE_SECONDS) -> Sight:
        """Wait for the end of the command that was begun; the screen and the cursor are as they were before."""
        sight = self._until_prompt(self._ended + 1, patience)
        assert (sight.alternate, sight.cursor_shown) == (False, True)
        assert not sight.garbled
        return sight

    @property
    def code(self) -> int:
        """The exit code of the last command."""
        return int(self._codes.read_text().split()[-1])

    @property
    def ended(self) -> bool:
        """Whether the command that was begun has ended."""
        return self._count() > self._ended

    def until(
        self, holds: Callable[[Sight], bool], *, whole: bool = True, patience: float = _PATIENCE_SECONDS
    ) -> Sight:
        """Look until it is so. With `whole` no line may be wrapped meanwhile."""
        give_up = time.monotonic() + patience
        while True:
            sight = self.look()
            assert not (whole and sight.wrapped), "\n".join(sight.lines)
            assert not sight.garbled, "\n".join(sight.lines)
            if holds(sight):
                return sight
            assert time.monotonic() < give_up, "\n".join(sight.lines)
            time.sleep(_LOOK_SECONDS)

    def look(self) -> Sight:
        """The window now: all of it at one moment, since tmux does nothing between commands that come together."""
        capture = ["capture-pane", "-p", "-S", "-"]
        mark = ["display-message", "-p", _MARK]
        state = ["display-message", "-p", "#{alternate_on}#{cursor_flag}"]
        asked = [capture, mark, [*capture, "-J"], mark, [*capture, "-e"], mark, state]
        words = [word for command in asked for word in (*command, ";")][:-1]
        plain, joined, painted, flags = self._do(*words).split(f"{_MARK}\n")
        lines = [line.rstrip() for line in plain.splitlines()]
        return Sight(
            lines=lines,
            wrapped=[line for line in map(str.rstrip, joined.splitlines()) if line not in lines],
            painted=painted,
            alternate=flags[0] == "1",
            cursor_shown=flags[1] == "1",
        )

    def press(self, key: str) -> None:
        """Press one key, by the name that tmux has for it."""
        self._do("send-keys", key)

    def resize(self, columns: int, lines: int = 24) -> None:
        """Give the window another size."""
        self._do("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def children(self) -> list[int]:
        """The processes that the shell runs."""
        shell = self._do("display-message", "-p", "#{pane_pid}").strip()
        return [int(pid) for pid in Path(f"/proc/{shell}/task/{shell}/children").read_text().split()]

    def close(self) -> None:
        """Close the window, whatever runs there."""
        subprocess.run(
            [*self._tmux, "kill-server"], cwd=self._folder, env=self._environment, capture_output=True, check=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_empty(self, sight: Sight) -> bool:
        self._do("clear-history")  # what the shell clears is scrolled out
        return [line for line in sight.lines if line] == [PROMPT]

    def _until_prompt(self, count: int, patience: float = _PATIENCE_SECONDS) -> Sight:
        def at_prompt(sight: Sight) -> bool:
            seen = [line for line in sight.lines if line]
            return self._count() >= count and seen[-1:] == [PROMPT]

        return self.until(at_prompt, whole=False, patience=patience)

    def _count(self) -> int:
        """How often the shell was at its prompt."""
        return len(self._codes.read_text().split()) if self._codes.exists() else 0

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_SECONDS,
        )
        return done.stdout

    @staticmethod
    def _capsa(path: Path) -> None:
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m capsa "$@"\n')
        path.chmod(0o700)
