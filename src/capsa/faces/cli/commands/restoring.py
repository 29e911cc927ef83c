"""`get -r`: all that lies under a prefix, into a folder."""

from __future__ import annotations

import time
from argparse import Namespace
from collections import Counter
from pathlib import Path

from capsa.client.gets.restore import Order, Restored, Restorer, selected
from capsa.core.pages import Kind
from capsa.core.restore import Selection
from capsa.errors import NotFoundError
from capsa.faces.cli.drawing.progress import Progress
from capsa.faces.cli.exits import Exit, exit_of
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import unlock_of
from capsa.faces.cli.output import Screen, describe, one_line
from capsa.faces.cli.quantities import show_size
from capsa.faces.cli.start import SETTLE_SECONDS, at_home


async def get_folder(options: Namespace, selection: Selection, screen: Screen) -> int:
    """Fetch what the selection names into the folder of `-o`, or here; the exit code."""
    began = time.monotonic()
    async with at_home(home_root(options), unlock=unlock_of(options), settle=SETTLE_SECONDS) as context:
        snapshot = await context.snapshot()
        target = Path(options.output or ".")
        with Progress(screen, "get", None, time.monotonic) as progress:
            told = _Told(screen, progress)
            order = Order(selection, target, options.force, told, progress)
            restorer = Restorer(context.link, workers=context.workers)
            progress.begin(selection.key)
            async with progress.watching(context.link, context.home.node):
                await restorer.restore(lambda: selected(snapshot, selection), order)
    if not told.count:
        what = f"Nothing is stored under {selection.key}." if selection.key else "Nothing is stored."
        raise NotFoundError(what, "See 'capsa ls' for what is.")
    told.summarise(target, time.monotonic() - began)
    return told.exit


class _Told:
    """Tells of each file, and keeps count."""

    def __init__(self, screen: Screen, progress: Progress) -> None:
        self._screen = screen
        self._progress = progress
        self._counts: Counter[str] = Counter()
        self._size = 0
        self._failure = Exit.DONE

    def __call__(self, restored: Restored) -> None:
        """One file's line."""
        version = restored.version
        self._progress.end()
        self._progress.clear()
        if restored.error is not None:
            self._counts["failed"] += 1
            self._failure = exit_of(restored.error)
            about = "" if version.key in restored.error.message else f"{one_line(version.key)}:"
            self._screen.complain(restored.error, about=about)
            self._screen.document({"key": version.key, "error": describe(restored.error)})
            return
        assert restored.path is not None
        self._counts["unchanged" if restored.unchanged else "new"] += 1
        self._size += version.size
        line = {
            "key": version.key,
            "path": str(restored.path.absolute()),
            "kind": version.kind.name.lower(),
            "size": version.size,
            "media_type": version.media_type,
            "seconds": round(restored.seconds, 3),
        }
        self._screen.document({**line, "unchanged": True} if restored.unchanged else line)
        if not restored.unchanged:
            what = show_size(version.size) if version.kind is Kind.FILE else version.kind.name.lower()
            self._screen.say(f"{one_line(str(restored.path))}: {what}")

    @property
    def count(self) -> int:
        """Files, links and empty folders that were told of."""
        return self._counts.total()

    @property
    def exit(self) -> Exit:
        """As after a put: one's own code if there was but one file."""
        if not self._counts["failed"]:
            return Exit.DONE
        return self._failure if self.count == 1 else Exit.FAILED

    def summarise(self, target: Path, seconds: float) -> None:
        """The last line, for people."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self._counts.items())
        self._screen.say(f"{target}: {counts}; {show_size(self._size)} in {seconds:.1f} s")
