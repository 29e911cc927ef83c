"""Finding the version of a key that a command is about."""

from __future__ import annotations

from capsa.client.versions import pick
from capsa.core.catalog.entries import VersionEntry
from capsa.core.names import SEPARATOR
from capsa.errors import NotFoundError
from capsa.faces.cli.start import HomeContext


async def find_version(context: HomeContext, key: str, wanted: str | None = None) -> VersionEntry:
    """A version of a key of the home's owner: the current one, or what `wanted` names; `NotFoundError`."""
    snapshot = await context.files().catalog.snapshot()
    view = await snapshot.look_up(key)
    if not view.versions:
        async for _ in snapshot.scan(key + SEPARATOR):
            hint = f"Fetch it with 'capsa get -r {key}'; 'capsa ls {key}/' lists it."
            raise NotFoundError(f"{key} is a folder, not a file.", hint)
    return pick(view, wanted)
