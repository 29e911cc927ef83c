"""The signed envelope: one shape for statements, claims, releases, receipts, heads and node records.

A signature covers (label, network id, body), each length-prefixed; the founding statement's covers
(label, body), since the network id is the hash of that very statement. The envelope is checked without
knowing the body's kind, so that statements of a later version can be kept and passed on unread.
"""

from __future__ import annotations

import msgspec

from capsa.core.encoding import decode, encode
from capsa.core.ids import Buffer, NetworkId
from capsa.core.keys import SigningKey, length_prefixed, signature_label, verify

SIGNED_SIZE_MAX = 128 * 1024
KIND_FOUNDING = "founding"


class Signed(msgspec.Struct, frozen=True, array_like=True):
    """A body, who signed it, and for which network (empty for a founding)."""

    kind: str
    network: bytes
    signer: bytes
    body: bytes
    signature: bytes


def _message(kind: str, network: bytes, body: bytes) -> bytes:
    label = signature_label(kind).encode()
    return length_prefixed(label, body) if kind == KIND_FOUNDING else length_prefixed(label, network, body)


def sign(key: SigningKey, kind: str, network: NetworkId | bytes, body: bytes) -> Signed:
    """Sign an encoded body as `kind` for `network` (`b""` for a founding)."""
    return Signed(kind, bytes(network), key.public, body, key.sign(_message(kind, network, body)))


def check(signed: Signed) -> None:
    """Raise `SignatureError` unless the signature holds; who may sign what is the caller's to judge."""
    verify(signed.signer, _message(signed.kind, signed.network, signed.body), signed.signature)


def encode_signed(signed: Signed) -> bytes:
    """The bytes in which a signed value is stored and sent."""
    return encode(signed)


def decode_signed(data: Buffer) -> Signed:
    """The signed value in `data`, its signature *not* yet checked; `FormatError` if malformed."""
    return decode(Signed, data, size_max=SIGNED_SIZE_MAX)
