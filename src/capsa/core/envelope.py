"""The envelope: what stands before a message's body and payload, and how bodies are encoded.

16 bytes, big-endian: type (1), zero (1), the message's code (2), request id (4), length of the body (4), length
of the payload (4); then the MessagePack body, then the payload. The body is decoded once its code is known;
fields that this version does not know are ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import msgspec

from capsa.core.messages import BODY_SIZE_MAX, PAYLOAD_SIZE_MAX, Failure, Message
from capsa.errors import ProtocolError, UnknownKindError

ENVELOPE_SIZE: Final = 16
_LAYOUT: Final = struct.Struct(">BBHIII")


class Type(IntEnum):
    """What a message is to its session."""

    REQUEST = 1
    REPLY = 2


_TYPES: Final = {int(one): one for one in Type}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message taken apart; the body is not yet decoded."""

    type: Type
    code: int
    request: int
    body: memoryview
    payload: memoryview


def parse_envelope(message: memoryview) -> Envelope:
    """Take a message apart; `ProtocolError` if its lengths do not add up or exceed their bounds."""
    if len(message) < ENVELOPE_SIZE:
        raise ProtocolError("The other side sent a message shorter than its envelope.")
    type_number, zero, code, request, body_size, payload_size = _LAYOUT.unpack_from(message)
    kind = _TYPES.get(type_number)
    if kind is None or zero:
        raise ProtocolError("The other side sent an envelope of an unknown type.")
    body_end = ENVELOPE_SIZE + body_size
    if body_size > BODY_SIZE_MAX or payload_size > PAYLOAD_SIZE_MAX or body_end + payload_size != len(message):
        raise ProtocolError("The other side sent an envelope whose lengths are wrong.")
    return Envelope(kind, code, request, message[ENVELOPE_SIZE:body_end], message[body_end:])


class Codec:
    """Encodes messages, and decodes those of the given kinds, and failures."""

    def __init__(self, messages: Sequence[type[Message]]) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        kinds: tuple[type[Message], ...] = (Failure, *messages)
        self._decoders: dict[int, msgspec.msgpack.Decoder[Any]] = {
            kind.code: msgspec.msgpack.Decoder(kind) for kind in kinds
        }
        assert len(self._decoders) == len(set(kinds)), "two messages share a code"

    def encode(self, kind: Type, request: int, body: Message, payload_size: int) -> bytearray:
        """The envelope and body; `payload_size` bytes are to follow. `ProtocolError` if either is past its bound."""
        head = bytearray(ENVELOPE_SIZE)
        self._encoder.encode_into(body, head, ENVELOPE_SIZE)
        body_size = len(head) - ENVELOPE_SIZE
        if body_size > BODY_SIZE_MAX or payload_size > PAYLOAD_SIZE_MAX:
            raise ProtocolError(f"A message of this kind ({body.code}) came out larger than any may be.")
        _LAYOUT.pack_into(head, 0, kind, 0, body.code, request, body_size, payload_size)
        return head

    def decode(self, envelope: Envelope) -> Message:
        """The body. Raises `UnknownKindError` for a code that is not ours, `ProtocolError` if it is malformed."""
        decoder = self._decoders.get(envelope.code)
        if decoder is None:
            raise UnknownKindError(
                f"This kind of message ({envelope.code}) is not known here.", "A newer capsa may know it."
            )
        try:
            body: Message = decoder.decode(envelope.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ProtocolError(f"The other side sent a malformed message ({envelope.code}): {error}.") from None
        return body
