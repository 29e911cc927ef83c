"""Networks of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from capsa.faces.cli.demo.processes import NodeProcess, run_well, stop_all

OTHERS = ("ben", "cleo", "eve")


@dataclass(frozen=True)
class Network:
    """Ann founded it and wants two copies besides her own; Ben and Cleo keep them; Eve keeps nothing."""

    folder: Path
    nodes: dict[str, NodeProcess]

    def home(self, name: str) -> Path:
        return self.folder / name

    @property
    def ann(self) -> Path:
        return self.home("ann")


@contextmanager
def running_network(folder: Path, capacity: str = "1GB") -> Iterator[Network]:
    """Four nodes that know each other, and what each but Eve's keeps for others at most."""
    network = Network(folder, {})
    try:
        run_well(network.ann, "init", "--name", "Ann", "--copies", "2")
        network.nodes["ann"] = start(network.ann, capacity=capacity)

        def let_in(name: str) -> None:
            invite = run_well(network.ann, "invite").last["invite"]
            run_well(network.home(name), "join", "--name", name.title(), stdin=invite.encode())
            network.nodes[name] = start(network.home(name), capacity="0" if name == "eve" else capacity)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(let_in, OTHERS))
        for name in network.nodes:
            until_alive(network.home(name), len(network.nodes))
        yield network
    finally:
        stop_all(list(network.nodes.values()))


def start(home: Path, *options: str, capacity: str = "1GB", listen: str = "tcp://127.0.0.1:0") -> NodeProcess:
    """A node that is ready."""
    return NodeProcess.started(home, "--listen", listen, "--capacity", capacity, *options)


def until_alive(home: Path, count: int) -> None:
    """Ask a home's node who is there, until it knows `count` nodes: the suite's own time limit is the deadline."""
    for _ in range(60):
        lines = run_well(home, "peers").last["nodes"]
        if sum(line["state"] == "alive" for line in lines) >= count:
            return
    raise AssertionError(f"{home.name} does not know {count} nodes after 60 questions: {lines}")
