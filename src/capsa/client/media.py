"""Media types: what a file is, by its name or else by its first bytes, and which extension goes with that."""

from __future__ import annotations

import mimetypes
import struct
from typing import Final

from capsa.core.pages import check_media_type
from capsa.errors import FormatError

DEFAULT_MEDIA_TYPE: Final = "application/octet-stream"
HEAD_SIZE: Final = 8192
"""How many first bytes of a file are worth looking at."""

_COMPRESSED: Final = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
    "br": "application/x-brotli",
}
_PREFERRED: Final = {"application/x-gzip": "application/gzip", "image/x-ms-bmp": "image/bmp"}
_CONFIDENCE_MIN: Final = 0.2
_CONFIDENCE_MIN_TEXT: Final = 0.4  # two letters that open a binary format may well open a sentence

_ZIP_HEADER: Final = b"PK\x03\x04"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_OFFICE_FOLDERS: Final = {
    b"word/": _OFFICE + "wordprocessingml.document",
    b"xl/": _OFFICE + "spreadsheetml.sheet",
    b"ppt/": _OFFICE + "presentationml.presentation",
}


def media_type_of(name: str, head: bytes) -> str:
    """The media type of a file called `name` that begins with `head`; never fails."""
    head = head[:HEAD_SIZE]
    return _by_name(name) or _by_content(head) or DEFAULT_MEDIA_TYPE


def extension_of(media_type: str) -> str:
    """The usual extension of a media type with its dot, or nothing where there is none to speak of."""
    if media_type == DEFAULT_MEDIA_TYPE:
        return ""
    return mimetypes.guess_extension(media_type, strict=False) or ""


def _valid(media_type: str | None) -> str | None:
    if not media_type:
        return None
    lower = media_type.lower()
    lower = _PREFERRED.get(lower, lower)
    try:
        check_media_type(lower)
    except FormatError:
        return None
    return lower


def _by_name(name: str) -> str | None:
    # In front of a path nothing is taken for the scheme of a URL.
    media_type, compression = mimetypes.guess_type("./" + name, strict=False)
    if compression is not None:
        return _COMPRESSED.get(compression)
    return _valid(media_type)


def _by_content(head: bytes) -> str | None:
    if not head:
        return None
    if head.startswith(_ZIP_HEADER):
        return _by_zip(head)
    text = _is_text(head)
    return _by_magic(head, _CONFIDENCE_MIN_TEXT if text else _CONFIDENCE_MIN) or ("text/plain" if text else None)


def _by_magic(head: bytes, confidence_min: float) -> str | None:
    import puremagic  # slow to import, and seldom needed

    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError, LookupError, ArithmeticError, struct.error):
        return None
    for match in matches:
        media_type = _valid(match.mime_type)
        if media_type is not None and match.confidence >= confidence_min:
            return media_type
    return None


def _by_zip(head: bytes) -> str:
    """A zip archive, or one of the document formats inside one (puremagic calls any zip a Word document)."""
    if head[30:38] == b"mimetype":  # EPUB and OpenDocument: the first member holds the type, uncompressed
        size = int.from_bytes(head[22:26], "little")
        start = 38 + int.from_bytes(head[28:30], "little")
        return _valid(head[start : start + size].decode("ascii", "replace")) or "application/zip"
    if b"[Content_Types].xml" in head:
        for folder, media_type in _OFFICE_FOLDERS.items():
            if folder in head:
                return media_type
    return "application/zip"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < HEAD_SIZE or error.start < HEAD_SIZE - 3:
            return False
        text = head[: error.start].decode("utf-8")  # the cut after `HEAD_SIZE` bytes went through a character
    return all(character >= " " or character in "\t\n\r\f\x1b" for character in text)
