"""A simulated disk that loses at power failure what was not synced.

The model, which is what POSIX promises and no more:

* A write or truncation is seen by readers at once, and is on the platter only after `sync` of that file. At power
  failure each one since the last sync is, by seed, kept, lost, or torn: kept in some of its 512-byte sectors.
* A file that was made, renamed or removed is so for good only after `sync_folder`. At power failure a prefix, by
  seed, of the unsynced changes of each folder is kept. Folders themselves are always kept.
* A `sync` that fails leaves its writes kept, lost or torn for good, though readers go on seeing them: the kernel
  forgets that they were dirty, so that a later sync succeeds without having written them.
* A full disk takes as much of a write as fits.

Databases are real SQLite over the simulated files (`capsa.testing.world.vfs`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from capsa.core.ids import Buffer
from capsa.seams import Entropy

if TYPE_CHECKING:
    import apsw

    from capsa.testing.world.vfs import SimVfs

SECTOR_SIZE: Final = 512
_CAPACITY: Final = 2**40


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        end = self.offset + len(self.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[self.offset : end] = self.data

    def sectors(self) -> Iterator[_Write]:
        """The parts of it that the disk writes at once."""
        start = self.offset
        while start < self.offset + len(self.data):
            end = min((start // SECTOR_SIZE + 1) * SECTOR_SIZE, self.offset + len(self.data))
            yield _Write(start, self.data[start - self.offset : end - self.offset])
            start = end


@dataclass(frozen=True, slots=True)
class _Truncate:
    size: int

    def apply(self, content: bytearray) -> None:
        del content[self.size :]
        content.extend(bytes(self.size - len(content)))


@dataclass(slots=True, eq=False)
class _Inode:
    """A file's content as readers see it, as it is on the platter, and what lies between the two."""

    seen: bytearray = field(default_factory=bytearray)
    platter: bytearray = field(default_factory=bytearray)
    unsynced: list[_Write | _Truncate] = field(default_factory=list)

    def change(self, change: _Write | _Truncate) -> None:
        change.apply(self.seen)
        self.unsynced.append(change)

    def settle(self, keep: Callable[[], int]) -> None:
        """Let chance decide what of the unsynced changes reaches the platter."""
        for change in self.unsynced:
            fate = keep()
            if fate == 0:
                change.apply(self.platter)
            elif fate == 1 and isinstance(change, _Write):
                for sector in change.sectors():
                    if keep() == 0:
                        sector.apply(self.platter)
        self.unsynced.clear()


_Entry: TypeAlias = tuple[str, _Inode | None]
"""A change of a folder: the name, and the file that bears it from now on, if any."""


class SimFile:
    """A `DiskFile` of a simulated disk."""

    def __init__(self, disk: SimDisk, inode: _Inode) -> None:
        self._disk = disk
        self._inode = inode

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._disk.check_power()
        data = b"".join(buffers)
        growth = max(0, offset + len(data) - len(self._inode.seen))
        missing = growth - self._disk.space()[0]
        taken = data[: len(data) - missing] if missing > 0 else data
        self._inode.change(_Write(offset, taken))
        self._disk.step()
        if missing > 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read(self, offset: int, size: int) -> bytes:
        self._disk.check_power()
        return bytes(self._inode.seen[offset : offset + size])

    def size(self) -> int:
        self._disk.check_power()
        return len(self._inode.seen)

    def sync(self) -> None:
        self._disk.step()
        if self._disk.sync_fails():
            self._inode.settle(self._disk.chance)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        for change in self._inode.unsynced:
            change.apply(self._inode.platter)
        self._inode.unsynced.clear()

    def forget(self, start: int, stop: int) -> None:
        """There is no cache to speak of."""

    def truncate(self, size: int) -> None:
        self._disk.check_power()
        self._inode.change(_Truncate(size))
        self._disk.step()

    def close(self) -> None:
        """A simulated file holds nothing that must be let go."""


