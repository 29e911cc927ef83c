"""What the machine itself does with the same bytes: four copies on disk, and a socket into a file.

Each part is a process of its own, so that its CPU time can be told: `python -m benchmarks.references copy …`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import Cpu, FailedError, Finished, run

_BUFFER_SIZE = 1024 * 1024
_COMMAND = (sys.executable, "-m", "benchmarks.references")


def copies(source: Path, targets: Sequence[Path]) -> Finished:
    """Plain copies of `source` from the page cache, one after the other, each synced; its line has the seconds."""
    return run([*_COMMAND, "copy", source, *targets])


def socket_to_file(source: Path, target: Path) -> Finished:
    """One process sends `source` over loopback TCP, another writes it to `target` and syncs it."""
    sender = subprocess.Popen([*_COMMAND, "send", source], stdout=subprocess.PIPE)
    assert sender.stdout is not None
    try:
        with sender.stdout as stdout:
            port = stdout.readline().decode().strip()
        received = run([*_COMMAND, "receive", target, port])
        _, status, usage = os.wait4(sender.pid, 0)
        sender.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if sender.returncode is None:
            sender.kill()
            sender.wait()
    if target.stat().st_size != source.stat().st_size:
        raise FailedError("The reference lost bytes on the way.")
    cpu = received.cpu + Cpu(usage.ru_utime, usage.ru_stime)
    return Finished(received.lines, received.seconds, cpu, received.peak_bytes)


def _copy(source: Path, targets: Sequence[Path]) -> float:
    began = time.perf_counter()
    buffer = memoryview(bytearray(_BUFFER_SIZE))
    for target in targets:
        with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
            while count := reader.readinto(buffer):
                writer.write(buffer[:count])
            os.fsync(writer.fileno())
    return time.perf_counter() - began


def _send(source: Path) -> None:
    buffer = memoryview(bytearray(_BUFFER_SIZE))
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
        with connection, source.open("rb", buffering=0) as reader:
            while count := reader.readinto(buffer):
                connection.sendall(buffer[:count])


def _receive(target: Path, port: int) -> float:
    buffer = memoryview(bytearray(_BUFFER_SIZE))
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection, target.open("wb", buffering=0) as writer:
        while count := connection.recv_into(buffer):
            writer.write(buffer[:count])
        os.fsync(writer.fileno())
    return time.perf_counter() - began


def main() -> None:
    """Be one of the processes; one that is timed prints its seconds as JSON."""
    match sys.argv[1:]:
        case ["copy", source, *targets]:
            print(json.dumps({"seconds": _copy(Path(source), [Path(target) for target in targets])}))
        case ["send", source]:
            _send(Path(source))
        case ["receive", target, port]:
            print(json.dumps({"seconds": _receive(Path(target), int(port))}))
        case _:
            sys.exit("usage: python -m benchmarks.references copy|send|receive …")


if __name__ == "__main__":
    main()
