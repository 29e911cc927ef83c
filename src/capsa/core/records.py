"""Records: how a session's plaintext is protected on the wire once the handshake is done.

A record is the length of its body (2 bytes, big-endian) and the body: AES-256-GCM over at most 65,519 bytes,
with a nonce of 4 zero bytes and an 8-byte big-endian counter and no associated data (the Noise Protocol
Framework, revision 34, sections 5.1 and 12). Records say nothing of what they carry: see `capsa.core.frames`.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from capsa.errors import ProtocolError

LENGTH_SIZE: Final = 2
TAG_SIZE: Final = 16
RECORD_OVERHEAD: Final = LENGTH_SIZE + TAG_SIZE
PLAINTEXT_SIZE_MAX: Final = 65_535 - TAG_SIZE
RECORD_SIZE_MAX: Final = PLAINTEXT_SIZE_MAX + RECORD_OVERHEAD
RECORDS_MAX: Final = 2**22
"""Records a direction under one key: far below the bounds of AES-GCM (SP 800-38D, section 8.3)."""
RECORDS_WORN: Final = RECORDS_MAX - 2**17
"""From here on a session asks to be replaced; 8 GB may still pass meanwhile."""


class NoiseSealer:
    """Protects the records of one direction."""

    def __init__(self, key: bytes) -> None:
        self._seal = AESGCM(key).encrypt_into
        self.count = 0

    def seal_into(self, out: memoryview, plaintext: memoryview) -> int:
        """Write the record of `plaintext` to the start of `out`; return its size, `RECORD_OVERHEAD` more.

        `plaintext` has at most `PLAINTEXT_SIZE_MAX` bytes and does not overlap `out`. Raises `ProtocolError`
        when the key is used up.
        """
        count = self.count
        if count >= RECORDS_MAX:
            raise ProtocolError("A session has used up its key.")
        size = len(plaintext) + TAG_SIZE
        end = LENGTH_SIZE + size
        out[0] = size >> 8
        out[1] = size & 0xFF
        self._seal(count.to_bytes(12, "big"), plaintext, None, out[LENGTH_SIZE:end])
        self.count = count + 1
        return end


class NoiseOpener:
    """Opens the records of one direction, in order; a record left out, repeated or changed ends it."""

    def __init__(self, key: bytes) -> None:
        self._open = AESGCM(key).decrypt_into
        self.count = 0

    def open_into(self, out: memoryview, body: memoryview) -> None:
        """Open a record's body into `out`, which is exactly `TAG_SIZE` shorter; `ProtocolError` on a wrong tag.

        What `out` holds after an error counts for nothing.
        """
        count = self.count
        if count >= RECORDS_MAX:
            raise ProtocolError("The other side has used up its key.")
        try:
            self._open(count.to_bytes(12, "big"), body, None, out)
        except InvalidTag:
            raise ProtocolError("A record of the session does not open.") from None
        self.count = count + 1
