"""Processes are killed at random moments of puts; what was acknowledged is there afterwards, bit for bit."""

from __future__ import annotations

import json
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import command, run, run_well
from tests.big.network import HOLDERS, HOME, Network, running, wait_for

SEED = 2026
KILLS = 200
BETWEEN_SECONDS = (0.0, 1.5)
"""The moment of a kill: anywhere from the middle of a node's start to after some puts."""
COMMAND = "command"
ENDS = {0, 1, 4, 6, 10, -9}
"""What a put may end with here: done, fewer copies, failed for want of its node or of peers, or killed."""


@dataclass(frozen=True)
class Acknowledged:
    """A file that a put said is stored."""

    source: Path
    cap: str


class Putting:
    """A `put` that runs, of one or more files."""

    def __init__(self, root: Path, sources: list[Path], said: Path) -> None:
        self.sources = sources
        self._said = said
        with said.open("wb") as out, said.with_suffix(".err").open("wb") as errors:
            words = command(root, "put", *map(str, sources))
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def finish(self) -> list[Acknowledged]:
        """Wait for its end; what it acknowledged before, even if it was killed then."""
        code = self._process.wait(120)
        errors = self._said.with_suffix(".err").read_text()
        assert code in ENDS, f"a put ended with {code}: {errors}"
        assert "Traceback" not in errors, errors
        named = {source.name: source for source in self.sources}
        whole_lines = self._said.read_text().rpartition("\n")[0].splitlines()
        documents = [json.loads(line) for line in whole_lines]
        return [Acknowledged(named[line["key"]], line["cap"]) for line in documents if "cap" in line]


class Storm:
    """Puts, one after the other, while processes die; all that is random comes from one seed."""

    def __init__(self, network: Network, folder: Path, chance: random.Random) -> None:
        self._network = network
        self._folder = folder
        self._chance = chance
        self._putting: Putting | None = None
        self._puts = 0
        self._files = 0
        self.acknowledged: list[Acknowledged] = []
        self.unfinished: list[Path] = []

    def strike(self) -> None:
        """Kill one process. A node is started again at once; a put that ended is followed by the next."""
        self._tend()
        time.sleep(self._chance.uniform(*BETWEEN_SECONDS))
        victim = self._chance.choice([HOME, *HOLDERS, COMMAND])
        if victim == COMMAND:
            assert self._putting is not None
            self._putting.kill()
        else:
            node = self._network.nodes[victim]
            assert node.running, f"{victim} ended by itself: {node.log.read_text()[-2000:]}"
            node.kill()
            self._network.start(victim)

    def end(self) -> None:
        """Let the last put end."""
        if self._putting is not None:
            self._collect(self._putting)
            self._putting = None

    def _tend(self) -> None:
        if self._putting is not None and self._putting.running:
            return
        self.end()
        repeated = self.unfinished if self._chance.random() < 0.5 else []
        self.unfinished = [source for source in self.unfinished if source not in repeated]
        sources = [*repeated, *(self._new_file() for _ in range(self._chance.randint(1, 3)))]
        self._puts += 1
        self._putting = Putting(self._network.root(HOME), sources, self._folder / f"put-{self._puts}.out")

    def _collect(self, putting: Putting) -> None:
        acknowledged = putting.finish()
        self.acknowledged += acknowledged
        done = {one.source for one in acknowledged}
        self.unfinished += [source for source in putting.sources if source not in done]

    def _new_file(self) -> Path:
        self._files += 1
        path = self._folder / f"file-{self._files:03}"
        largest = self._chance.choice([1_000, 60_000, 100_000, 6_000_000])
        path.write_bytes(self._chance.randbytes(self._chance.randint(0, largest)))
        return path


@pytest.mark.big
def test_nothing_acknowledged_is_lost_by_kills(room: Path) -> None:
    (files := room / "files").mkdir()
    with running(room / "homes") as network:
        storm = Storm(network, files, random.Random(SEED))
        for _ in range(KILLS):
            storm.strike()
        storm.end()
        network.meet()

        home = network.root(HOME)
        for source in storm.unfinished:  # a repeat takes up what a kill interrupted
            storm.acknowledged.append(Acknowledged(source, run_well(home, "put", str(source)).last["cap"]))
        listed = {line["key"]: line["cap"] for line in run_well(home, "ls").documents}
        assert listed == {one.source.name: one.cap for one in storm.acknowledged}
        wait_for(home, "status", lambda told: told["underreplicated"] == 0)
        check_each_alone(network, storm.acknowledged)


def check_each_alone(network: Network, acknowledged: list[Acknowledged]) -> None:
    """Every home opens again, and by itself gives back what it should hold: of the files, every fourth each."""
    names = [HOME, *HOLDERS]
    for node in network.nodes.values():
        assert node.stop() == 0, node.log.read_text()[-2000:]
    for number, name in enumerate(names):
        with network.start(name).wait_ready(), ThreadPoolExecutor(2) as pool:
            share = acknowledged[number::4]
            wrong = [error for error in pool.map(fetch, [network.root(name)] * len(share), share) if error]
        assert not wrong, f"{name} alone: {wrong}"


def fetch(root: Path, one: Acknowledged) -> str:
    """What is wrong with a file as a home's node gives it."""
    got = one.source.with_suffix(".got")
    cap = one.source.with_suffix(".cap")
    cap.write_text(one.cap)
    outcome = run(root, "get", "--cap-file", str(cap), "-o", str(got))
    if outcome.code:
        return f"{one.source.name}: {outcome.stderr}"
    return "" if got.read_bytes() == one.source.read_bytes() else f"{one.source.name} is different"