class SimDisk:
    """A `Disk` in memory; `entropy` decides what a power failure keeps. Names as in `capsa.stores.disk`.

    `capacity` is its size in bytes and may be changed at any time. `steps` counts everything that changes or syncs
    it; with `power_fails_at` the power fails as that step is done.
    """

    def __init__(self, entropy: Entropy, *, capacity: int = _CAPACITY) -> None:
        self.capacity = capacity
        self.steps = 0
        self.power_fails_at: int | None = None
        self._entropy = entropy
        self._off = False
        self._failing_syncs = 0
        self._files: dict[str, _Inode] = {}
        self._platter: dict[str, _Inode] = {}
        self._unsynced: dict[str, list[_Entry]] = {}
        self._folders: set[str] = set()
        self._vfs: SimVfs | None = None

    # Faults.

    def crash(self) -> SimDisk:
        """Cut the power: this disk fails from now on; returns what is found when it comes back."""
        self._off = True
        after = SimDisk(self._entropy, capacity=self.capacity)
        after._folders = set(self._folders)
        entries = dict(self._platter)
        for folder in sorted(self._unsynced):
            changes = self._unsynced[folder]
            for name, inode in changes[: self._draw(len(changes) + 1)]:
                _apply_entry(entries, name, inode)
        for name in sorted(entries):
            inode = entries[name]
            inode.settle(self.chance)
            after._files[name] = _Inode(bytearray(inode.platter), bytearray(inode.platter))
        after._platter = dict(after._files)
        return after

    def fail_syncs(self, count: int = 1) -> None:
        """Let the next `count` syncs of files fail with EIO."""
        self._failing_syncs = count

    def rot(self, name: str, offset: int, mask: int = 1) -> None:
        """Flip bits of one byte of a file, on the platter and for readers."""
        inode = self._files[name]
        inode.seen[offset] ^= mask
        if offset < len(inode.platter):
            inode.platter[offset] ^= mask

    def content(self, name: str) -> bytes:
        """A file's bytes, as readers see them."""
        return bytes(self._files[name].seen)

    def contents(self) -> dict[str, bytes]:
        """All files by name, as readers see them."""
        return {name: bytes(inode.seen) for name, inode in sorted(self._files.items())}

    # For `SimFile`.

    def step(self) -> None:
        """Count one change or sync; `OSError` if the power is off or fails with it."""
        self.check_power()
        self.steps += 1
        if self.steps == self.power_fails_at:
            self._off = True
            self.check_power()

    def check_power(self) -> None:
        """Raise `OSError` if the power is off."""
        if self._off:
            raise OSError(errno.EIO, "the power is off")

    def sync_fails(self) -> bool:
        """Whether this sync is one of those that were asked to fail."""
        if self._failing_syncs == 0:
            return False
        self._failing_syncs -= 1
        return True

    def chance(self) -> int:
        """0, 1 or 2, by seed."""
        return self._draw(3)

    def _draw(self, count: int) -> int:
        return int.from_bytes(self._entropy.take(8), "big") % count

    # The `Disk` protocol.

    def open(self, name: str, *, create: bool = False) -> SimFile:
        self.check_power()
        if create:
            if name in self._files:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            self._change_entry(name, _Inode())
        elif name not in self._files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return SimFile(self, self._files[name])

    def names(self, folder: str) -> list[str]:
        self.check_power()
        return sorted(name.rpartition("/")[2] for name in self._files if name.rpartition("/")[0] == folder)

    def make_folder(self, name: str) -> None:
        self.check_power()
        self._folders.add(name)

    def rename(self, old: str, new: str) -> None:
        inode = self.open(old)._inode
        self._change_entry(new, inode)
        self._change_entry(old, None)

    def remove(self, name: str) -> None:
        self.open(name)
        self._change_entry(name, None)

    def sync_folder(self, name: str) -> None:
        self.step()
        for entry in self._unsynced.pop(name, []):
            _apply_entry(self._platter, *entry)

    def space(self) -> tuple[int, int]:
        self.check_power()
        return max(0, self.capacity - sum(len(inode.seen) for inode in self._files.values())), self.capacity

    def database(self, name: str, *, durable: bool) -> apsw.Connection:
        from capsa.testing.world.vfs import SimVfs

        self.check_power()
        if self._vfs is None:
            self._vfs = SimVfs(self, self._entropy)
        return self._vfs.connect(name, durable=durable)

    def _change_entry(self, name: str, inode: _Inode | None) -> None:
        self.check_power()
        _apply_entry(self._files, name, inode)
        self._unsynced.setdefault(name.rpartition("/")[0], []).append((name, inode))
        self.step()


def _apply_entry(entries: dict[str, _Inode], name: str, inode: _Inode | None) -> None:
    if inode is None:
        entries.pop(name, None)
    else:
        entries[name] = inode
