"""The secret of a private put, sealed to its owner for as long as the put is under way."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from capsa.core.ids import ClaimId
from capsa.core.keys import Label, OwnerKeys, derive
from capsa.errors import IntegrityError

SECRET_SIZE: Final = 32
_NONCE: Final = bytes(12)
"""Constant: each claim id is drawn together with the one secret that its key ever seals."""


def seal_secret(keys: OwnerKeys, claim: ClaimId, secret: bytes) -> bytes:
    """Seal a put's secret under the claim id that was drawn with it; 48 bytes."""
    assert len(secret) == SECRET_SIZE
    return _aead(keys, claim).encrypt(_NONCE, secret, Label.PRIVATE_SECRET.encode())


def open_secret(keys: OwnerKeys, claim: ClaimId, sealed: bytes) -> bytes:
    """The secret that was sealed under this claim id; `IntegrityError` if it does not open."""
    try:
        return _aead(keys, claim).decrypt(_NONCE, sealed, Label.PRIVATE_SECRET.encode())
    except (InvalidTag, ValueError):
        raise IntegrityError(
            "The secret of an unfinished private put does not open.", "Put the file under another key."
        ) from None


def _aead(keys: OwnerKeys, claim: ClaimId) -> AESGCM:
    return AESGCM(derive(keys.catalog, Label.PRIVATE_SECRET, salt=claim))
