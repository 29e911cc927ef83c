"""The processes that are measured: what they burn and hold, by `/proc` and by what the system says of the dead."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from capsa.faces.cli.demo.processes import NodeProcess, command

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class FailedError(Exception):
    """A process did not do what it was to do."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds: in the program, and in the kernel on its behalf."""

    user: float = 0.0
    system: float = 0.0

    def __add__(self, other: Cpu) -> Cpu:
        return Cpu(self.user + other.user, self.system + other.system)

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.user - other.user, self.system - other.system)

    @property
    def total(self) -> float:
        """Both."""
        return self.user + self.system

    def per_gb(self, size: int) -> dict[str, float]:
        """As it is told, for `size` bytes."""
        total, system = ((seconds * 1e9 / size) for seconds in (self.total, self.system))
        return {"cpu_seconds_per_gb": round(total, 2), "of_these_in_kernel": round(system, 2)}


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended: its JSON lines, wall seconds, CPU seconds, and its largest resident size in bytes."""

    lines: list[dict[str, Any]]
    seconds: float
    cpu: Cpu
    peak_bytes: int


Check: TypeAlias = Callable[[dict[str, Any]], None]


def run(words: Sequence[str | Path], *, said: bytes = b"", check: Check | None = None) -> Finished:
    """Run a process to its end, with `said` on its stdin; `FailedError` unless it exits with 0.

    With a `check`, each line is given to that and not kept: what this process holds when it starts another is counted
    by the system as memory of that one, too.
    """
    lines: list[dict[str, Any]] = []
    take = check or lines.append
    began = time.perf_counter()
    with tempfile.TemporaryFile() as told:  # read afterwards: who reads along takes a core from what is measured
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=told)
        assert process.stdin is not None
        try:
            with process.stdin as stdin:
                stdin.write(said)
            _, status, usage = os.wait4(process.pid, 0)  # says what this one process used, which `wait` does not
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise FailedError(f"{' '.join(map(str, words))[:200]} ended with {process.returncode}.")
        seconds = time.perf_counter() - began
        told.seek(0)
        for line in told:
            take(json.loads(line))
    return Finished(lines, seconds, Cpu(usage.ru_utime, usage.ru_stime), usage.ru_maxrss * 1024)


@dataclass(frozen=True, slots=True)
class Home:
    """A home and how to run commands in it."""

    name: str
    root: Path

    def run(self, *arguments: str | Path, check: Check | None = None) -> Finished:
        """Run a capsa command in this home."""
        return run(command(self.root, *map(str, arguments)), check=check)

    def run_quietly(self, *arguments: str | Path) -> Finished:
        """The same without JSON, and with no words but results."""
        return run([word for word in command(self.root, "--quiet", *map(str, arguments)) if word != "--json"])

    def ask(self, *arguments: str | Path) -> dict[str, Any]:
        """The one JSON document that a command answers with."""
        return self.run(*arguments).lines[-1]


@dataclass(frozen=True, slots=True)
class Node:
    """A running node, and how many seconds passed from its start to its ready line."""

    home: Home
    pid: int
    ready_seconds: float

    @property
    def cpu(self) -> Cpu:
        """What it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return Cpu(int(fields[11]) / _TICKS_PER_SECOND, int(fields[12]) / _TICKS_PER_SECOND)

    @property
    def resident_bytes(self) -> int:
        """Resident size now."""
        return self._memory("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """The largest resident size since the start, or since `forget_peak`."""
        return self._memory("VmHWM")

    def forget_peak(self) -> None:
        """Begin to measure the largest resident size anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _memory(self, field: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise FailedError(f"Node {self.home.name} has ended.")


@contextmanager
def node(home: Home, *options: str) -> Iterator[Node]:
    """Run `capsa up` in a home, from its ready line until the context is left."""
    began = time.perf_counter()
    with NodeProcess.started(home.root, *options) as process:
        yield Node(home, process.pid, time.perf_counter() - began)
