"""File pages: the nodes of a file's Merkle tree, and the strict form in which they are sealed.

A page's plaintext is the length of its canonical encoding (4 bytes, big-endian), the encoding, and the zeros
that pad the whole to its Padmé length. Any page that the writer in `capsa.core.tree` would not have made is
refused, so that one file under one secret has exactly one root.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from blake3 import blake3
from msgspec import Meta

from capsa.core.encoding import decode, encode
from capsa.core.ids import BlockId, Buffer
from capsa.core.sealing import unpad
from capsa.errors import FormatError

ROOT_VERSION: Final = 1
CODEC_PLAIN: Final = 0
CHUNK_SIZE: Final = 1024 * 1024
CHUNK_SIZE_MIN: Final = 1024
CHUNK_SIZE_MAX: Final = 2 * 1024 * 1024
FANOUT: Final = 1024
HEIGHT_MAX: Final = 5
INLINE_SIZE_MAX: Final = 64 * 1024
PAGE_SIZE_MAX: Final = 128 * 1024
NAME_SIZE_MAX: Final = 255
LINK_TARGET_SIZE_MAX: Final = 4096
MODE_MAX: Final = 0o777

_PREFIX_SIZE: Final = 4
# The restricted names of RFC 6838, section 4.2, in lower case, without parameters.
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")

P = TypeVar("P", bound=msgspec.Struct)
Id: TypeAlias = Annotated[BlockId, Meta(min_length=32, max_length=32)]
Key: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers that shape a tree. Every network uses the defaults; tests and the simulated world use small ones."""

    chunk_size: int = CHUNK_SIZE
    fanout: int = FANOUT
    inline_max: int = INLINE_SIZE_MAX


DEFAULT_SHAPE: Final = Shape()


class Kind(IntEnum):
    """What a root page stands for."""

    FILE = 1
    LINK = 2
    FOLDER = 3


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A chunk or a page below: its block, the key that opens it, and how many plaintext bytes of the file it covers."""

    id: Id
    key: Key
    length: Size
    codec: Annotated[int, Meta(ge=0, le=255)] = CODEC_PLAIN

    def __repr__(self) -> str:
        return f"Entry(id={self.id.hex()}, length={self.length}, codec={self.codec})"


Entries: TypeAlias = Annotated[tuple[Entry, ...], Meta(max_length=FANOUT)]
Height: TypeAlias = Annotated[int, Meta(ge=0, le=HEIGHT_MAX)]


class Page(msgspec.Struct, frozen=True, array_like=True):
    """An inner page. Height 0: its entries are chunks; height n: they are pages of height n - 1."""

    height: Height
    entries: Entries


class Root(msgspec.Struct, frozen=True, array_like=True):
    """The root page of one stored version; `digest` is BLAKE3-256 of the whole plaintext, `mode` permission bits."""

    version: int
    kind: Kind
    chunk_size: Annotated[int, Meta(ge=CHUNK_SIZE_MIN, le=CHUNK_SIZE_MAX)]
    size: Size
    digest: Annotated[bytes, Meta(min_length=32, max_length=32)]
    name: str
    media_type: str
    mtime_ns: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    mode: Annotated[int, Meta(ge=0, le=MODE_MAX)]
    link_target: str
    inline: bytes
    height: Height
    entries: Entries

    def __repr__(self) -> str:
        return f"Root(kind={self.kind.name}, size={self.size}, height={self.height})"


class _Versioned(msgspec.Struct, array_like=True):
    """The part of a root that every version shares."""

    version: int


def encode_page(page: msgspec.Struct) -> bytes:
    """The plaintext of a page, to be padded and sealed; for catalog pages too."""
    encoded = encode(page)
    return len(encoded).to_bytes(_PREFIX_SIZE, "big") + encoded


def _unframe(padded: Buffer, size_max: int) -> memoryview:
    view = memoryview(padded)
    if not _PREFIX_SIZE <= len(view) <= size_max:
        raise FormatError("A page has an impossible length.")
    size = _PREFIX_SIZE + int.from_bytes(view[:_PREFIX_SIZE], "big")
    if size > len(view):
        raise FormatError("A page is cut short.")
    return unpad(view, size)[_PREFIX_SIZE:]


def decode_page(kind: type[P], padded: Buffer, *, size_max: int = PAGE_SIZE_MAX) -> P:
    """The page in a padded plaintext; `FormatError` if longer than `size_max`, wrongly padded or not canonical.

    Only the form is checked here; `parse_root` and `parse_page` also check what a file's pages say.
    """
    return decode(kind, _unframe(padded, size_max), size_max=size_max)


def parse_root(padded: Buffer, shape: Shape = DEFAULT_SHAPE) -> Root:
    """The root page in an unsealed block; `FormatError` on anything that the writer would not have made.

    The chunk size is the root's own; of `shape`, only the fan-out and the inline bound count.
    """
    encoded = _unframe(padded, PAGE_SIZE_MAX)
    try:
        version = msgspec.msgpack.decode(encoded, type=_Versioned).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FormatError("A root page is malformed.") from None
    if version != ROOT_VERSION:
        raise FormatError(f"A root page has the unknown version {version}.", "A newer capsa may read it.")
    root = decode(Root, encoded, size_max=PAGE_SIZE_MAX)
    check_name(root.name)
    check_media_type(root.media_type)
    if root.chunk_size & (root.chunk_size - 1):
        raise FormatError("A root page's chunk size is not a power of two.")
    if root.kind is Kind.FILE:
        _check_content(root, shape)
    else:
        _check_without_content(root)
    return root


def parse_page(padded: Buffer, parent: Entry, height: int, root: Root, shape: Shape = DEFAULT_SHAPE) -> Page:
    """The inner page of `height` that `parent` names, in an unsealed block; `FormatError` as for `parse_root`."""
    page = decode_page(Page, padded)
    if page.height != height:
        raise FormatError("An inner page has the wrong height.")
    _check_entries(page.entries, parent.length, root.chunk_size, height, shape)
    return page


def _utf8_size(text: str, what: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise FormatError(f"{what} is not valid Unicode.") from None


def check_name(name: str) -> None:
    """Raise `FormatError` unless `name` is one safe last part of a path: never a way out of a folder."""
    if name in ("", ".", "..") or "/" in name:
        raise FormatError("A file's name is not a single part of a path.")
    size = _utf8_size(name, "A file's name")
    if size > NAME_SIZE_MAX:
        raise FormatError(f"A file's name has {size} bytes where at most {NAME_SIZE_MAX} are allowed.")
    plain = name.isascii() and name.isprintable()  # as nearly all are: no need to look at each character
    if not plain and any(unicodedata.category(character) == "Cc" for character in name):
        raise FormatError("A file's name has control characters.")


def check_link_target(target: str) -> None:
    """Raise `FormatError` unless `target` can be a symbolic link's; where it leads is judged on restoring."""
    if not 0 < _utf8_size(target, "A link's target") <= LINK_TARGET_SIZE_MAX or "\0" in target:
        raise FormatError("A link's target is empty, too long, or has a zero byte.")


