"""The `BlockStore` interface: what every place for blocks promises.

Contract, common to all backends (`capsa.testing.stores` proves it):

* `put`, `claim` and `release` return only when what they were given survives power loss.
* Every call may be repeated; a repeat changes nothing and succeeds.
* A cancelled call may or may not have happened; repeating it is safe.
* `NoSpaceError` leaves the store as it was, and `get`, `release` and `claim` go on working as long as there is room.
* Bytes are *not* checked against their id here: `capsa.stores.verify` wraps any store and does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from capsa.core.claims import ClaimPart, ReleaseNote
from capsa.core.ids import BlockId, Buffer, ClaimId, OwnerId


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds: counts, and sizes in bytes of block payload, and of claim parts."""

    blocks: int
    size_bytes: int
    claims: int
    parts_size_bytes: int


class BlockStore(Protocol):
    """Blocks by id, and the claims that keep them."""

    async def open(self) -> None:
        """Make ready: rebuild what a crash left, cut torn tails. Raises `HomeError` on a newer format."""
        ...

    async def run(self) -> None:
        """Serve group commits until cancelled. The owner of the store runs this as one of its tasks."""
        ...

    async def close(self) -> None:
        """Flush and let go; `run` has been cancelled before. A repeat does nothing."""
        ...

    async def put(self, claim: ClaimId, blocks: Sequence[tuple[BlockId, Buffer]]) -> None:
        """Keep blocks, pending under `claim` until its part comes. The buffers may be reused on return."""
        ...

    async def get(self, block: BlockId) -> Buffer:
        """The block's bytes; `NotFoundError` if it is not here."""
        ...

    async def sample(self, block: BlockId, offset: int, size: int) -> tuple[bytes, int]:
        """Up to `size` bytes from `offset` (taken modulo the block's length), and the length; `NotFoundError`."""
        ...

    async def missing(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        """Those of `blocks` that are not here, in the order given."""
        ...

    async def claim(self, part: ClaimPart) -> None:
        """Keep a claim part verbatim (its signature has been checked). Blocks may come before or after."""
        ...

    async def claimed(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        """Those of `blocks` that are here *and* covered by a claim part that is here and not released."""
        ...

    async def release(self, note: ReleaseNote) -> None:
        """Keep a release; it ends only claims of its signer, whether they come before or after it."""
        ...

    async def parts(self, owner: OwnerId | None = None) -> list[bytes]:
        """Digests of the claim parts here, of one owner or of all."""
        ...

    async def part(self, digest: bytes) -> bytes:
        """A claim part's signed bytes, verbatim, by their BLAKE3 digest; `NotFoundError`."""
        ...

    async def collectable(self, now: float) -> list[BlockId]:
        """Blocks that no claim keeps at Unix time `now`.

        A block is kept by a claim that is not released, by a released one until its retain-until, and,
        while no part covers it, for seven days after it came (`PENDING_SECONDS`).
        """
        ...

    async def discard(self, blocks: Sequence[BlockId], now: float) -> None:
        """Forget blocks; `RefusedError`, and nothing is forgotten, if any claim still keeps one at `now`."""
        ...

    async def quarantine(self, blocks: Sequence[BlockId]) -> None:
        """Take blocks out of service whose bytes turned out wrong: they are missing until they are put again."""
        ...

    async def stats(self, without: OwnerId | None = None) -> StoreStats:
        """Counts and sizes; with `without`, of the blocks that no claim part of that owner covers, and of the
        claims and parts of all others."""
        ...


PENDING_SECONDS = 7 * 24 * 3600
