"""What a key holds, for a command that is about one file: found, or told apart from nothing and from a folder."""

from __future__ import annotations

from capsa.client.snapshot import Snapshot
from capsa.client.versions import pick
from capsa.core.caps import looks_like_cap
from capsa.core.catalog.entries import VersionEntry
from capsa.core.catalog.view import KeyView
from capsa.core.names import SEPARATOR
from capsa.errors import NotFoundError, UsageError
from capsa.faces.cli.start import HomeContext


async def find_version(context: HomeContext, key: str, wanted: str | None = None) -> VersionEntry:
    """A version of a key of the home's owner: the current one, or what `wanted` names; `NotFoundError`."""
    return pick(await find_view(await context.snapshot(), key), wanted)


async def find_view(snapshot: Snapshot, key: str) -> KeyView:
    """The versions of a key, of which there is one at least; `NotFoundError`.

    Raises `UsageError` for a cap, and does not repeat it: it is a secret.
    """
    view = await snapshot.look_up(key)
    if not view.versions:
        if await is_folder(snapshot, key):
            hint = f"Fetch it with 'capsa get -r {key}'; 'capsa ls {key}/' lists it."
            raise NotFoundError(f"{key} is a folder, not a file.", hint)
        if looks_like_cap(key):
            raise UsageError("This is a cap, and a key is asked for.", "'capsa get' takes caps.")
        raise NotFoundError(f"Nothing is stored under {key}.", "See 'capsa ls' for what is.")
    return view


async def is_folder(snapshot: Snapshot, key: str) -> bool:
    """Whether anything is stored under a key and a slash."""
    return await anext(aiter(snapshot.scan(key + SEPARATOR)), None) is not None
