"""The key table: every label of a hash, key or signature, and the keys of an owner and of a device.

The labels are frozen by `tests/vectors/`; nothing else in capsa spells one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from capsa.core.ids import ID_SIZE, NodeId, OwnerId
from capsa.errors import SignatureError

ENTROPY_SIZE = 32


class Label(StrEnum):
    """Every label, in one table."""

    # Keys derived from the owner's entropy (HKDF info).
    OWNER_SIGNING = "capsa/1 owner signing"
    OWNER_RECEIVING = "capsa/1 owner receiving"
    OWNER_CONVERGENCE = "capsa/1 owner convergence"
    OWNER_CATALOG = "capsa/1 owner catalog"
    # Sealing (keyed BLAKE3 and AEAD aad).
    SEAL_CHUNK = "capsa/1 seal chunk"
    SEAL_PAGE = "capsa/1 seal page"
    SEAL_CATALOG_PAGE = "capsa/1 seal catalog page"
    # Keys derived from the catalog key (HKDF info) and the aad of what they seal.
    CATALOG_ROOT = "capsa/1 catalog root"
    PRIVATE_SECRET = "capsa/1 private secret"
    # The key under which a home's journal hashes the keys of open puts (HKDF info, from the catalog key).
    OPEN_PUT = "capsa/1 open put"
    # The key under which it hashes what files looked like when they were put (HKDF info, from the catalog key).
    FILE_STAMP = "capsa/1 file stamp"
    # The aad under which a passphrase's key seals the owner's entropy.
    KEYSTORE = "capsa/1 keystore"
    # Signatures; the kind of a signed value is the last word.
    SIGN_FOUNDING = "capsa/1 sign founding"
    SIGN_GRANT = "capsa/1 sign grant"
    SIGN_ADMISSION = "capsa/1 sign admission"
    SIGN_REVOCATION = "capsa/1 sign revocation"
    SIGN_CERTIFICATE = "capsa/1 sign certificate"
    SIGN_RECORD = "capsa/1 sign record"
    SIGN_CLAIM = "capsa/1 sign claim"
    SIGN_RELEASE = "capsa/1 sign release"
    SIGN_RECEIPT = "capsa/1 sign receipt"
    SIGN_HEAD = "capsa/1 sign head"
    SIGN_SESSION = "capsa/1 sign session"
    SIGN_CONSENT = "capsa/1 sign consent"
    SIGN_PRESENCE = "capsa/1 sign presence"
    # Hashes.
    HAVE_PROOF = "capsa/1 have proof"
    PLACEMENT = "capsa/1 placement"
    RECORD_HEADER = "capsa/1 segment record header"
    TEXT_CHECKSUM = "capsa/1 text checksum"
    # The Noise prologue, followed by the network id.
    PROLOGUE = "capsa/1"


def signature_label(kind: str) -> str:
    """The label under which a signed value of this kind is signed; a kind of a later version has one too."""
    return f"capsa/1 sign {kind}"


def derive(secret: bytes, label: Label, *, salt: bytes = b"") -> bytes:
    """32 bytes by HKDF-SHA256 (RFC 5869) with the label as info."""
    return HKDF(SHA256(), length=32, salt=salt or None, info=label.encode()).derive(secret)


def length_prefixed(*parts: bytes) -> bytes:
    """The parts, each behind its length (4 bytes, big-endian), so that no two lists of parts collide."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


class SigningKey(Protocol):
    """Whoever can sign: an owner, a device, a one-time invite key."""

    @property
    def public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature (RFC 8032), 64 bytes."""
        ...


class Ed25519Key:
    """An Ed25519 key from its 32-byte seed; its representation shows the public half only."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key().public_bytes_raw()

    @property
    def public(self) -> bytes:
        return self._public

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"Ed25519Key(public={self._public.hex()})"


class DeviceKey(Ed25519Key):
    """The key of a home: random, never derived from the owner's entropy."""

    @property
    def node(self) -> NodeId:
        return NodeId(self.public)


@dataclass(frozen=True, slots=True, repr=False)
class OwnerKeys:
    """Everything that an owner's entropy opens."""

    signing: Ed25519Key
    receiving: X25519PrivateKey
    convergence: bytes
    catalog: bytes

    @classmethod
    def from_entropy(cls, entropy: bytes) -> OwnerKeys:
        """The keys of an owner; `entropy` is the 32-byte BIP-39 entropy."""
        assert len(entropy) == ENTROPY_SIZE
        return cls(
            signing=Ed25519Key(derive(entropy, Label.OWNER_SIGNING)),
            receiving=X25519PrivateKey.from_private_bytes(derive(entropy, Label.OWNER_RECEIVING)),
            convergence=derive(entropy, Label.OWNER_CONVERGENCE),
            catalog=derive(entropy, Label.OWNER_CATALOG),
        )

    @property
    def owner(self) -> OwnerId:
        return OwnerId(self.signing.public)

    def __repr__(self) -> str:
        return f"OwnerKeys(owner={self.owner.hex()})"


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise `SignatureError` unless `signature` is `public`'s Ed25519 signature of `message`."""
    if len(public) != ID_SIZE:
        raise SignatureError("A public key has the wrong length.")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureError("A signature does not hold.") from None
