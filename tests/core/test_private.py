"""Secrets of private puts: only their owner opens them, and only under the claim id that they belong to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capsa.core.ids import ClaimId
from capsa.core.keys import OwnerKeys
from capsa.core.private import open_secret, seal_secret
from capsa.errors import IntegrityError

KEYS, OTHERS = OwnerKeys.from_entropy(bytes(32)), OwnerKeys.from_entropy(b"o" * 32)
CLAIM, SECRET = ClaimId(b"c" * 16), bytes(range(32))
SEALED = seal_secret(KEYS, CLAIM, SECRET)


def test_a_secret_comes_back() -> None:
    assert open_secret(KEYS, CLAIM, SEALED) == SECRET
    assert SECRET not in SEALED


@pytest.mark.parametrize(
    ("keys", "claim", "sealed"),
    [
        (OTHERS, CLAIM, SEALED),
        (KEYS, ClaimId(b"d" * 16), SEALED),
        (KEYS, CLAIM, SEALED[:-1]),
        (KEYS, CLAIM, SEALED[:-1] + bytes([SEALED[-1] ^ 1])),
        (KEYS, CLAIM, b""),
    ],
)
def test_nothing_else_opens(keys: OwnerKeys, claim: ClaimId, sealed: bytes) -> None:
    with pytest.raises(IntegrityError):
        open_secret(keys, claim, sealed)


def test_the_vector_holds() -> None:
    vector = json.loads((Path(__file__).parents[1] / "vectors" / "private.json").read_text("utf-8"))
    for line in vector["sealed"]:
        keys, claim = OwnerKeys.from_entropy(bytes.fromhex(line["entropy"])), ClaimId(bytes.fromhex(line["claim"]))
        assert seal_secret(keys, claim, bytes.fromhex(line["secret"])).hex() == line["sealed"]
