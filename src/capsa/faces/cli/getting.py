"""`get`: one file, by key or by cap, to where it is wanted."""

from __future__ import annotations

import errno
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capsa.client.media import extension_of
from capsa.client.reading import Reader
from capsa.core.caps import Cap, looks_like_cap, parse_cap
from capsa.core.catalog.entries import VersionEntry
from capsa.core.names import check_key
from capsa.core.pages import Kind, Root
from capsa.core.text import SCHEME_CARD, SCHEME_INVITE, has_scheme
from capsa.errors import NotFoundError, RefusedError, UsageError, from_os_error
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.given import STDIN, read_text
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import OutputClosedError, Screen
from capsa.faces.cli.passphrases import unlock_of
from capsa.faces.cli.progress import Progress
from capsa.faces.cli.putting import SETTLE_SECONDS
from capsa.faces.cli.quantities import show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import HomeContext, at_home

_CAP_TEXT_MAX: Final = 4096
_STDOUT: Final = "-"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be fetched: a cap, or one's own key."""

    cap: Cap | None
    key: str | None

    @classmethod
    def of(cls, options: Namespace) -> _Wanted:
        if options.cap_file is not None:
            if options.what is not None:
                raise UsageError("A file was named twice.", "Give KEY, CAP or --cap-file, one of them.")
            return cls(parse_cap(read_text(options.cap_file, size_max=_CAP_TEXT_MAX)), None)
        if options.what is None:
            raise UsageError("Nothing to get was named.", "Give a key, a cap, or --cap-file.")
        if options.what == STDIN:
            return cls(parse_cap(read_text(STDIN, size_max=_CAP_TEXT_MAX)), None)
        if looks_like_cap(options.what):
            return cls(parse_cap(options.what), None)
        if any(has_scheme(scheme, options.what) for scheme in (SCHEME_CARD, SCHEME_INVITE)):
            raise UsageError("This is an invite or a contact card, not a cap.", "Use it with 'capsa join'.")
        return cls(None, check_key(options.what))

    async def find(self, context: HomeContext) -> Cap:
        """The cap; `NotFoundError` if the key is not in the catalog."""
        if self.cap is not None:
            return self.cap
        assert self.key is not None
        return (await find_version(context, self.key)).cap


async def find_version(context: HomeContext, key: str) -> VersionEntry:
    """The current version of a key of the home's owner; `NotFoundError`."""
    snapshot = await context.files().catalog.snapshot()
    current = (await snapshot.look_up(key)).current
    if current is None:
        raise NotFoundError(f"Nothing is stored under {key}.", "See 'capsa ls' for what is.")
    return current


def get(options: Namespace, screen: Screen) -> int:
    """Fetch one file."""
    if options.output == _STDOUT and screen.json:
        raise UsageError("--json and -o - both want stdout.", "Leave out one of them.")
    wanted = _Wanted.of(options)
    return run(_get(options, wanted, screen))


async def _get(options: Namespace, wanted: _Wanted, screen: Screen) -> int:
    began = time.monotonic()
    unlock = unlock_of(options) if wanted.key is not None else None
    async with at_home(home_root(options), unlock=unlock, settle=SETTLE_SECONDS) as context:
        reader = context.reader()
        cap = await wanted.find(context)
        root = await reader.open(cap)
        with Progress(screen, "get", root.size, time.monotonic) as progress:
            progress.begin(wanted.key or root.name)
            async with progress.watching(context.link, context.home.node):
                if options.output == _STDOUT:
                    await _to_stdout(reader, root, progress)
                    return Exit.DONE
                target = _target(options.output, root)
                await reader.fetch_to(cap, root, target, overwrite=options.force, progress=progress)
    seconds = round(time.monotonic() - began, 3)
    screen.document(
        {
            "key": wanted.key,
            "path": str(target.absolute()),
            "size": root.size,
            "media_type": root.media_type,
            "seconds": seconds,
        }
    )
    screen.say(f"{target}: {show_size(root.size)} in {seconds:.1f} s")
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


async def _to_stdout(reader: Reader, root: Root, progress: Progress) -> None:
    if root.kind is not Kind.FILE:
        raise RefusedError(f"{root.name} is a {root.kind.name.lower()}, not a file.", "Only files go to stdout.")
    await reader.read(root, _Stdout(), progress=progress)


class _Stdout:
    """Stdout as a place for plaintext; called on a lane."""

    def write(self, data: memoryview, /) -> None:
        try:
            rest = data
            while rest:
                rest = rest[sys.stdout.buffer.write(rest) :]
            sys.stdout.buffer.flush()
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise OutputClosedError from None
            raise from_os_error(error, "Stdout cannot be written") from None
