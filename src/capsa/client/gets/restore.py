"""get -r: all that a prefix names, as a folder tree: many files at once, each whole or not at all.

Files come first, then links, then empty folders: no file can be led astray by a link that came with it. What lies
there already and is the same is left as it is, so that a repeat goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from capsa.client.gets.parts import PartFile
from capsa.client.gets.patience import PATIENCE_SECONDS, Blocks, NothingComesError, PatientBlocks
from capsa.client.gets.places import TargetTree
from capsa.client.gets.present import Comparison, Look, Presence, look
from capsa.client.gets.reading import Reader, open_part
from capsa.client.gets.settling import Kept, Leaf, Settler, SmallFile, WholePart
from capsa.client.puts.jobs import Progress
from capsa.client.snapshot import Snapshot
from capsa.core.catalog.entries import VersionEntry
from capsa.core.pages import DEFAULT_SHAPE, Kind, Root, Shape
from capsa.core.restore import Place, Selection, check_link
from capsa.errors import (
    CapsaError,
    IntegrityError,
    LostConnectionError,
    NoSpaceError,
    leading,
)
from capsa.seams import Lane, Workers, outlast

BUDGET: Final = 32 * 1024 * 1024
"""Bytes that all files on their way may weigh together."""
WEIGHT_MIN: Final = 256 * 1024
WEIGHT_MAX: Final = 16 * 1024 * 1024
"""What a file weighs: its bytes, but not less than its bookkeeping, nor more than the window of blocks it has."""
_LOOK_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one file, link or empty folder; `error` is set where it failed."""

    version: VersionEntry
    path: Path | None = None
    unchanged: bool = False
    seconds: float = 0.0
    error: CapsaError | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be restored, where to, and whether what lies there may be replaced; `report` hears of each file."""

    selection: Selection
    target: Path
    overwrite: bool
    report: Callable[[Restored], None] = field(repr=False)
    progress: Progress = field(repr=False, default=lambda size: None)


async def selected(snapshot: Snapshot, selection: Selection) -> AsyncIterator[VersionEntry]:
    """The current versions of a selection, by key."""
    if selection.key:
        alone = (await snapshot.look_up(selection.key)).current
        if alone is not None:
            yield alone
    async for view in snapshot.scan(selection.prefix):
        yield view.versions[0]


class Restorer:
    """Restores folder trees, by way of the home's node."""

    def __init__(
        self, blocks: Blocks, *, workers: Workers, shape: Shape = DEFAULT_SHAPE, patience: float = PATIENCE_SECONDS
    ) -> None:
        """`patience` is how many seconds a block is waited for that cannot be reached."""
        self._workers = workers
        self._reader = Reader(PatientBlocks(blocks, patience=patience), workers=workers, shape=shape)

    async def restore(self, versions: Callable[[], AsyncIterator[VersionEntry]], order: Order) -> None:
        """Restore what `versions` names, the same at each call, reporting each file when it is there and durable.

        A file that fails is reported with its error and does not stop the rest. Raises, and leaves part files for a
        repeat to go on from: `NoSpaceError` on a full disk; `UnreachableError` when nothing comes any more.
        """
        tree = TargetTree(order.target)
        try:
            async with asyncio.TaskGroup() as group:
                settler = Settler(tree, self._workers)
                serving = group.create_task(settler.run())
                await _Run(self._reader, settler, tree, self._workers, order).restore(versions)
                serving.cancel()
        except BaseExceptionGroup as errors:
            raise leading(errors) from None
        finally:
            await outlast(asyncio.ensure_future(self._workers.run(Lane.DISK, tree.close)))


