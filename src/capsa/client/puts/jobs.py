"""Files to be put: what is asked for each, what becomes of it, and which are recorded together."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from capsa.client.puts.sources import Source
from capsa.client.puts.stamps import Stamp
from capsa.core.caps import Cap
from capsa.core.names import check_key, last_part
from capsa.core.pages import check_name
from capsa.errors import CapsaError, FormatError, UsageError

BATCH_FILES: Final = 1000
"""Files that are recorded together: one head, one set of catalog pages."""
BATCH_BYTES: Final = 256 * 1024 * 1024
"""Plaintext after which what is there is recorded."""
_FOUND_AT_ONCE: Final = 64

Progress: TypeAlias = Callable[[int], None]
"""Called with a number of further plaintext bytes that are done."""


class Job(Struct, frozen=True):
    """One file to put: its key, how to open it when its turn comes, and its size if that is known by then.

    Only what is `repeatable`, opened again gives the same bytes, can be taken up where an earlier put stopped. What
    has a `stamp`, as it was when the file was listed, is not opened at all if the key holds what was read under it.
    """

    key: str
    open: Callable[[], Source]
    size: int | None = None
    repeatable: bool = True
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a put is asked for, beside its files.

    `copies` are wanted on other nodes (default: the network's); `private` seals each file under a secret of its own;
    `new_version` adds a version where a key holds other bytes; without `wait` a file is done once it is durable at
    home; `reread` opens files whatever their stamps say.
    """

    copies: int | None = None
    private: bool = False
    new_version: bool = False
    wait: bool = True
    reread: bool = False


class Stored(Struct, frozen=True):
    """What became of one file; `durable` and `wanted` copies count the home, `error` is set where it failed."""

    key: str
    cap: Cap | None = None
    size: int = 0
    blocks: int = 0
    new_bytes: int = 0
    unchanged: bool = False
    durable: int = 0
    wanted: int = 0
    error: CapsaError | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a put would do with one file: `what` is new, unchanged or changed; `error` where it would fail.

    `size` in bytes, 0 where it is not known.
    """

    key: str
    size: int = 0
    what: str | None = None
    error: CapsaError | None = None


def check_put_key(key: str) -> None:
    """Raise `UsageError` unless a file can be stored under this key: its last part becomes the file's name."""
    check_key(key)
    try:
        check_name(last_part(key))
    except FormatError as error:
        raise UsageError(f"{key} cannot be stored: {error.message}", "Store it under another key with --as.") from None


class Batches:
    """Jobs as they are recorded together; a key that comes twice meets what came first."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = iter(jobs)
        self._over: Job | None = None

    async def next(self) -> list[Job]:
        """The next ones; none at the end, and again then. Gives way to others often: it takes time to find files."""
        batch: dict[str, Job] = {}
        size = 0
        while len(batch) < BATCH_FILES and size < BATCH_BYTES:
            job, self._over = self._over or next(self._jobs, None), None
            if job is None:
                break
            key = unicodedata.normalize("NFC", job.key)
            if key in batch:
                self._over = job
                break
            batch[key] = job if key == job.key else replace(job, key=key)
            size += job.size or 0
            if not len(batch) % _FOUND_AT_ONCE:
                await asyncio.sleep(0)
        return list(batch.values())
