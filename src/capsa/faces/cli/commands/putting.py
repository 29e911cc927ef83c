"""`put`: files, folders and stdin."""

from __future__ import annotations

import os
import stat
import time
from argparse import Namespace
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from capsa.client.puts.ignore import NO_RULES, Rules
from capsa.client.puts.jobs import Job, Stored, Wish
from capsa.client.puts.sources import FileSource, Source
from capsa.client.puts.stamps import Stamp
from capsa.client.puts.walk import FolderId, Found, Skipped, folder_id, shown, walk
from capsa.core.names import check_key
from capsa.core.statements import COPIES_MAX
from capsa.errors import CapsaError, ChangedError, RefusedError, UsageError
from capsa.faces.cli.commands.stdin import StdinSource
from capsa.faces.cli.commands.tally import Tally
from capsa.faces.cli.drawing.progress import Progress
from capsa.faces.cli.gathering import gathering
from capsa.faces.cli.given import STDIN, whole_number
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Unlock, unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, HomeContext, at_home

AGAIN_MAX: Final = 1000
"""Files that are read again, at the end, since they changed while they were read. What is more has failed."""


def put(options: Namespace, screen: Screen) -> int:
    """Store files and folders; one that fails does not stop the rest."""
    copies = None if options.copies is None else whole_number(options.copies, "--copies")
    if copies is not None and copies > COPIES_MAX:
        raise UsageError(f"--copies takes at most {COPIES_MAX}.", "Give a smaller number.")
    root = home_root(options)
    asked = _Asked.of(options, root)
    wish = Wish(
        copies,
        private=options.private,
        new_version=options.new_version,
        wait=not options.no_wait,
        reread=options.reread,
    )
    return run((_foretell if options.dry_run else _put)(root, unlock_of(options), _Work(asked), wish, screen))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which files, and how they are to be called."""

    paths: Sequence[str]
    key: str | None
    recursive: bool
    rules: Rules = NO_RULES
    homes: frozenset[FolderId] = frozenset()

    @classmethod
    def of(cls, options: Namespace, root: Path) -> _Asked:
        """What these options say; `UsageError` on what is wrong with the command as a whole."""
        paths, key = options.paths, options.key
        if "" in paths:  # to the file system it would be the folder that we are in
            raise UsageError("An empty path names no file.", "Write . for the folder that you are in.")
        if key is not None and len(paths) > 1:
            raise UsageError("--as names one file or folder, and several were given.", "Put them one at a time.")
        if key is None and STDIN in paths:
            raise UsageError("What comes on stdin needs a key.", "Name it with --as.")
        if not options.recursive:
            if options.exclude:
                raise UsageError("--exclude is for what lies in a folder.", "Add -r.")
            for path in paths:
                if _is_folder(path):
                    raise UsageError(f"{path} is a folder.", "Add -r to store it with all that is in it.")
        return cls(
            paths,
            None if key is None else check_key(key),
            options.recursive,
            Rules.of(options.exclude or ()),
            _homes(root),
        )

    @property
    def size(self) -> int | None:
        """Bytes of all files, where they are known beforehand: then the progress has an end."""
        return None if self.recursive or STDIN in self.paths else sum(_size_of(path) for path in self.paths)

    def find(self) -> Iterator[Found]:
        """All that is to be put, as far as it is asked for, lazily."""
        for path in self.paths:
            try:
                yield from self._found(path)
            except CapsaError as error:
                yield Stored(shown(Path(path).name or path), error=error)

    def _found(self, path: str) -> Iterator[Found]:
        if _is_folder(path):
            self._check_apart(Path(path))
            yield from walk(path, _prefix_of(path) if self.key is None else self.key, self.rules, homes=self.homes)
        elif path == STDIN:
            assert self.key is not None
            yield Job(self.key, StdinSource, repeatable=False)
        else:
            yield _job(path, check_key(Path(path).name) if self.key is None else self.key)

    def _check_apart(self, folder: Path) -> None:
        """Raises `RefusedError` for a home of capsa and what lies in it: storing makes it grow."""
        real = folder.resolve()
        if any(folder_id(each) in self.homes for each in (real, *real.parents)):
            raise RefusedError(
                f"{shown(str(folder))} belongs to a home of capsa, which grows while it is read.",
                "Leave it out: 'capsa kit' and the other nodes are its backup.",
            )


@dataclass(slots=True)
class _Work:
    """The files of a put on their way: what is found, what is begun, what is to be read again."""

    asked: _Asked
    aside: deque[Skipped | Stored] = field(default_factory=deque)
    """What was found and is no job, until it is told."""
    begun: dict[str, tuple[float, Job]] = field(default_factory=dict)
    """Since when, by key; of those files alone that are neither done nor untouched."""
    again: list[Job] = field(default_factory=list)

    def jobs(self, progress: Progress) -> Iterator[Job]:
        """The files that are there; the rest goes aside."""
        for found in self.asked.find():
            if isinstance(found, Job):
                yield self._watched(found, progress)
            else:
                self.aside.append(found)

    def jobs_again(self, progress: Progress) -> Iterator[Job]:
        """The files to be read once more, as they are by now."""
        return (self._watched(replace(job, size=None, stamp=None), progress) for job in self.again)

    def takes_again(self, stored: Stored) -> bool:
        """Whether a file changed while it was read and is to be read once more, later."""
        if not isinstance(stored.error, ChangedError) or stored.key not in self.begun or len(self.again) >= AGAIN_MAX:
            return False
        self.again.append(self.begun[stored.key][1])
        return True

    def end(self, key: str) -> float:
        """Seconds since the file was begun, of which the outcome is known now; 0 if it never was."""
        begun = self.begun.pop(key, None)
        return 0.0 if begun is None else round(time.monotonic() - begun[0], 3)

    def _watched(self, job: Job, progress: Progress) -> Job:
        return Job(job.key, partial(self._begin, job, progress), job.size, job.repeatable, job.stamp)

    def _begin(self, job: Job, progress: Progress) -> Source:
        self.begun.setdefault(job.key, (time.monotonic(), job))
        progress.begin(job.key)
        return job.open()


async def _put(root: Path, unlock: Unlock, work: _Work, wish: Wish, screen: Screen) -> int:
    async with _telling(root, unlock, work, wish, screen) as (context, tally, progress):
        files = context.files()
        wanted = (context.facts.copies if wish.copies is None else wish.copies) + 1
        async with progress.watching(context.link, context.home.node, wanted=wanted):
            async for stored in files.put(work.jobs(progress), wish, progress=progress):
                _tell_aside(work, tally)
                if not work.takes_again(stored):
                    progress.end()
                    tally.tell(stored, work.end(stored.key))
            if work.again:
                async for stored in files.put(work.jobs_again(progress), wish, progress=progress):
                    progress.end()
                    tally.tell(stored, work.end(stored.key))
    return tally.exit


async def _foretell(root: Path, unlock: Unlock, work: _Work, wish: Wish, screen: Screen) -> int:
    async with _telling(root, unlock, work, wish, screen) as (context, tally, progress):
        async for preview in context.files().preview(work.jobs(progress), wish):
            _tell_aside(work, tally)
            work.end(preview.key)
            tally.foretell(preview)
    return tally.exit


@asynccontextmanager
async def _telling(
    root: Path, unlock: Unlock, work: _Work, wish: Wish, screen: Screen
) -> AsyncIterator[tuple[HomeContext, Tally, Progress]]:
    """What both kinds of put work in; at the end all is summed up."""
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context, gathering(screen):
        with Progress(screen, "put", work.asked.size, time.monotonic) as progress:
            later = _later(wish, serving=context.facts.serving)
            tally = Tally(screen, later, many=work.asked.recursive, make_room=progress.clear, clock=time.monotonic)
            yield context, tally, progress
            _tell_aside(work, tally)
            tally.sum_up()


def _tell_aside(work: _Work, tally: Tally) -> None:
    while work.aside:
        line = work.aside.popleft()
        if isinstance(line, Skipped):
            tally.skip(line)
        else:
            tally.tell(line, 0.0)


def _later(wish: Wish, *, serving: bool) -> str:
    """Who makes the copies that are missing; `serving` is whether the home's node goes on running."""
    if not serving:
        return "'capsa up' will complete them"
    return "the node will complete them" if wish.wait else "the node sends them, and 'capsa wait' waits for them"


def _prefix_of(folder: str) -> str:
    """What the keys of a folder's files begin with: its name; nothing for `.` and `/`."""
    name = Path(folder).name
    if name == "..":
        name = Path(folder).resolve().name
    return check_key(name) if name else ""


def _job(path: str, key: str) -> Job:
    """A file that was named itself: a link that was named is followed."""
    found = _status(path)
    stamp = None if found is None else Stamp.of(found)
    return Job(key, lambda: FileSource(Path(path)), None if stamp is None else stamp.size, stamp=stamp)


def _is_folder(path: str) -> bool:
    found = None if path == STDIN else _status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _size_of(path: str) -> int:
    found = _status(path)
    return 0 if found is None else found.st_size


def _status(path: str) -> os.stat_result | None:
    """What a path leads to; None if that is unknown: what is wrong is told when its turn comes."""
    try:
        return Path(path).stat()
    except OSError:
        return None


def _homes(root: Path) -> frozenset[FolderId]:
    """The home that is used, and the one that is used by default."""
    default = os.environ.get("CAPSA_HOME")
    ids = (folder_id(path) for path in (root, *([Path(default)] if default else [])))
    return frozenset(each for each in ids if each is not None)
