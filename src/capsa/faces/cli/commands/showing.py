"""One stored version, as `ls` and `info` show it."""

from __future__ import annotations

from contextlib import suppress

from capsa.core.caps import format_cap
from capsa.core.catalog.entries import VersionEntry
from capsa.core.names import SEPARATOR
from capsa.core.pages import Kind
from capsa.errors import CapsaError
from capsa.faces.cli.output import one_line
from capsa.faces.cli.quantities import rfc3339, show_size
from capsa.faces.cli.start import HomeContext


def line_of(version: VersionEntry) -> dict[str, object]:
    """What `--json` says of it."""
    return {
        "key": version.key,
        "kind": version.kind.name.lower(),
        "size": version.size,
        "media_type": version.media_type,
        "mtime": show_mtime(version),
        "cap": format_cap(version.cap),
    }


def show_mtime(version: VersionEntry) -> str:
    """When it was last modified, before it was put."""
    return rfc3339(version.mtime_ns / 1e9)


def show_size_of(version: VersionEntry) -> str:
    """What stands in the column of sizes: for what has none, its kind."""
    return show_size(version.size) if version.kind is Kind.FILE else version.kind.name.lower()


async def show_target(context: HomeContext, version: VersionEntry) -> str:
    """What stands behind a key: where a link leads, as far as that can be found out, or a folder's slash."""
    if version.kind is Kind.LINK:
        with suppress(CapsaError):
            return f" -> {one_line((await context.reader().open(version.cap)).link_target)}"
        return " -> ?"
    return SEPARATOR if version.kind is Kind.FOLDER else ""
