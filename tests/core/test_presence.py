"""Proofs of presence: frozen vectors, and that nothing else proves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsa.core.ids import NetworkId, NodeId
from capsa.core.keys import DeviceKey
from capsa.core.presence import prove_presence, verify_presence
from capsa.errors import SignatureError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "presence.json").read_text())
GIVEN: dict[str, bytes] = {name: bytes.fromhex(value) for name, value in VECTORS["presence"].items()}
NODE, NETWORK = NodeId(GIVEN["node"]), NetworkId(GIVEN["network"])


def test_vector() -> None:
    key = DeviceKey(GIVEN["device_seed"])
    assert key.node == NODE
    assert prove_presence(key, NETWORK, boot=GIVEN["boot"], other=GIVEN["other"]) == GIVEN["proof"]
    verify_presence(NODE, NETWORK, boot=GIVEN["boot"], other=GIVEN["other"], proof=GIVEN["proof"])


@pytest.mark.parametrize("case", VECTORS["must_fail"], ids=lambda case: case["name"])
def test_what_proves_nothing(case: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        verify_presence(NODE, NETWORK, boot=GIVEN["boot"], other=GIVEN["other"], proof=bytes.fromhex(case["proof"]))
