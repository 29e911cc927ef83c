"""`get`: one file, by key or by cap, or a range of it, to where it is wanted. Folders: see `restoring`."""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from capsa.client.gets.reading import Reader
from capsa.client.media import extension_of
from capsa.client.puts.jobs import Progress as Advance
from capsa.core.caps import Cap, looks_like_cap, parse_cap
from capsa.core.names import check_key
from capsa.core.pages import Kind, Root
from capsa.core.ranges import ByteRange, parse_range
from capsa.core.restore import Selection
from capsa.core.text import SCHEME_CARD, SCHEME_INVITE, has_scheme
from capsa.errors import NotFoundError, RefusedError, UsageError
from capsa.faces.cli.commands.finding import find_version
from capsa.faces.cli.commands.outlets import STDOUT, Outlet, descriptor_of, open_outlet, open_stdout
from capsa.faces.cli.commands.restoring import get_folder
from capsa.faces.cli.drawing.progress import Progress
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.given import STDIN, read_text
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import unlock_of
from capsa.faces.cli.output import Screen
from capsa.faces.cli.quantities import show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, HomeContext, at_home

_CAP_TEXT_MAX: Final = 4096
_DASH: Final = "-"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be fetched: a cap, or one's own key, maybe an older version of it; all of it, or a range."""

    cap: Cap | None
    key: str | None
    version: str | None = None
    bytes: ByteRange | None = None

    @classmethod
    def of(cls, options: Namespace) -> _Wanted:
        cap = _cap_of(options)
        bytes_ = None if options.range is None else parse_range(options.range)
        if cap is None:
            return cls(None, check_key(options.what), options.version, bytes_)
        if options.version is not None:
            raise UsageError("A cap stands for one version, and --version asks for one.", "Leave out one of them.")
        return cls(cap, None, None, bytes_)

    async def find(self, context: HomeContext) -> Cap:
        """The cap; `NotFoundError` if the key is not in the catalog."""
        if self.cap is not None:
            return self.cap
        assert self.key is not None
        return (await find_version(context, self.key, self.version)).cap

    def within(self, root: Root) -> tuple[int, int]:
        """Where in the file to start, and where to stop; `UsageError` if it has none of the range."""
        return (0, root.size) if self.bytes is None else self.bytes.within(root.size)


def _cap_of(options: Namespace) -> Cap | None:
    """The cap that was given, in whatever way; None if it was a key."""
    if options.cap_file is not None:
        if options.what is not None:
            raise UsageError("A file was named twice.", "Give KEY, CAP or --cap-file, one of them.")
        return parse_cap(read_text(options.cap_file, size_max=_CAP_TEXT_MAX))
    if options.what is None:
        raise UsageError("Nothing to get was named.", "Give a key, a cap, or --cap-file.")
    if options.what == STDIN:
        return parse_cap(read_text(STDIN, size_max=_CAP_TEXT_MAX))
    if looks_like_cap(options.what):
        return parse_cap(options.what)
    if any(has_scheme(scheme, options.what) for scheme in (SCHEME_CARD, SCHEME_INVITE)):
        raise UsageError("This is an invite or a contact card, not a cap.", "Use it with 'capsa join'.")
    return None


def get(options: Namespace, screen: Screen) -> int:
    """Fetch one file, or with -r a folder."""
    if options.output == "":
        raise UsageError("An empty path names no place.", "Write . for the folder that you are in, or leave out -o.")
    to_stdout = options.output is not None and (options.output == _DASH or descriptor_of(options.output) == STDOUT)
    if to_stdout and screen.json:
        raise UsageError(f"--json and -o {options.output} both want stdout.", "Leave out one of them.")
    if options.recursive:
        return run(get_folder(options, _selection_of(options), screen))
    return run(_get(options, _Wanted.of(options), screen))


def _selection_of(options: Namespace) -> Selection:
    for name in ("range", "version", "cap_file"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for one file, and -r for a folder.", "Leave out one.")
    if options.what is None:
        raise UsageError("Nothing to get was named.", "Give a folder's key, or . for everything.")
    if options.output == _DASH:
        raise UsageError("A folder does not go to stdout.", "Name a folder with -o.")
    if _cap_of(options) is not None:
        raise UsageError("A cap stands for one file, and -r for a folder.", "Leave out -r.")
    return Selection.of(options.what)


async def _get(options: Namespace, wanted: _Wanted, screen: Screen) -> int:
    began = time.monotonic()
    unlock = unlock_of(options) if wanted.key is not None else None
    async with at_home(home_root(options), unlock=unlock, settle=SETTLE_SECONDS) as context:
        reader = context.reader()
        cap = await wanted.find(context)
        root = await reader.open(cap)
        start, stop = wanted.within(root)
        with Progress(screen, "get", stop - start, time.monotonic) as progress:
            progress.begin(wanted.key or root.name)
            async with progress.watching(context.link, context.home.node):
                if (outlet := _outlet(options.output)) is not None:
                    await _pour(reader, root, start, stop, outlet, progress)
                    if options.output == _DASH:
                        return Exit.DONE
                    target = Path(options.output)
                else:
                    target = _target(options.output, root)
                    fetch = partial(reader.fetch_to, cap, root, target)
                    if wanted.bytes is not None:
                        fetch = partial(reader.fetch_range_to, cap, root, target, start, stop)
                    await fetch(overwrite=options.force, progress=progress)
    seconds = round(time.monotonic() - began, 3)
    screen.document(
        {
            "key": wanted.key,
            "path": str(target.absolute()),
            "size": stop - start,
            "media_type": root.media_type,
            "seconds": seconds,
        }
    )
    screen.say(f"{target}: {show_size(stop - start)} in {seconds:.1f} s")
    return Exit.DONE


def _target(output: str | None, root: Root) -> Path:
    """Where the file goes: the path as given; within a folder, or without one here, under its own name."""
    if output is None:
        return Path(own_name(root))
    path = Path(output)
    if path.is_dir():
        return path / own_name(root)
    if output.endswith("/"):
        raise NotFoundError(f"There is no folder {output}.", "Make it first, or leave out the final slash.")
    return path


def own_name(root: Root) -> str:
    """A file's name, with the extension of its type where it came without any.

    Text and plain data keep a bare name: `Makefile` and `LICENSE` are whole as they are.
    """
    kind = root.media_type.partition("/")[0]
    if Path(root.name).suffix or kind == "text":
        return root.name
    return root.name + extension_of(root.media_type)


def _outlet(output: str | None) -> Outlet | None:
    """Where the bytes are to flow, if they are not to become a file."""
    if output is None:
        return None
    return open_stdout() if output == _DASH else open_outlet(output)


async def _pour(reader: Reader, root: Root, start: int, stop: int, outlet: Outlet, progress: Advance) -> None:
    try:
        if root.kind is not Kind.FILE:
            raise RefusedError(
                f"{root.name} is a {root.kind.name.lower()}, not a file.", "'capsa get -r' brings it back, by its key."
            )
        await reader.read(root, outlet, start=start, stop=stop, progress=progress)
    finally:
        outlet.close()
