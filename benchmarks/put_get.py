"""Put and get through five real node processes, beside what the machine does with the same bytes.

    python -m benchmarks.put_get [--size 1GiB] [--folder DIR] [--runs N]

Prints a JSON line for each measurement. Bytes are plaintext bytes, MB and GB are powers of 1000; CPU seconds are
those of all nodes and of the command; resident sizes are the largest of each process during that measurement.
Nothing that was fetched may come from anywhere but peers, or the run fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import ground, references
from benchmarks.network import HOLDERS, Network, network
from benchmarks.processes import FailedError, Finished, Home, run
from benchmarks.telling import load, mb, tell
from capsa.errors import UsageError
from capsa.faces.cli.quantities import parse_size

SMALL_FILES = 1000
SMALL_SIZE = 16 * 1024
RANGE_SIZE = 1024 * 1024
_THROUGH_CLIENT = (sys.executable, "-m", "benchmarks.through_client")
_SIZES_OF_ROOM = 12
"""Times the file's size that may lie on the disk at once: the file, 4 copies, the fetched one, and some slack."""


class Bench:
    """One run: a fresh network in a folder of its own."""

    def __init__(self, folder: Path, size: int, tell: Callable[[dict[str, object]], None]) -> None:
        self._folder = folder
        self._size = size
        self._tell = tell
        self._source = folder / "source"

    def run(self) -> None:
        """Measure everything, in an order in which nothing waits for what an earlier step left to be written."""
        ground.make_file(self._source, self._size)
        with network(self._folder / "homes") as net:
            self._tell(
                {
                    "measured": "start",
                    "ready_seconds": round(max(one.ready_seconds for one in net.nodes), 3),
                    "idle_resident_mb": mb(net.idle_bytes),
                }
            )
            copies = [self._copies()]
            cap, put = self._put(net)
            copies.append(self._copies())
            sockets = [self._socket()]
            get = self._get(net, cap)
            sockets.append(self._socket())
            self._tell({"measured": "of reference", "put": _share(put, copies), "get": _share(get, sockets)})
            self._range(net, cap)
            self._small(net)

    # --- references

    def _copies(self) -> float:
        with self._room("copies") as folder:
            done = references.copies(self._source, [folder / str(number) for number in range(HOLDERS + 1)])
        return self._reference(f"{HOLDERS + 1} x copy + fsync", done)

    def _socket(self) -> float:
        with self._room("socket") as folder:
            done = references.socket_to_file(self._source, folder / "received")
        return self._reference("socket -> file + fsync", done)

    def _reference(self, name: str, done: Finished) -> float:
        seconds = float(done.lines[-1]["seconds"])
        self._tell(
            {
                "measured": name,
                "bytes": self._size,
                "seconds": round(seconds, 3),
                "mb_per_second": round(self._size / 1e6 / seconds, 1),
                **done.cpu.per_gb(self._size),
                "load": load(),
            }
        )
        return seconds

    # --- the file

    def _put(self, net: Network) -> tuple[str, float]:
        done = self._measured("put", net, self._size, 1, lambda: net.home.home.run("put", self._source))
        line = done.lines[-1]
        if line["copies"] != {"durable": HOLDERS + 1, "wanted": HOLDERS + 1}:
            raise FailedError(f"The put came to copies {line['copies']}.")
        return str(line["cap"]), done.seconds

    def _get(self, net: Network, cap: str) -> float:
        with self._room("got") as folder:
            (cap_file := folder / "cap").write_text(cap)
            target = folder / "got"
            words = ("get", "--cap-file", cap_file, "-o", target)
            done = self._measured("get", net, self._size, 1, lambda: net.fetcher.home.run(*words))
            if target.stat().st_size != self._size:
                raise FailedError("What came back does not have the size of what was put.")
            ground.check_same(self._source, target)
        return done.seconds

    def _range(self, net: Network, cap: str) -> None:
        size = min(RANGE_SIZE, self._size)
        start = (self._size - size) // 2
        with self._room("range") as folder:
            target = folder / "got"
            command: list[str | Path] = [
                *_THROUGH_CLIENT,
                "range",
                net.fetcher.home.root,
                str(start),
                str(start + size),
                target,
            ]
            self._measured("middle", net, size, 1, lambda: run(command, said=cap.encode()))
            ground.check_same(self._source, target, start)

    # --- small files

    def _small(self, net: Network) -> None:
        with self._room("small") as folder:
            (sources := folder / "sources").mkdir()
            (targets := folder / "targets").mkdir()
            names = [f"small-{number:04}" for number in range(SMALL_FILES)]
            for name in names:
                (sources / name).write_bytes(os.urandom(SMALL_SIZE))
            os.sync()
            size = SMALL_FILES * SMALL_SIZE
            paths = [sources / name for name in names]
            put = self._measured("put small", net, size, SMALL_FILES, lambda: net.home.home.run("put", *paths))
            caps = "".join(f"{line['key']} {line['cap']}\n" for line in put.lines).encode()
            command: list[str | Path] = [*_THROUGH_CLIENT, "many", net.fetcher.home.root, targets]
            self._measured("get small", net, size, SMALL_FILES, lambda: run(command, said=caps))
            for name in names:
                if (targets / name).stat().st_size != SMALL_SIZE:
                    raise FailedError(f"{name} did not come back whole.")
                ground.check_same(sources / name, targets / name)

    # --- measuring

    def _measured(self, name: str, net: Network, size: int, files: int, do: Callable[[], Finished]) -> Finished:
        """Do it and tell what it took; wall time is that of the whole command, from its start to its exit.

        Where a command says how long the work itself took, without the start of Python, that is told too.
        """
        os.sync()
        for node in net.nodes:
            node.forget_peak()
        before = net.cpu
        done = do()
        cpu = net.cpu - before + done.cpu
        _check_keeps_nothing(net.fetcher.home)
        told: dict[str, object] = {
            "measured": name,
            "bytes": size,
            "seconds": round(done.seconds, 3),
            "work_seconds": round(max(float(line["seconds"]) for line in done.lines), 3),
            "mb_per_second": round(size / 1e6 / done.seconds, 1),
            **cpu.per_gb(size),
        }
        if files > 1:
            told["files_per_second"] = round(files / done.seconds)
        told["peak_resident_mb"] = {
            **{node.home.name: mb(node.peak_bytes) for node in net.nodes},
            "command": mb(done.peak_bytes),
        }
        told["load"] = load()
        self._tell(told)
        return done

    @contextmanager
    def _room(self, name: str) -> Iterator[Path]:
        folder = self._folder / name
        folder.mkdir()
        os.sync()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _check_keeps_nothing(fetcher: Home) -> None:
    """Its store is empty, so whatever it reads comes from peers."""
    blocks = fetcher.ask("status")["blocks"]
    if blocks:
        raise FailedError(f"The node that fetches holds {blocks} blocks itself.")


def _share(seconds: float, reference: Sequence[float]) -> float:
    """How fast it was, as a share of its reference, which was measured before and after: disks have moods."""
    return round(sum(reference) / len(reference) / seconds, 3)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.put_get", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="1GiB", help="of the large file (1GiB)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk to measure (/var/tmp)")
    parser.add_argument("--runs", type=int, default=1, help="how often, each time with a fresh network (1)")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the benchmark; ends with 1 and a sentence if something is not as it must be."""
    options = _options(sys.argv[1:])
    try:
        size = parse_size(options.size)
        ground.check(options.folder, _SIZES_OF_ROOM * size)
        for number in range(1, options.runs + 1):
            with tempfile.TemporaryDirectory(prefix="capsa-bench-", dir=options.folder) as folder:
                began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                tell({"run": number, "began": began, "cores": os.cpu_count(), "load": load()})
                Bench(Path(folder), size, tell).run()
    except UsageError as error:
        sys.exit(f"{error.message} {error.hint}")
    except FailedError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
