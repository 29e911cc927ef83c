"""The last step of restoring: what was fetched takes its name and becomes durable, many files at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from capsa.client.gets.parts import PartFile, finish_all, part_path
from capsa.client.gets.places import TargetTree
from capsa.core.ids import BlockId
from capsa.core.pages import Root
from capsa.core.restore import Place
from capsa.errors import CapsaError
from capsa.seams import Lane, Workers, outlast

_BATCH_MAX: Final = 64
"""Files that become durable together; each has two descriptors open meanwhile."""


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file that lies whole in its root page, not yet on the disk."""

    place: Place
    root: Root
    block: BlockId
    overwrite: bool


@dataclass(frozen=True, slots=True)
class WholePart:
    """A part file that is complete and dressed."""

    place: Place
    part: PartFile


@dataclass(frozen=True, slots=True)
class Leaf:
    """A link or an empty folder; where a link leads has been judged."""

    place: Place
    root: Root
    overwrite: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that lay there already, with the right bytes."""

    place: Place
    block: BlockId


Item: TypeAlias = SmallFile | WholePart | Leaf | Kept


@dataclass(slots=True)
class _Waiting:
    item: Item
    done: asyncio.Future[bool] = field(repr=False)


class Settler:
    """Group commit for a folder tree: whatever came while the disk was busy is brought to it at once."""

    def __init__(self, tree: TargetTree, workers: Workers) -> None:
        self._tree = tree
        self._workers = workers
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def settle(self, item: Item) -> bool:
        """Return when an item has its name and is durable: whether it is new. Raises why it is not."""
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        return await waiting.done

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            # Who gave up waiting closes its part file, on the lane: what is handed over before that is done before it.
            batch = [waiting for waiting in batch if not waiting.done.cancelled()]
            items = [waiting.item for waiting in batch]
            job = asyncio.ensure_future(self._workers.run(Lane.DISK, settle_all, self._tree, items))
            await outlast(job)
            for waiting, outcome in zip(batch, job.result(), strict=True):
                if waiting.done.cancelled():
                    continue
                if isinstance(outcome, CapsaError):
                    waiting.done.set_exception(outcome)
                else:
                    waiting.done.set_result(outcome)


def settle_all(tree: TargetTree, items: Sequence[Item]) -> list[bool | CapsaError]:
    """Give items their names, durably; for each whether it is new, or why it could not be done. On the lane."""
    outcomes: list[bool | CapsaError] = []
    parts: dict[int, PartFile] = {}
    for index, item in enumerate(items):
        try:
            outcomes.append(_prepare(tree, item, index, parts))
        except CapsaError as error:
            outcomes.append(error)
    for index, failure in zip(parts, finish_all(list(parts.values())), strict=True):
        if failure is not None:
            outcomes[index] = failure
            parts[index].close()
    try:
        tree.sync()
    except CapsaError as error:
        return [outcome if isinstance(outcome, CapsaError) else error for outcome in outcomes]
    return outcomes


def _prepare(tree: TargetTree, item: Item, index: int, parts: dict[int, PartFile]) -> bool:
    match item:
        case SmallFile():
            parts[index] = _write(tree, item)
            return True
        case WholePart():
            parts[index] = item.part
            return True
        case Leaf(place, root, overwrite):
            if root.link_target:
                return tree.make_link(place, root.link_target, root.mtime_ns, overwrite=overwrite)
            return tree.make_folder(place, root.mode, root.mtime_ns)
        case Kept(place, block):
            tree.drop_twin(place, part_path(Path(place.name), block).name)
            tree.touch(place)
            return False


def _write(tree: TargetTree, file: SmallFile) -> PartFile:
    folder = tree.open(file.place.folders, make=True)
    part = PartFile(tree.path_of(file.place), file.block, overwrite=file.overwrite, folder=folder)
    try:
        part.truncate(0)
        part.write(file.root.inline)
        part.dress(mtime_ns=file.root.mtime_ns, mode=file.root.mode)
    except BaseException:
        part.close()
        raise
    return part
