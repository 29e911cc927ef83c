"""The key table, frozen: labels, an owner's keys, signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsa.core.keys import DeviceKey, Label, OwnerKeys, derive, length_prefixed, signature_label, verify
from capsa.errors import SignatureError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "keys.json").read_text())


def test_labels_are_frozen() -> None:
    """A label may be added, and then belongs into the vectors; none may change."""
    assert {label.name: label.value for label in Label} == VECTORS["labels"]


def test_an_owner_is_its_entropy() -> None:
    vector = VECTORS["owner"]
    keys = OwnerKeys.from_entropy(bytes.fromhex(vector["entropy"]))
    assert keys.owner.hex() == vector["signing_public"]
    assert keys.receiving.public_key().public_bytes_raw().hex() == vector["receiving_public"]
    assert keys.convergence.hex() == vector["convergence"]
    assert keys.catalog.hex() == vector["catalog"]


def test_a_device_key_names_its_node() -> None:
    assert DeviceKey(bytes.fromhex(VECTORS["device"]["seed"])).node.hex() == VECTORS["device"]["node"]


@pytest.mark.parametrize("vector", VECTORS["derive"])
def test_derive(vector: dict[str, str]) -> None:
    key = derive(bytes.fromhex(vector["secret"]), Label[vector["label"]], salt=bytes.fromhex(vector["salt"]))
    assert key.hex() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["length_prefixed"])
def test_length_prefixed(vector: dict[str, Any]) -> None:
    assert length_prefixed(*map(bytes.fromhex, vector["parts"])).hex() == vector["bytes"]


def test_a_signature_holds() -> None:
    vector = VECTORS["signature"]
    keys = OwnerKeys.from_entropy(bytes.fromhex(VECTORS["owner"]["entropy"]))
    assert keys.signing.sign(bytes.fromhex(vector["message"])).hex() == vector["signature"]
    verify(*(bytes.fromhex(vector[field]) for field in ("public", "message", "signature")))


@pytest.mark.parametrize("vector", VECTORS["signature_fails"], ids=lambda vector: vector["why"])
def test_a_wrong_signature_is_refused(vector: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        verify(*(bytes.fromhex(vector[field]) for field in ("public", "message", "signature")))


def test_representations_show_no_secret() -> None:
    entropy = bytes.fromhex(VECTORS["owner"]["entropy"])
    keys = OwnerKeys.from_entropy(entropy)
    shown = repr(keys) + repr(keys.signing)
    for secret in (entropy, keys.convergence, keys.catalog, derive(entropy, Label.OWNER_SIGNING)):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_signed_kinds_have_their_labels_from_the_table() -> None:
    kinds = [label.removeprefix("capsa/1 sign ") for label in Label if label.startswith("capsa/1 sign ")]
    assert "founding" in kinds
    assert all(signature_label(kind) == Label[f"SIGN_{kind.upper()}"] for kind in kinds)
