"""What a key holds, for commands that work with one file: found, or told apart from nothing and from a folder."""

from __future__ import annotations

from capsa.client.catalog import Snapshot
from capsa.core.catalog.view import KeyView
from capsa.core.names import SEPARATOR
from capsa.errors import NotFoundError


async def find_file(snapshot: Snapshot, key: str) -> KeyView:
    """The versions of a key, of which there is one at least; `NotFoundError`, which hints at a folder of that name."""
    view = await snapshot.look_up(key)
    if view.current is None:
        if await is_folder(snapshot, key):
            raise NotFoundError(f"{key} is a folder, not a file.", f"See 'capsa ls {key}/' for the files in it.")
        raise NotFoundError(f"Nothing is stored under {key}.", "See 'capsa ls' for what is.")
    return view


async def is_folder(snapshot: Snapshot, key: str) -> bool:
    """Whether files lie under a key."""
    return await anext(aiter(snapshot.scan(key + SEPARATOR)), None) is not None
