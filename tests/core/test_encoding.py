"""One value, one encoding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsa.core.encoding import decode, encode
from capsa.errors import FormatError

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "encoding.json").read_text()
)
SIZE_MAX = 4096


class Value(msgspec.Struct, frozen=True, array_like=True):
    number: int
    data: bytes
    names: tuple[str, ...] = ()


@pytest.mark.parametrize("vector", VECTORS["values"])
def test_values(vector: dict[str, Any]) -> None:
    value = Value(vector["number"], bytes.fromhex(vector["data"]), tuple(vector["names"]))
    assert encode(value).hex() == vector["bytes"]
    assert decode(Value, bytes.fromhex(vector["bytes"]), size_max=SIZE_MAX) == value
    assert decode(Value, memoryview(bytes.fromhex(vector["bytes"])), size_max=SIZE_MAX) == value


@pytest.mark.parametrize("vector", VECTORS["fails"], ids=lambda vector: vector["why"])
def test_anything_else_is_refused(vector: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        decode(Value, bytes.fromhex(vector["bytes"]), size_max=SIZE_MAX)


def test_the_size_bound_is_exact() -> None:
    data = encode(Value(1, bytes(100)))
    assert decode(Value, data, size_max=len(data)).number == 1
    with pytest.raises(FormatError):
        decode(Value, data, size_max=len(data) - 1)
