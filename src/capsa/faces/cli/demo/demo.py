"""`demo`: a whole network of real processes on this machine, in a minute.

Four owners and a fifth who keeps nothing for others; a file goes in, two nodes die, the fifth gets it back.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import tempfile
import textwrap
import time
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from capsa.errors import IntegrityError, NoSpaceError, NotFoundError, UnreachableError, UsageError
from capsa.faces.cli.demo.processes import NodeProcess, run_well
from capsa.faces.cli.demo.specimen import (
    Specimen,
    digest_of,
    first_bytes_of_store,
    is_found_in,
    make_film,
    take_specimen,
)
from capsa.faces.cli.demo.stage import Stage
from capsa.faces.cli.drawing.terminal import Terminal
from capsa.faces.cli.exits import Exit, InterruptError
from capsa.faces.cli.output import Screen, is_terminal
from capsa.faces.cli.quantities import parse_size, show_size
from capsa.faces.cli.running import signals_of_end

_NAMES: Final = ("ann", "ben", "cleo", "dan", "eve")
_DISK_FACTOR: Final = 8
"""The file, four copies of its blocks, what was fetched, and room to breathe."""
_MEETING_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.2
_BESIDES_BLOCKS: Final = 256 * 1024 * 1024
_FILE_SIZE_MIN: Final = 4096
_COLUMNS: Final = 79
_PROGRAM: Final = "capsa"


def demo(options: Namespace, screen: Screen) -> int:
    """Run the show; whatever happens, nothing is left running or lying about, unless `--keep` asks for it."""
    size = _size_of(Path(options.file)) if options.file else parse_size(options.size)
    try:
        with _orderly_end(), _stage(keep=options.keep) as (folder, nodes):
            _check_space(folder, size)
            stage = Stage(_terminal(screen), size)
            show = _Show(folder, nodes, screen, stage)
            with stage.drawn():
                source = Path(options.file).absolute() if options.file else _make(show, folder / "film.mkv", size)
                show.play(source)
            show.tell_end(source, keep=options.keep)
    except KeyboardInterrupt:
        raise InterruptError("Interrupted.", "Nothing of the demo is left, running or on the disk.") from None
    return Exit.DONE


def _terminal(screen: Screen) -> Terminal | None:
    """Where the picture is drawn: only where the steps are told on the same terminal."""
    return None if screen.json or screen.quiet or not is_terminal(sys.stdout) else Terminal.on(sys.stderr)


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end the demo as Ctrl-C does: with everything cleaned up."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in signals_of_end()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stage(*, keep: bool) -> Iterator[tuple[Path, list[NodeProcess]]]:
    """A temporary folder and the nodes that run in it; both go at the end, or stay with `keep` if all went well."""
    folder = Path(tempfile.mkdtemp(prefix="capsa-demo-"))
    nodes: list[NodeProcess] = []
    kept = False
    try:
        yield folder, nodes
        kept = keep
    finally:
        if not kept:
            for node in nodes:
                node.kill()  # nothing of theirs is to be kept
            shutil.rmtree(folder)


class _Show:
    """The steps, told as they happen and summed up at the end."""

    def __init__(self, folder: Path, nodes: list[NodeProcess], screen: Screen, stage: Stage) -> None:
        self._folder = folder
        self._nodes = nodes
        self._screen = screen
        self._stage = stage
        self._began = time.monotonic()
        self._last = self._began
        self._steps: list[dict[str, Any]] = []
        self._by_name: dict[str, NodeProcess] = {}

    def step(self, name: str, text: str, **facts: object) -> None:
        """One line: what has just been done, and how long it took."""
        now = time.monotonic()
        seconds = round(now - self._last, 3)
        self._last = now
        self._steps.append({"step": name, "seconds": seconds, "text": text, **facts})
        told = _wrapped(f"{len(self._steps):2}. {text} ({seconds:.1f} s)")
        self._stage.above(lambda: self._screen.say(told))

    def play(self, source: Path) -> None:
        """From an empty folder to the file that came back."""
        size = _size_of(source)
        specimen = take_specimen(source)
        self._found(size)
        self._meet()
        stored = self._put(source)
        holders = self._locate(stored["key"])
        self._search(specimen)
        self._kill(holders)
        self._fetch(stored, source)

    # --- steps

    def _home(self, name: str) -> Path:
        return self._folder / name

    def _start(self, name: str, capacity: int) -> NodeProcess:
        node = NodeProcess(self._home(name), "--listen", "tcp://127.0.0.1:0", "--capacity", str(capacity))
        self._nodes.append(node)
        self._by_name[name] = node
        node.wait_ready()
        self._stage.add(name.title(), node.home)
        return node

    def _found(self, size: int) -> None:
        capacity = 2 * size + _BESIDES_BLOCKS
        first = _NAMES[0]
        run_well(self._home(first), "init", "--name", first.title(), "--no-passphrase")
        self._start(first, capacity)
        self.step("found", f"{first.title()} founds a network and starts a node")

        def let_in(name: str) -> None:
            invite = run_well(self._home(first), "invite").last["invite"]
            joining = ("join", "--name", name.title(), "--no-passphrase")
            run_well(self._home(name), *joining, stdin=str(invite).encode())
            self._start(name, 0 if name == _NAMES[-1] else capacity)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(let_in, _NAMES[1:]))
        others = ", ".join(name.title() for name in _NAMES[1:-1])
        self.step("join", f"{others} and {_NAMES[-1].title()} join by invite, and start theirs; Eve's keeps nothing")

    def _meet(self) -> None:
        give_up = time.monotonic() + _MEETING_SECONDS
        for name in _NAMES:
            while (alive := self._alive_at(name)) < len(_NAMES):
                if time.monotonic() > give_up:
                    raise UnreachableError(f"{name.title()}'s node met {alive} of {len(_NAMES)} nodes only.")
                time.sleep(_POLL_SECONDS)
        self.step("meet", f"each of the {len(_NAMES)} nodes knows all others")

    def _alive_at(self, name: str) -> int:
        lines = run_well(self._home(name), "peers").last["nodes"]
        return sum(line["state"] == "alive" for line in lines)

    def _put(self, source: Path) -> dict[str, Any]:
        outcome = run_well(self._home(_NAMES[0]), "put", str(source))
        stored, speed = outcome.last, outcome.last["size"] / outcome.seconds
        durable = stored["copies"]["durable"]
        self.step(
            "put",
            f"Ann puts {stored['key']}, {show_size(stored['size'])}: {durable} copies, fsynced, "
            f"at {show_size(speed)}/s ({show_size(durable * speed)}/s of copies)",
            bytes=stored["size"],
            bytes_per_second=round(speed),
            copies=stored["copies"],
        )
        return stored

    def _locate(self, key: str) -> list[str]:
        """Who holds how much; the names of those that hold something, Ann aside, in order."""
        told = run_well(self._home(_NAMES[0]), "info", key).last
        held = {name: told["holders"].get(node.node, 0) for name, node in self._by_name.items()}
        listed = ", ".join(f"{name.title()} {count}" for name, count in held.items())
        self.step("locate", f"its {told['blocks']} blocks lie with: {listed}", blocks=told["blocks"], holders=held)
        return [name for name in _NAMES[1:] if held[name]]

    def _search(self, specimen: Specimen) -> None:
        for name in _NAMES[1:]:
            if is_found_in(specimen, self._home(name)):
                raise IntegrityError(f"Words of the file were found on {name.title()}'s disk.", "Please report this.")
        sample = first_bytes_of_store(self._home(_NAMES[1]))
        self.step(
            "search",
            f"none of {len(specimen.pieces)} pieces of its content or name is on the others' disks; "
            f"Ben's disk holds: {sample}",
            pieces=len(specimen.pieces),
            sample=sample,
        )

    def _kill(self, holders: list[str]) -> None:
        victims = [_NAMES[0], *holders[:1]]
        for name in victims:
            self._by_name[name].kill()
            self._stage.dead(name.title())
        self.step(
            "kill", f"{' and '.join(name.title() for name in victims)} are killed, without a word", killed=victims
        )

    def _fetch(self, stored: dict[str, Any], source: Path) -> None:
        target = self._folder / "fetched"
        outcome = run_well(
            self._home(_NAMES[-1]), "get", "--cap-file", "-", "-o", str(target), stdin=stored["cap"].encode()
        )
        speed = stored["size"] / outcome.seconds
        self.step(
            "get",
            f"Eve, who has the cap, gets it from who is left, at {show_size(speed)}/s",
            bytes=stored["size"],
            bytes_per_second=round(speed),
        )
        digest = digest_of(target)
        if digest != digest_of(source):
            raise IntegrityError("What came back is not what went in.", "Please report this.")
        self.step("compare", f"what she has is bit for bit what Ann put (BLAKE3 {digest[:16]}…)", blake3=digest)

    def tell_end(self, source: Path, *, keep: bool) -> None:
        """The summary; with `keep`, how to go on."""
        seconds = round(time.monotonic() - self._began, 1)
        speeds = {step["step"]: step["bytes_per_second"] for step in self._steps if "bytes_per_second" in step}
        alive = [name for name, node in self._by_name.items() if node.running]
        homes = {name: str(self._home(name)) for name in alive} if keep else {}
        self._screen.document({"steps": self._steps, "seconds": seconds, "bytes_per_second": speeds, "homes": homes})
        self._screen.result("")
        self._screen.result(
            _wrapped(
                f"Done in {seconds} s: {show_size(_size_of(source))} went in at {show_size(speeds['put'])}/s, in four "
                f"copies, and came out at {show_size(speeds['get'])}/s after two of five nodes were lost.",
                indent="",
            )
        )
        if keep:
            self._tell_kept(homes)

    def _tell_kept(self, homes: dict[str, str]) -> None:
        say = self._screen.result
        say("\nThe network goes on running. To use it:")
        for name, home in homes.items():
            say(f"\n  # {name.title()}, process {self._by_name[name].pid}")
            say(f"  {_own_command()} --home {shlex.quote(home)} status")
        pids = " ".join(str(node.pid) for node in self._nodes if node.running)
        say(f"\nTo end it:\n\n  kill {pids} && rm -r {shlex.quote(str(self._folder))}")


def _own_command() -> str:
    """What to type to run this very capsa, wherever one is."""
    program = Path(sys.argv[0])
    if program.name == _PROGRAM:
        return shlex.quote(str(program.absolute()))
    return f"{shlex.quote(sys.executable)} -m {_PROGRAM}"


def _wrapped(text: str, indent: str = "    ") -> str:
    return textwrap.fill(text, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _make(show: _Show, path: Path, size: int) -> Path:
    make_film(path, max(size, _FILE_SIZE_MIN))
    show.step("make", f"a file of {show_size(size)} is made, {path.name}", bytes=size)
    return path


def _size_of(path: Path) -> int:
    if not path.exists():
        raise NotFoundError(f"There is no file {path}.", "Name another with --file.")
    if not path.is_file():
        raise UsageError(f"{path} is not a file.", "Name another with --file.")
    return path.stat().st_size


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < _DISK_FACTOR * size + len(_NAMES) * _BESIDES_BLOCKS:
        raise NoSpaceError(
            f"The demo needs {show_size(_DISK_FACTOR * size + len(_NAMES) * _BESIDES_BLOCKS)} in {folder.parent}, and "
            f"{show_size(free)} are free.",
            "Choose a smaller --size, or another folder with TMPDIR.",
        )