def check_media_type(media_type: str) -> None:
    """Raise `FormatError` unless `media_type` is a bare lower-case `type/subtype`."""
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise FormatError("A media type is malformed.")


def height_of(size: int, shape: Shape) -> int:
    """The one height of a tree over `size` plaintext bytes (at least one); `FormatError` past `HEIGHT_MAX`."""
    height, reach = 0, shape.chunk_size * shape.fanout
    while reach < size:
        height, reach = height + 1, reach * shape.fanout
    if height > HEIGHT_MAX:
        raise FormatError("A file is larger than its tree may be high.")
    return height


def _check_content(root: Root, shape: Shape) -> None:
    if root.link_target:
        raise FormatError("A file has a link target.")
    if root.size <= shape.inline_max:
        if len(root.inline) != root.size or root.entries or root.height:
            raise FormatError("A small file does not lie inside its root page.")
        if blake3(root.inline).digest() != root.digest:
            raise FormatError("A small file is not what its digest says.")
        return
    own = Shape(root.chunk_size, shape.fanout, shape.inline_max)
    if root.inline or root.height != height_of(root.size, own):
        raise FormatError("A file's tree is not of its one shape.")
    _check_entries(root.entries, root.size, root.chunk_size, root.height, shape)


def _check_without_content(root: Root) -> None:
    if root.size or root.inline or root.entries or root.height or root.digest != blake3(b"").digest():
        raise FormatError("A link or folder has content.")
    if root.kind is Kind.FOLDER and root.link_target:
        raise FormatError("A folder has a link target.")
    if root.kind is Kind.LINK:
        check_link_target(root.link_target)


def _check_entries(entries: tuple[Entry, ...], size: int, chunk_size: int, height: int, shape: Shape) -> None:
    """Every entry covers all it can, but for the last, which covers the rest."""
    full = chunk_size * shape.fanout**height
    count = -(-size // full)
    if len(entries) != count or count > shape.fanout:
        raise FormatError("A page has too many or too few entries.")
    for index, entry in enumerate(entries):
        if entry.length != min(full, size - index * full):
            raise FormatError("The lengths on a page are inconsistent.")
        if entry.codec != CODEC_PLAIN:
            raise FormatError(f"A block has the unknown codec {entry.codec}.", "A newer capsa may read it.")
