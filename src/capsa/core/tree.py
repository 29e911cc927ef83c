"""File trees: built from chunk entries as they come, and walked over a byte range; both without I/O.

The canonical tree: every page but the last of its height is full, and the root, which itself holds up to a
full page of entries, is as low as it can be. Memory is bounded by fan-out times height, whatever the size.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from blake3 import blake3

from capsa.core.caps import Cap
from capsa.core.ids import BlockId, Buffer, block_id
from capsa.core.keys import Label
from capsa.core.pages import (
    CODEC_PLAIN,
    DEFAULT_SHAPE,
    MODE_MAX,
    ROOT_VERSION,
    Entry,
    Kind,
    Page,
    Root,
    Shape,
    check_link_target,
    check_media_type,
    check_name,
    encode_page,
    height_of,
    parse_page,
)
from capsa.core.sealing import SUITE_AES_256_GCM, seal

_EMPTY_DIGEST = blake3(b"").digest()
MEDIA_TYPE_LINK = "inode/symlink"
MEDIA_TYPE_FOLDER = "inode/directory"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a root page tells about a file besides its content; `mode` is cut to the permission bits."""

    name: str
    media_type: str
    mtime_ns: int
    mode: int

    def __post_init__(self) -> None:
        check_name(self.name)
        check_media_type(self.media_type)


@dataclass(frozen=True, slots=True, repr=False)
class SealedPage:
    """A page as a block, and the key that opens it."""

    id: BlockId
    key: bytes
    block: bytes

    @property
    def cap(self) -> Cap:
        """The cap of the file whose root page this is."""
        return Cap(self.id, self.key)

    def __repr__(self) -> str:
        return f"SealedPage(id={self.id.hex()})"


def seal_page(secret: bytes, page: Page | Root, suite: int = SUITE_AES_256_GCM) -> SealedPage:
    """Seal a page of a file under the owner's convergence key, or the random secret of a private put."""
    block, key = seal(secret, Label.SEAL_PAGE, encode_page(page), suite)
    return SealedPage(block_id(block), key, block)


def inline_root(metadata: Metadata, content: Buffer, shape: Shape = DEFAULT_SHAPE) -> Root:
    """The root of a file of at most `shape.inline_max` bytes, which lies wholly inside it."""
    assert len(content) <= shape.inline_max
    return _root(Kind.FILE, metadata, shape, size=len(content), digest=blake3(content).digest(), inline=bytes(content))


def link_root(metadata: Metadata, target: str, shape: Shape = DEFAULT_SHAPE) -> Root:
    """The root that stands for a symbolic link."""
    check_link_target(target)
    return _root(Kind.LINK, metadata, shape, link_target=target)


def folder_root(metadata: Metadata, shape: Shape = DEFAULT_SHAPE) -> Root:
    """The root that stands for an empty folder."""
    return _root(Kind.FOLDER, metadata, shape)


def _root(
    kind: Kind,
    metadata: Metadata,
    shape: Shape,
    *,
    size: int = 0,
    digest: bytes = _EMPTY_DIGEST,
    link_target: str = "",
    inline: bytes = b"",
    height: int = 0,
    entries: tuple[Entry, ...] = (),
) -> Root:
    return Root(
        version=ROOT_VERSION,
        kind=kind,
        chunk_size=shape.chunk_size,
        size=size,
        digest=digest,
        name=metadata.name,
        media_type=metadata.media_type,
        mtime_ns=metadata.mtime_ns,
        mode=metadata.mode & MODE_MAX,
        link_target=link_target,
        inline=inline,
        height=height,
        entries=entries,
    )


