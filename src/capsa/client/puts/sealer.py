"""From a source to sealed blocks: chunk → seal → address. Synchronous; it runs on the seal lane."""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from capsa.client.media import HEAD_SIZE, media_type_of
from capsa.client.puts.comparing import digest_without_content
from capsa.client.puts.sources import Source
from capsa.client.puts.stamps import Stamp
from capsa.core.ids import BlockId, block_id
from capsa.core.keys import Label
from capsa.core.pages import Entry, Kind, Root, Shape
from capsa.core.sealing import padme, seal_into, sealed_size
from capsa.core.tree import (
    MEDIA_TYPE_FOLDER,
    MEDIA_TYPE_LINK,
    Metadata,
    SealedPage,
    TreeBuilder,
    folder_root,
    inline_root,
    link_root,
    seal_page,
)
from capsa.errors import ChangedError


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block on its way: `data` lies in a buffer that its taker gives back."""

    id: BlockId
    data: memoryview


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A whole file, sealed: its root, the pages not yet handed out (the root last), and what the catalog is to say.

    `stamp` is that of the source, where it can be gone by (`Stamp.is_racy`).
    """

    root: SealedPage
    pages: tuple[SealedPage, ...]
    kind: Kind
    size: int
    digest: bytes
    media_type: str
    mtime_ns: int
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Manner:
    """How a file is sealed and named: `name` is the last part of its key.

    `now_ns` dates a stream; it is a moment before the source was opened.
    """

    secret: bytes
    name: str
    now_ns: int
    shape: Shape

    def metadata(self, source: Source, head: bytes) -> Metadata:
        """What the root says of a source that begins with `head`."""
        mtime_ns = source.mtime_ns if source.mtime_ns is not None else self.now_ns
        return Metadata(self.name, self._media_type(source.kind, head), mtime_ns, source.mode)

    def _media_type(self, kind: Kind, head: bytes) -> str:
        if kind is Kind.LINK:
            return MEDIA_TYPE_LINK
        return MEDIA_TYPE_FOLDER if kind is Kind.FOLDER else media_type_of(self.name, head)

    def sealed(self, root: Root, pages: list[SealedPage], source: Source) -> SealedFile:
        """The file whose root page this is."""
        page = seal_page(self.secret, root)
        digest = root.digest if root.kind is Kind.FILE else digest_without_content(source)
        stamp = source.stamp
        trusted = None if stamp is None or stamp.is_racy(self.now_ns) else stamp
        return SealedFile(page, (*pages, page), root.kind, root.size, digest, root.media_type, root.mtime_ns, trusted)


def seal_small(source: Source, size: int, manner: Manner) -> SealedFile:
    """A source of `size` bytes that lies inside its root page, in one step; `ChangedError` if it is longer."""
    if source.kind is not Kind.FILE:
        bare = manner.metadata(source, b"")
        link = source.kind is Kind.LINK
        root = link_root(bare, source.link_target, manner.shape) if link else folder_root(bare, manner.shape)
        return manner.sealed(root, [], source)
    buffer = memoryview(bytearray(size + 1))
    count = source.read_into(buffer)
    if count > size:
        raise ChangedError("A file grew while it was read.", "Try again when nothing writes to it.")
    content = buffer[:count]
    metadata = manner.metadata(source, bytes(content[:HEAD_SIZE]))
    return manner.sealed(inline_root(metadata, content, manner.shape), [], source)


class FileSealer:
    """Seals one file, chunk by chunk, in flat memory.

    `next_chunk` until it returns None, then `finish`. A file that lies inside its root page has no chunks.
    """

    def __init__(self, source: Source, manner: Manner) -> None:
        self._source = source
        self._manner = manner
        self._plain = memoryview(bytearray(manner.shape.chunk_size))
        self._digest = blake3()
        self._tree = TreeBuilder(manner.secret, shape=manner.shape)
        self._head = b""
        self._inline: bytes | None = None
        self._ended = False

    def next_chunk(self, buffer: memoryview) -> tuple[Block, int, list[SealedPage]] | None:
        """The next chunk, sealed into `buffer`, its plain length, and the pages that it completes; None at the end."""
        if self._ended:
            return None
        count = self._source.read_into(self._plain)
        self._ended = count < len(self._plain)
        if not self._tree.size:
            self._head = bytes(self._plain[: min(count, HEAD_SIZE)])
            if self._ended and count <= self._manner.shape.inline_max:
                self._inline = bytes(self._plain[:count])
                return None
        if not count:
            return None
        self._digest.update(self._plain[:count])
        padded = padme(count)
        self._plain[count:padded] = bytes(padded - count)
        data = buffer[: sealed_size(count)]
        key = seal_into(data, self._manner.secret, Label.SEAL_CHUNK, self._plain[:padded])
        chunk = block_id(data)
        return Block(chunk, data), count, self._tree.add(Entry(chunk, key, count))

    def finish(self) -> SealedFile:
        """The rest of the tree and the root; the source has been read to its end."""
        metadata = self._manner.metadata(self._source, self._head)
        if self._inline is not None:
            return self._manner.sealed(inline_root(metadata, self._inline, self._manner.shape), [], self._source)
        root, pages = self._tree.finish(metadata, self._digest.digest())
        return self._manner.sealed(root, pages, self._source)
