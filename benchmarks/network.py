"""Five nodes of five owners on this machine: the one that puts, three that hold, and one that keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Cpu, FailedError, Home, Node, node

HOLDERS = 3
_LISTEN = ("--listen", "tcp://127.0.0.1:0")
_MEET_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_IDLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Network:
    """The nodes that run, and the largest resident size of any of them when all had met and did nothing."""

    home: Node
    holders: tuple[Node, ...]
    fetcher: Node
    idle_bytes: int

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them."""
        return (self.home, *self.holders, self.fetcher)

    @property
    def cpu(self) -> Cpu:
        """What all of them have used so far."""
        return sum((node.cpu for node in self.nodes), Cpu())


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Make homes in `folder` and run their nodes until the context is left; all know each other when it begins."""
    with ExitStack() as stack:
        first = Home("home", folder / "home")
        first.run("--quiet", "init", "--no-passphrase")
        home = stack.enter_context(node(first, *_LISTEN))

        def join(name: str, *options: str) -> Node:
            joining = Home(name, folder / name)
            joining.run("--quiet", "join", str(first.ask("--quiet", "invite")["invite"]), "--no-passphrase")
            return stack.enter_context(node(joining, *_LISTEN, *options))

        holders = tuple(join(f"holder{number}") for number in range(1, HOLDERS + 1))
        fetcher = join("fetcher", "--capacity", "0")
        nodes = (home, *holders, fetcher)
        _meet(nodes)
        time.sleep(_IDLE_SECONDS)
        yield Network(home, holders, fetcher, max(one.resident_bytes for one in nodes))


def _meet(nodes: tuple[Node, ...]) -> None:
    give_up = time.monotonic() + _MEET_SECONDS
    for one in nodes:
        while sum(line["state"] == "alive" for line in one.home.ask("peers")["nodes"]) < len(nodes):
            if time.monotonic() >= give_up:
                raise FailedError(f"Node {one.home.name} does not see all the others alive.")
            time.sleep(_LOOK_SECONDS)