class TreeBuilder:
    """Takes the entries of a file's chunks in order and hands back each page as soon as it can be sealed."""

    def __init__(self, secret: bytes, *, shape: Shape = DEFAULT_SHAPE, suite: int = SUITE_AES_256_GCM) -> None:
        self._secret = secret
        self._shape = shape
        self._suite = suite
        self._size = 0
        self._levels: list[list[Entry]] = [[]]
        """Entries that wait for their page, by height; a full list waits for one more entry."""

    @property
    def size(self) -> int:
        """Plaintext bytes added so far."""
        return self._size

    def add(self, entry: Entry) -> list[SealedPage]:
        """Add the next chunk; return the pages that this completes, lowest first. Only the last chunk may be short.

        Raises `FormatError`, and adds nothing, if the file is larger than a tree may be.
        """
        assert self._size % self._shape.chunk_size == 0, "a chunk follows a short one"
        assert 0 < entry.length <= self._shape.chunk_size
        height_of(self._size + entry.length, self._shape)
        self._size += entry.length
        pages: list[SealedPage] = []
        self._append(0, entry, pages)
        return pages

    def finish(self, metadata: Metadata, digest: bytes) -> tuple[Root, list[SealedPage]]:
        """The root, and the pages below it that were still open, lowest first. The root is the caller's to seal."""
        assert self._size > self._shape.inline_max, "a small file lies inside its root page"
        pages: list[SealedPage] = []
        height = 0
        while height < len(self._levels) - 1:
            self._flush(height, pages)
            height += 1
        assert height == height_of(self._size, self._shape)
        entries = tuple(self._levels[height])
        root = _root(Kind.FILE, metadata, self._shape, size=self._size, digest=digest, height=height, entries=entries)
        return root, pages

    def _append(self, height: int, entry: Entry, pages: list[SealedPage]) -> None:
        if height == len(self._levels):
            self._levels.append([])
        if len(self._levels[height]) == self._shape.fanout:
            self._flush(height, pages)
        self._levels[height].append(entry)

    def _flush(self, height: int, pages: list[SealedPage]) -> None:
        entries = tuple(self._levels[height])
        self._levels[height] = []
        page = seal_page(self._secret, Page(height, entries), self._suite)
        pages.append(page)
        length = sum(entry.length for entry in entries)
        self._append(height + 1, Entry(page.id, page.key, length, CODEC_PLAIN), pages)


@dataclass(frozen=True, slots=True)
class WantedPage:
    """The walk goes on once this page has been fetched, unsealed and fed."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class WantedChunk:
    """The next chunk of the range, and where in the file's plaintext it begins."""

    entry: Entry
    offset: int


class _Frame(msgspec.Struct):
    """A page on the way down: where its next entry begins, and which that is."""

    entries: tuple[Entry, ...]
    height: int
    offset: int
    index: int = 0


class TreeWalk:
    """Names the chunks that overlap the bytes from `start` up to `stop`, in order, asking only for pages on the way.

    A file that lies inside its root page has no chunks. Memory is bounded by fan-out times height.
    """

    def __init__(self, root: Root, *, start: int = 0, stop: int | None = None, shape: Shape = DEFAULT_SHAPE) -> None:
        self._root = root
        self._shape = shape
        self._start = start
        self._stop = root.size if stop is None else min(stop, root.size)
        self._frames = [_Frame(root.entries, root.height, 0)] if root.entries else []
        self._wanted: Entry | None = None

    def next(self) -> WantedPage | WantedChunk | None:
        """What comes next; None at the end. A wanted page is repeated until it has been fed."""
        if self._wanted is not None:
            return WantedPage(self._wanted)
        while self._frames:
            frame = self._frames[-1]
            if frame.index == len(frame.entries) or frame.offset >= self._stop:
                self._frames.pop()
                continue
            entry, offset = frame.entries[frame.index], frame.offset
            frame.index += 1
            frame.offset += entry.length
            if frame.offset <= self._start or self._start >= self._stop:
                continue
            if frame.height == 0:
                return WantedChunk(entry, offset)
            self._wanted = entry
            return WantedPage(entry)
        return None

    def feed(self, padded: Buffer) -> None:
        """The unsealed bytes of the page that was wanted; `FormatError` if it does not belong there."""
        assert self._wanted is not None, "no page was wanted"
        above = self._frames[-1]
        height = above.height - 1
        page = parse_page(padded, self._wanted, height, self._root, self._shape)
        self._frames.append(_Frame(page.entries, height, above.offset - self._wanted.length))
        self._wanted = None
