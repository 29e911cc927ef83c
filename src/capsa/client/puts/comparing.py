"""Whether a source is what a stored version holds: the source is read, the version only known by its digest."""

from __future__ import annotations

from typing import Final

from blake3 import blake3

from capsa.client.puts.jobs import Job
from capsa.client.puts.sources import Source
from capsa.client.puts.stamps import Stamp
from capsa.core.catalog.entries import VersionEntry
from capsa.core.pages import Kind

STEP_SIZE: Final = 16 * 1024 * 1024
"""Bytes that are read in one go, between which a command can be interrupted."""
_READ_SIZE: Final = 1024 * 1024


def digest_without_content(source: Source) -> bytes:
    """What a catalog has as the digest of a link, which is that of its target, or of a folder."""
    return blake3(source.link_target.encode()).digest()


class Comparison:
    """Compares one job's source with a version. On the lane; raises what opening and reading do.

    `step` until it returns false; then `same` says how it came out. `close` in any case.
    """

    def __init__(self, job: Job, version: VersionEntry) -> None:
        self.version = version
        self.same = False
        self._source = job.open()
        self._hasher = blake3()
        self._read = 0

    @property
    def stamp(self) -> Stamp | None:
        """Of the source, as it was opened."""
        return self._source.stamp

    def step(self) -> bool:
        """Read on; whether there is more."""
        source, version = self._source, self.version
        if source.kind is not version.kind or (source.size is not None and source.size != version.size):
            return False
        if source.kind is not Kind.FILE:
            self.same = digest_without_content(source) == version.digest
            return False
        buffer = memoryview(bytearray(min(version.size + 1, _READ_SIZE)))
        left = STEP_SIZE
        while left > 0:
            count = source.read_into(buffer)
            self._hasher.update(buffer[:count])
            self._read += count
            left -= count
            if count < len(buffer) or self._read > version.size:
                self.same = self._read == version.size and self._hasher.digest() == version.digest
                return False
        return True

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()