class _Run:
    """One restoring of one tree."""

    def __init__(
        self,
        reader: Reader,
        settler: Settler,
        tree: TargetTree,
        workers: Workers,
        order: Order,
    ) -> None:
        self._reader = reader
        self._settler = settler
        self._tree = tree
        self._workers = workers
        self._order = order
        self._room = _Room(BUDGET)

    async def restore(self, versions: Callable[[], AsyncIterator[VersionEntry]]) -> None:
        kinds = {Kind.FILE}
        # Each kind in a pass of its own: what waits for its turn is not kept, but read again.
        for kind in (Kind.FILE, Kind.LINK, Kind.FOLDER):
            if kind in kinds:
                async with asyncio.TaskGroup() as files:
                    ahead: list[VersionEntry] = []
                    async for version in versions():
                        kinds.add(version.kind)
                        if version.kind is kind:
                            ahead.append(version)
                        if len(ahead) == _LOOK_AT_ONCE:
                            await self._begin(ahead, files)
                            ahead = []
                    await self._begin(ahead, files)

    async def _begin(self, versions: Sequence[VersionEntry], files: asyncio.TaskGroup) -> None:
        """Look what is there already, and begin the rest, as far as there is room."""
        looks = await self._workers.run(Lane.DISK, self._look_all, versions)
        for version, found in zip(versions, looks, strict=True):
            if isinstance(found, CapsaError):
                self._order.report(Restored(version, error=found))
            else:
                place, there = found
                weight = min(max(version.size, WEIGHT_MIN), WEIGHT_MAX)
                await self._room.take(weight)
                files.create_task(self._restore(version, place, there, weight))

    def _look_all(self, versions: Sequence[VersionEntry]) -> list[tuple[Place, Look] | CapsaError]:
        found: list[tuple[Place, Look] | CapsaError] = []
        for version in versions:
            try:
                place = self._order.selection.place(version.key)
                there: Look = Presence.NOTHING
                if version.kind is Kind.FILE:
                    there = look(self._tree, place, version, overwrite=self._order.overwrite)
                found.append((place, there))
            except CapsaError as error:
                found.append(error)
        return found

    async def _restore(self, version: VersionEntry, place: Place, there: Look, weight: int) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        path = self._tree.path_of(place)
        try:
            new = await self._bring(version, place, there)
        except CapsaError as error:
            self._order.report(Restored(version, path, error=error))
            if isinstance(error, NoSpaceError | NothingComesError | LostConnectionError):
                raise
        else:
            self._order.report(Restored(version, path, not new, loop.time() - began))
        finally:
            self._room.give(weight)

    async def _bring(self, version: VersionEntry, place: Place, there: Look) -> bool:
        """Have a version at its place; whether it is new there."""
        if isinstance(there, Comparison):
            there = await self._compare(there)
        if there is Presence.SAME:
            self._order.progress(version.size)
            return await self._settler.settle(Kept(place, version.cap.root))
        root = await self._reader.open(version.cap)
        _check_root(root, version)
        overwrite = there is Presence.OTHER
        if version.kind is not Kind.FILE:
            if version.kind is Kind.LINK:
                check_link(place, root.link_target)
            return await self._settler.settle(Leaf(place, root, self._order.overwrite))
        if not root.entries:
            new = await self._settler.settle(SmallFile(place, root, version.cap.root, overwrite))
            self._order.progress(version.size)
            return new
        part = await open_part(self._workers, Lane.DISK, partial(self._open_part, place, version, overwrite))
        try:
            await self._reader.fill(part, root, progress=self._order.progress)
            await self._workers.run(Lane.DISK, part.dress, mtime_ns=root.mtime_ns, mode=root.mode)
            return await self._settler.settle(WholePart(place, part))
        finally:
            # On the lane of the settler, which may be at work on it.
            await outlast(asyncio.ensure_future(self._workers.run(Lane.DISK, part.close)))

    async def _compare(self, comparison: Comparison) -> Presence:
        try:
            while (presence := await self._workers.run(Lane.DISK, comparison.compare)) is None:
                pass
            return presence
        finally:
            await outlast(asyncio.ensure_future(self._workers.run(Lane.DISK, comparison.close)))

    def _open_part(self, place: Place, version: VersionEntry, overwrite: bool) -> PartFile:
        folder = self._tree.open(place.folders, make=True)
        return PartFile(self._tree.path_of(place), version.cap.root, overwrite=overwrite, folder=folder)


class _Room:
    """A bound on what is on its way. One at a time waits for room; it gets it even if it alone weighs too much."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._size = size
        self._given = asyncio.Event()

    async def take(self, weight: int) -> None:
        while self._left < min(weight, self._size):
            self._given.clear()
            await self._given.wait()
        self._left -= weight

    def give(self, weight: int) -> None:
        self._left += weight
        self._given.set()


def _check_root(root: Root, version: VersionEntry) -> None:
    same = (root.kind, root.size) == (version.kind, version.size)
    if not same or (root.kind is Kind.FILE and root.digest != version.digest):
        raise IntegrityError("The catalog and the file itself do not say the same of it.", "Store it anew.")
