"""The home's journal, seen from a command: puts that are under way, and what files looked like when they were put.

It lies open on the disk of a locked home, so all in it is hashed or sealed under the owner's keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from blake3 import blake3

from capsa.client.link import HomeLink
from capsa.client.puts.jobs import Job
from capsa.client.puts.stamps import Stamp
from capsa.core.commands import Done, ForgetPuts, OpenPuts, PutsOpened, Recall, Recalled, Remember
from capsa.core.ids import CLAIM_ID_SIZE, ClaimId
from capsa.core.keys import Label, OwnerKeys, derive, length_prefixed
from capsa.core.private import SECRET_SIZE, open_secret, seal_secret
from capsa.errors import ProtocolError
from capsa.seams import Entropy

_PRIVATE: Final = b"private"


@dataclass(frozen=True, slots=True)
class Opening:
    """An open put: the claim id and the secret to use, and what an earlier run committed under them."""

    job: Job
    name: bytes
    claim: ClaimId
    expected: tuple[bytes, ...]
    private: bool
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was when the bytes of a stored version, which its claim names, were read from it."""

    key: str
    stamp: Stamp
    claim: ClaimId


class Journal:
    """Reads and writes the journal by way of the home's node. Lists have at most 1,024 items."""

    def __init__(self, link: HomeLink, keys: OwnerKeys, entropy: Entropy) -> None:
        self._link = link
        self._keys = keys
        self._entropy = entropy
        self._name_key = derive(keys.catalog, Label.OPEN_PUT)
        self._stamp_key = derive(keys.catalog, Label.FILE_STAMP)

    # --- puts under way

    async def open(self, jobs: Sequence[Job], *, private: bool) -> list[Opening]:
        """Note puts before their first block leaves, so that a repeat finds their claim ids, and secrets if `private`.

        A private put and another of the same key do not know of each other.
        """
        names = tuple(self._put_name(job.key, private) for job in jobs)
        once = tuple(name for name, job in zip(names, jobs, strict=True) if not job.repeatable)
        if once:
            await self._link.ask(ForgetPuts(once), Done)
        proposed = tuple(ClaimId(self._entropy.take(CLAIM_ID_SIZE)) for _ in jobs)
        drawn = [seal_secret(self._keys, claim, self._entropy.take(SECRET_SIZE)) for claim in proposed if private]
        opened = await self._link.ask(OpenPuts(names, proposed, tuple(drawn)), PutsOpened)
        if private and not all(opened.secrets):
            raise ProtocolError("The home's node did not keep the secrets.", "Restart the node with this capsa.")
        secrets = opened.secrets or (b"",) * len(jobs)
        return [
            Opening(job, name, ClaimId(claim), tuple(items), private, self._secret(ClaimId(claim), sealed))
            for job, name, claim, items, sealed in zip(jobs, names, opened.claims, opened.items, secrets, strict=True)
        ]

    async def begin_anew(self, opening: Opening) -> Opening:
        """Give up an open put, whose file turned out to be another one, and open one in its place."""
        await self._link.ask(ForgetPuts((opening.name,)), Done)
        [fresh] = await self.open([opening.job], private=opening.private)
        return fresh

    async def give_up(self, keys: Iterable[str], *, private: bool) -> None:
        """Give up open puts of these keys: the next ones have claims of their own."""
        await self._link.ask(ForgetPuts(tuple(self._put_name(key, private) for key in keys)), Done)

    def _put_name(self, key: str, private: bool) -> bytes:
        hasher = blake3(key.encode(), key=self._name_key)
        if private:
            hasher.update(length_prefixed(b"", _PRIVATE))  # no key has a zero byte
        return hasher.digest()

    def _secret(self, claim: ClaimId, sealed: bytes) -> bytes:
        return open_secret(self._keys, claim, sealed) if sealed else self._keys.convergence

    # --- what files looked like

    async def recall(self, files: Sequence[Seen]) -> set[str]:
        """The keys of those files that look as they did when that version was put."""
        if not files:
            return set()
        recalled = await self._link.ask(Recall(*self._lines(files)), Recalled)
        return {files[index].key for index in recalled.indexes if index < len(files)}

    async def remember(self, files: Sequence[Seen]) -> None:
        """Remember what files looked like, in place of what was known of these keys."""
        if files:
            await self._link.ask(Remember(*self._lines(files)), Done)

    def _lines(self, files: Iterable[Seen]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        names, stamps = [], []
        for seen in files:
            name, stamp = seen.key.encode(), seen.stamp
            packed = (
                stamp.size.to_bytes(16, "big", signed=True)
                + stamp.mtime_ns.to_bytes(16, "big", signed=True)
                + stamp.inode.to_bytes(16, "big", signed=True)
                + stamp.device.to_bytes(16, "big", signed=True)
            )
            names.append(blake3(name, key=self._stamp_key).digest())
            stamps.append(blake3(packed + seen.claim + name, key=self._stamp_key).digest())
        return tuple(names), tuple(stamps)
