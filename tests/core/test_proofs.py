"""Proofs of possession: frozen vectors, and that nothing else proves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from capsa.core.ids import BlockId, NodeId, block_id
from capsa.core.proofs import PROOF_SIZE, SAMPLE_SIZE, proof, proves, sample_offset

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "proofs.json").read_text())["cases"]
BLOCKS = {200: bytes(range(200)), 65536: blake3(b"data").digest(65536)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vectors(case: dict[str, Any]) -> None:
    content, nonce, holder = BLOCKS[case["length"]], bytes.fromhex(case["nonce"]), NodeId(bytes.fromhex(case["holder"]))
    block = block_id(content)
    assert block.hex() == case["block"]
    offset = sample_offset(nonce, block)
    assert offset == case["offset"] < 2**63
    at = offset % len(content)
    sample = content[at : at + SAMPLE_SIZE]
    assert (at, len(sample)) == (case["at"], case["sample_size"])
    made = proof(nonce, holder, block, sample, len(content))
    assert made.hex() == case["proof"] and len(made) == PROOF_SIZE
    assert proves(made, nonce, holder, block, memoryview(sample), len(content))


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": b"o" * 16},
        {"holder": NodeId(b"i" * 32)},
        {"block": BlockId(b"c" * 32)},
        {"sample": b"samplf"},
        {"sample": b"sample\0"},
        {"length": 7},
        {"given": b""},
        {"given": bytes(32)},
    ],
)
def test_a_proof_is_bound_to_everything(changed: dict[str, Any]) -> None:
    asked: dict[str, Any] = {
        "nonce": b"n" * 16,
        "holder": NodeId(b"h" * 32),
        "block": BlockId(b"b" * 32),
        "sample": b"sample",
        "length": 6,
    }
    asked["given"] = proof(**asked)
    assert proves(**asked)
    assert not proves(**asked | changed)


def test_offsets_reach_the_whole_of_a_block() -> None:
    """A holder that keeps only half of a block has to be asked about the other half half of the time."""
    offsets = [sample_offset(n.to_bytes(16, "big"), BlockId(bytes(32))) % 1_048_593 for n in range(1000)]
    assert 400 < sum(offset < 1_048_593 // 2 for offset in offsets) < 600
