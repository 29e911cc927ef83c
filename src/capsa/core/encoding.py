"""The strict encoding of everything that is stored or signed.

Values are `msgspec.Struct`s with `array_like=True`, in MessagePack. One value has exactly one
encoding: what does not re-encode to the same bytes (extra items, wide integers, duplicate keys) is
refused. Wire messages, which may grow, are decoded by `capsa.core.messages` instead.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from capsa.core.ids import Buffer
from capsa.errors import FormatError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def encode(value: msgspec.Struct) -> bytes:
    """The one encoding of a value."""
    return _encoder.encode(value)


def decode(kind: type[T], data: Buffer, *, size_max: int) -> T:
    """The value that `data` encodes; `FormatError` if it is larger than `size_max`, malformed or not canonical."""
    if len(data) > size_max:
        raise FormatError(f"A stored value has {len(data)} bytes where at most {size_max} are allowed.")
    try:
        value = msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"A stored value is malformed: {error}.") from None
    if _encoder.encode(value) != data:
        raise FormatError("A stored value is not in its canonical form.")
    return value
