"""Media types by name, then by content, and the extensions that go with them."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.client.media import DEFAULT_MEDIA_TYPE, HEAD_SIZE, extension_of, media_type_of
from capsa.core.pages import check_media_type

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(50)
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(50)
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"


def _zip(*members: tuple[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.png", "image/png"),
        ("A.JPG", "image/jpeg"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        ("a.txt", "text/plain"),
        ("a.tar.gz", "application/gzip"),
        ("a.tar", "application/x-tar"),
        ("a.zip", "application/zip"),
        ("data:text,html.png", "image/png"),
        ("http:a?b#c.png", "image/png"),
    ],
)
def test_by_name(name: str, media_type: str) -> None:
    assert media_type_of(name, b"\xff\xfe\xfd") == media_type


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (PNG, "image/png"),
        (PDF, "application/pdf"),
        (MP4, "video/mp4"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(50), "image/jpeg"),
        (b"\x1f\x8b\x08\0" + bytes(40), "application/gzip"),
        (_zip(("a.txt", "x")), "application/zip"),
        (_zip(("[Content_Types].xml", "x"), ("word/document.xml", "x")), WORD),
        (_zip(("mimetype", ODT), ("content.xml", "x")), ODT),
        (_zip(("mimetype", "not a type\n")), "application/zip"),
        (b"hello, world\n" * 10, "text/plain"),
        ("Grüße, 世界\n".encode() * 2000, "text/plain"),
        (b"BM stands for bitmap, or for a sentence.", "text/plain"),
        (b"<html><body>", "text/html"),
        (b"", DEFAULT_MEDIA_TYPE),
        (b"\x01\x02\xfe\xfd", DEFAULT_MEDIA_TYPE),
    ],
)
@pytest.mark.parametrize("name", ["", "stdin", "a.unheardof"])
def test_by_content(name: str, head: bytes, media_type: str) -> None:
    assert media_type_of(name, head) == media_type


@pytest.mark.parametrize("shift", range(4))
def test_a_head_that_ends_in_the_middle_of_a_character_is_text(shift: int) -> None:
    assert media_type_of("", b"x" * shift + "😀".encode() * HEAD_SIZE) == "text/plain"


@given(st.text(max_size=20), st.binary(max_size=100))
def test_it_never_fails(name: str, head: bytes) -> None:
    check_media_type(media_type_of(name, head))


@given(
    st.sampled_from([b"PK\x03\x04", b"PK\x03\x04" + bytes(26) + b"mimetype", PNG[:8], b"%PDF", b"RIFF"]),
    st.binary(max_size=80),
)
def test_it_never_fails_on_what_begins_well(start: bytes, rest: bytes) -> None:
    check_media_type(media_type_of("", start + rest))


@pytest.mark.parametrize(
    ("media_type", "extension"),
    [
        ("image/png", ".png"),
        ("image/jpeg", ".jpg"),
        ("application/pdf", ".pdf"),
        ("video/mp4", ".mp4"),
        ("text/plain", ".txt"),
        (DEFAULT_MEDIA_TYPE, ""),
        ("inode/directory", ""),
        ("x/unheard-of", ""),
    ],
)
def test_extensions(media_type: str, extension: str) -> None:
    assert extension_of(media_type) == extension
