"""Real processes of capsa: nodes that run `up`, and commands beside them. The demo, tests and benchmarks use this."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from capsa.errors import CapsaError, DeadlineError

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
COMMAND_SECONDS: Final = 300.0
_LINE_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit code, the JSON documents on stdout, the text on stderr, wall-clock seconds."""

    code: int
    documents: list[dict[str, Any]]
    stderr: str
    seconds: float

    @property
    def last(self) -> dict[str, Any]:
        """The last document."""
        return self.documents[-1]


def command(home: Path, *arguments: str) -> list[str]:
    """The words that run one command of this very capsa in a home, with JSON on stdout."""
    return [sys.executable, "-m", "capsa", "--home", str(home), "--json", *arguments]


def run(
    home: Path,
    *arguments: str,
    stdin: bytes = b"",
    timeout: float = COMMAND_SECONDS,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run one command to its end; `DeadlineError` if that takes longer than `timeout` seconds."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            command(home, *arguments),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=_environment(environment),
        )
    except subprocess.TimeoutExpired:
        raise DeadlineError(f"capsa {arguments[0]} took longer than {timeout:g} seconds.") from None
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    return Outcome(done.returncode, documents, done.stderr.decode(errors="replace"), time.monotonic() - began)


def run_well(home: Path, *arguments: str, stdin: bytes = b"", timeout: float = COMMAND_SECONDS) -> Outcome:
    """As `run`, for a command that must succeed: raises `CapsaError` with what it said if it did not."""
    outcome = run(home, *arguments, stdin=stdin, timeout=timeout)
    if outcome.code:
        said = " ".join(outcome.stderr.split()) or "it said nothing"
        raise CapsaError(f"capsa {arguments[0]} ended with exit code {outcome.code}: {said}")
    return outcome


class NodeProcess:
    """A node that runs `up` in a process of its own. Its log goes to the file `log` beside the home."""

    def __init__(self, home: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Start it; `wait_ready` waits for its first line."""
        self.home = home
        self.log = home.with_name(f"{home.name}.log")
        self._ready: dict[str, Any] | None = None
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal is for whoever started it, who then stops it in order.
            self._process = subprocess.Popen(
                command(home, "up", *options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(environment),
                start_new_session=True,
            )

    @classmethod
    def started(cls, home: Path, *options: str, environment: Mapping[str, str] | None = None) -> Self:
        """A node that is ready; if it does not become so, none."""
        node = cls(home, *options, environment=environment)
        try:
            node.wait_ready()
        except BaseException:
            node.kill()
            raise
        return node

    def wait_ready(self, timeout: float = READY_SECONDS) -> Self:
        """Read the line that says the node is ready; raises `CapsaError` if it ends or is silent instead."""
        if self._ready is None:
            first = json.loads(self._first_line(timeout))
            if first.get("event") != "ready":
                raise CapsaError(f"A node did not start: {first.get('error', {}).get('message', first)}")
            self._ready = first
        return self

    def _first_line(self, timeout: float) -> bytes:
        assert self._process.stdout is not None
        give_up = time.monotonic() + timeout
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(give_up - time.monotonic()):
                    raise DeadlineError(f"A node was not ready within {timeout:g} seconds.", f"See {self.log}.")
                piece = os.read(self._process.stdout.fileno(), _LINE_MAX)
                if not piece or len(line) > _LINE_MAX:
                    raise CapsaError("A node ended before it was ready.", f"See {self.log}.")
                line += piece
        return line

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def node(self) -> str:
        """The node's id, once it is ready."""
        return str(self._facts["node"])

    @property
    def listen(self) -> list[str]:
        """Where it listens, once it is ready."""
        return list(self._facts["listen"])

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def stop(self) -> int:
        """End it with SIGTERM, and with SIGKILL if that does not help; its exit code. A repeat does nothing."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()
        return self._process.returncode

    def kill(self) -> None:
        """End it with SIGKILL, at once; a repeat does nothing."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    @property
    def _facts(self) -> dict[str, Any]:
        assert self._ready is not None, "the node is not ready yet"
        return self._ready

    def _signal(self, number: int) -> None:
        if self.running:
            self._process.send_signal(number)

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def stop_all(nodes: Sequence[NodeProcess]) -> None:
    """Stop several nodes, all at once."""
    for node in nodes:
        node._signal(signal.SIGTERM)
    for node in nodes:
        node.stop()


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """Ours, without what would change what the command does, and with what was asked for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAPSA_")}
    return {**kept, "CAPSA_PASSPHRASE": "", **(more or {})}
