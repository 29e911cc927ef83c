"""What people wait for at the command line: that `ls` answers, and that a folder of very many files is gone through.

    python -m benchmarks.command_line [--files 10000] [--many 100000] [--folder DIR]

Five real nodes, as in `benchmarks.put_get`. A folder of files of 16 KiB is put with 1 + 3 copies, put again, and
fetched; one of very many small files is put, put again, and listed. Prints a JSON line for each measurement: wall
seconds of whole commands, Python's start included, and CPU seconds, which noise moves less, of the command and of all
nodes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import ground
from benchmarks.network import HOLDERS, Network, network
from benchmarks.processes import FailedError, Finished, Home
from benchmarks.telling import load, mb, tell

FILE_SIZE = 16 * 1024
SMALL_SIZE = 128
FOLDER_FILES = 1000
STARTS = 20
"""How often a command that is over at once is run."""
_BYTES_A_FILE = 128 * 1024
"""Room for a file of 16 KiB, its copies, and what came back, as file systems round it up."""


def measure(folder: Path, files: int, many: int) -> None:
    """Measure everything in a folder, with a fresh network."""
    some = _make_tree(folder / "some", files, FILE_SIZE)
    most = _make_tree(folder / "most", many, SMALL_SIZE)
    os.sync()
    with network(folder / "homes") as net:
        _put(net, "put -r", some, files, unchanged=False)
        _put(net, "put -r, again", some, files, unchanged=True)
        _starts(net.home.home, "ls", "some/00000/000000")
        back = folder / "back"
        with _Checked("get -r", files) as check:
            _measured(net, "get -r", files, lambda home: home.run("get", "-r", "some", "-o", back, check=check))
        _check_same_trees(some, back / "some", files)
        _put(net, "put -r, very many", most, many, unchanged=False)
        _put(net, "put -r, very many, again", most, many, unchanged=True)
        _measured(net, "put -r, very many, again, --quiet", many, lambda home: home.run_quietly("put", "-r", most))
        with _Checked("ls", many) as check:
            _measured(net, "ls, very many", many, lambda home: home.run("ls", "most", check=check))
        _starts(net.home.home, "ls, among very many", "some/00000/000000")


def _make_tree(root: Path, files: int, size: int) -> Path:
    for number in range(files):
        folder = root / f"{number // FOLDER_FILES:05}"
        if number % FOLDER_FILES == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:06}.bin").write_bytes(os.urandom(size))
    return root


def _check_same_trees(one: Path, other: Path, files: int) -> None:
    count = 0
    for path in one.rglob("*.bin"):
        ground.check_same(path, other / path.relative_to(one))
        count += 1
    if count != files:
        raise FailedError(f"{count} files came back.")


class _Checked:
    """Use as a context, and call it with each line that a command prints: `FailedError` unless all are as expected."""

    def __init__(self, name: str, files: int, **expected: object) -> None:
        self._name = name
        self._left = files
        self._expected = expected

    def __call__(self, line: dict[str, Any]) -> None:
        self._left -= 1
        if any(line.get(field) != value for field, value in self._expected.items()):
            raise FailedError(f"{self._name}: {line}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._left:
            raise FailedError(f"{self._name} told of {self._left} files too few.")


def _put(net: Network, name: str, folder: Path, files: int, *, unchanged: bool) -> None:
    wanted = {"durable": HOLDERS + 1, "wanted": HOLDERS + 1}
    with _Checked(name, files, copies=wanted, unchanged=unchanged) as check:
        _measured(net, name, files, lambda home: home.run("put", "-r", folder, check=check))


def _measured(net: Network, name: str, files: int, do: Callable[[Home], Finished]) -> None:
    """Do something with many files, and tell what it took."""
    os.sync()
    for node in net.nodes:
        node.forget_peak()
    before = net.cpu
    done = do(net.home.home)
    nodes = net.cpu - before
    tell(
        {
            "measured": name,
            "files": files,
            "seconds": round(done.seconds, 3),
            "files_per_second": round(files / done.seconds),
            "cpu_seconds": {"command": round(done.cpu.total, 3), "nodes": round(nodes.total, 3)},
            "peak_resident_mb": {
                "command": mb(done.peak_bytes),
                "nodes": mb(max(node.peak_bytes for node in net.nodes)),
            },
            "load": load(),
        }
    )


def _starts(home: Home, name: str, *arguments: str) -> None:
    """Run a command that is over at once, often, and tell how long one took."""
    runs = [home.run("ls", *arguments) for _ in range(STARTS)]
    told: dict[str, Any] = {
        "measured": name,
        "runs": STARTS,
        "seconds_least": round(min(run.seconds for run in runs), 3),
        "seconds_median": round(statistics.median(run.seconds for run in runs), 3),
        "cpu_seconds_median": round(statistics.median(run.cpu.total for run in runs), 3),
        "load": load(),
    }
    tell(told)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.command_line")
    parser.add_argument("--files", type=int, default=10_000, help="files of 16 KiB (10000)")
    parser.add_argument("--many", type=int, default=100_000, help="files of 128 bytes (100000)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk to measure (/var/tmp)")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the benchmark; ends with 1 and a sentence if something is not as it must be."""
    options = _options(sys.argv[1:])
    try:
        ground.check(options.folder, _BYTES_A_FILE * (options.files + options.many))
        with tempfile.TemporaryDirectory(prefix="capsa-bench-", dir=options.folder) as folder:
            began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            tell({"began": began, "cores": os.cpu_count(), "load": load()})
            measure(Path(folder), options.files, options.many)
    except FailedError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
