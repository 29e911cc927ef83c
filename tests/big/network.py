"""A home and three holders of other owners, as anybody would set them up; real processes on real TCP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from capsa.faces.cli.demo.processes import NodeProcess, run_well, stop_all

HOME = "home"
HOLDERS = ("holder1", "holder2", "holder3")
_MEET_SECONDS = 60.0


class Network:
    """Four homes in one folder, and their nodes; a node that is started again listens where it did before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.nodes: dict[str, NodeProcess] = {}
        self._listen: dict[str, str] = {}

    def root(self, name: str) -> Path:
        return self._folder / name

    def start(self, name: str) -> NodeProcess:
        """Start a node; it is not ready yet."""
        node = NodeProcess(self.root(name), "--listen", self._listen.get(name, "tcp://127.0.0.1:0"))
        self.nodes[name] = node
        return node

    def make(self) -> None:
        """Make the homes, start the nodes, and wait until all know each other."""
        run_well(self.root(HOME), "init")
        self._listen[HOME] = self.start(HOME).wait_ready().listen[0]
        for name in HOLDERS:
            invite = run_well(self.root(HOME), "invite").last["invite"]
            run_well(self.root(name), "join", stdin=invite.encode())
            self._listen[name] = self.start(name).wait_ready().listen[0]
        self.meet()

    def meet(self) -> None:
        """Wait until every node is ready and sees all the others alive."""
        for node in self.nodes.values():
            node.wait_ready()
        for name in self.nodes:
            wait_for(self.root(name), "peers", lambda told: _alive(told) == len(self.nodes))


def wait_for(root: Path, question: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Ask a home until the answer is as wanted; an `AssertionError` after a minute."""
    give_up = time.monotonic() + _MEET_SECONDS
    while not holds(told := run_well(root, question).last):
        assert time.monotonic() < give_up, f"{question} of {root.name} still says {told}"


def _alive(told: dict[str, Any]) -> int:
    return sum(line["state"] == "alive" for line in told["nodes"])


@contextmanager
def running(folder: Path) -> Iterator[Network]:
    """A network that has met."""
    network = Network(folder)
    try:
        network.make()
        yield network
    finally:
        stop_all(list(network.nodes.values()))
