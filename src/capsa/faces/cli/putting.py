"""`put`: files and stdin."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from capsa.client.jobs import Job, Stored, Wish
from capsa.client.sources import FileSource, Source
from capsa.core.caps import format_cap
from capsa.core.names import check_key
from capsa.core.statements import COPIES_MAX
from capsa.errors import CapsaError, UsageError
from capsa.faces.cli.exits import Exit, exit_of
from capsa.faces.cli.given import STDIN, whole_number
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import Screen, describe, one_line
from capsa.faces.cli.passphrases import Unlock, unlock_of
from capsa.faces.cli.progress import Progress
from capsa.faces.cli.quantities import show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home
from capsa.faces.cli.stdin import StdinSource

SETTLE_SECONDS: Final = 5.0
"""How long a command that runs without a node looks for members first."""


def put(options: Namespace, screen: Screen) -> int:
    """Store files; one that fails does not stop the rest."""
    copies = None if options.copies is None else whole_number(options.copies, "--copies")
    if copies is not None and copies > COPIES_MAX:
        raise UsageError(f"--copies takes at most {COPIES_MAX}.", "Give a smaller number.")
    work = _Work.of(options.paths, options.key)
    return run(_put(home_root(options), unlock_of(options), work, Wish(copies), screen))


@dataclass(slots=True)
class _Work:
    """What is to be put, and when each file was begun."""

    jobs: list[Job] = field(default_factory=list)
    unfit: list[Stored] = field(default_factory=list)
    """Files whose names cannot be keys."""
    begun: dict[str, float] = field(default_factory=dict)
    on_begin: Callable[[str], None] = lambda key: None

    @classmethod
    def of(cls, paths: Sequence[str], key: str | None) -> _Work:
        """The jobs of these arguments; `UsageError` on what is wrong with the command as a whole."""
        if key is not None and len(paths) > 1:
            raise UsageError("--as names one file, and several were given.", "Put them one at a time.")
        if key is None and STDIN in paths:
            raise UsageError("What comes on stdin needs a key.", "Name it with --as.")
        for path in paths:
            if path != STDIN and Path(path).is_dir():
                raise UsageError(f"{path} is a folder, and -r is not available in this version.", "Name the files.")
        work = cls()
        if key is not None:
            work._add(paths[0], check_key(key))
        else:
            for path in paths:
                try:
                    work._add(path, check_key(Path(path).name))
                except UsageError as error:
                    work.unfit.append(Stored(Path(path).name, error=error))
        return work

    @property
    def size(self) -> int | None:
        """Bytes of all files, where they are known."""
        sizes = [job.size for job in self.jobs]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def seconds(self, key: str) -> float:
        """Since the file was begun; 0 if it never was."""
        return round(time.monotonic() - self.begun[key], 3) if key in self.begun else 0.0

    def _add(self, path: str, key: str) -> None:
        if path == STDIN:
            self.jobs.append(Job(key, self._timed(key, StdinSource), repeatable=False))
        else:
            self.jobs.append(Job(key, self._timed(key, lambda: FileSource(Path(path))), size=_size_of(Path(path))))

    def _timed(self, key: str, make: Callable[[], Source]) -> Callable[[], Source]:
        def begin() -> Source:
            self.begun.setdefault(key, time.monotonic())
            self.on_begin(key)
            return make()

        return begin


async def _put(root: Path, unlock: Unlock, work: _Work, wish: Wish, screen: Screen) -> int:
    ends: list[Exit] = []
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context:
        with Progress(screen, "put", work.size, time.monotonic, files=len(work.jobs)) as progress:
            work.on_begin = progress.begin
            for unfit in work.unfit:
                ends.append(_tell(unfit, 0.0, screen, context.facts.serving))
            wanted = 1 + (context.facts.copies if wish.copies is None else wish.copies)
            async with progress.watching(context.link, context.home.node, wanted=wanted):
                async for stored in context.files().put(work.jobs, wish, progress=progress):
                    progress.end()
                    progress.clear()
                    ends.append(_tell(stored, work.seconds(stored.key), screen, context.facts.serving))
    failures = [end for end in ends if end not in (Exit.DONE, Exit.FEWER_COPIES)]
    if failures:
        return failures[0] if len(ends) == 1 else Exit.FAILED
    return max(ends, default=Exit.DONE)


def _tell(stored: Stored, seconds: float, screen: Screen, serving: bool) -> Exit:
    """One file's line; the exit code that it alone would give. `serving` is whether the home's node goes on running."""
    if stored.error is not None:
        screen.complain(stored.error, about="" if _names_it(stored.error, stored.key) else f"{one_line(stored.key)}:")
        screen.document({"key": stored.key, "error": describe(stored.error)})
        return exit_of(stored.error)
    assert stored.cap is not None
    screen.document(
        {
            "key": stored.key,
            "cap": format_cap(stored.cap),
            "size": stored.size,
            "blocks": stored.blocks,
            "new_bytes": stored.new_bytes,
            "unchanged": stored.unchanged,
            "copies": {"durable": stored.durable, "wanted": stored.wanted},
            "seconds": seconds,
        }
    )
    short = stored.durable < stored.wanted
    copies = f"{stored.durable} of {stored.wanted}" if short else f"{stored.durable}"
    completer = "the node" if serving else "'capsa up'"
    later = f"; {completer} will complete them" if short else ""
    what = "unchanged" if stored.unchanged else f"{show_size(stored.size)} in {seconds:.1f} s"
    screen.say(f"{stored.key}: {what}, {copies} {'copy' if copies == '1' else 'copies'}{later}")
    return Exit.FEWER_COPIES if short else Exit.DONE


def _names_it(error: CapsaError, key: str) -> bool:
    return key in error.message


def _size_of(path: Path) -> int:
    """For the progress line alone: what is wrong with a file is told when its turn comes."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
