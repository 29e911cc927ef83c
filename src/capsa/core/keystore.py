"""The keystore: an owner's entropy at rest, in the open or sealed under a passphrase (docs/format.md).

The passphrase is stretched by Argon2id (RFC 9106), and what comes out seals the entropy. Where the keystore lies, and
who asks for the passphrase, is not told here.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from capsa.core.ids import OwnerId, from_base32, to_base32
from capsa.core.keys import ENTROPY_SIZE, Label, OwnerKeys, length_prefixed
from capsa.errors import CapsaError, HomeError, LockedError, UsageError

KEYSTORE_SIZE_MAX: Final = 4096
"""Bytes of a keystore."""
PASSPHRASE_SIZE_MAX: Final = 4096
"""Bytes of a passphrase in UTF-8."""
SALT_SIZE: Final = 16

_VERSION: Final = 1
_OPEN: Final = "none"
_SEALED: Final = "argon2id"
_SALT_SIZE_MAX: Final = 64
_KEY_SIZE: Final = 32
_TAG_SIZE: Final = 16
_NONCE: Final = bytes(12)
"""A key seals once: it comes from a salt that is drawn anew whenever a keystore is made."""
_MEMORY_KIB_MAX: Final = 1024 * 1024
_PASSES_MAX: Final = 16
_LANES_MAX: Final = 16
_WORK_KIB_MAX: Final = 4 * 1024 * 1024
"""Memory times passes: some seconds on a small machine."""
_MEMORY_KIB_A_LANE: Final = 8
"""The least that Argon2 works with (RFC 9106, section 3.1)."""
_PHRASE_HINT: Final = "Restore the file from a backup of this home; with the recovery phrase a new home can be made."


@dataclass(frozen=True, slots=True)
class Hardness:
    """What one guess at a passphrase costs: KiB of memory, passes over it, lanes that may work at once."""

    memory_kib: int
    passes: int
    lanes: int

    def check(self) -> None:
        """Raise `HomeError` unless Argon2 can do it, within bounds of memory and time."""
        if not (
            0 < self.lanes <= _LANES_MAX
            and 0 < self.passes <= _PASSES_MAX
            and _MEMORY_KIB_A_LANE * self.lanes <= self.memory_kib <= _MEMORY_KIB_MAX
            and self.memory_kib * self.passes <= _WORK_KIB_MAX
        ):
            raise HomeError(
                f"The keystore asks for {self.memory_kib} KiB of memory, {self.passes} passes and {self.lanes} lanes, "
                "which no capsa writes.",
                _PHRASE_HINT,
            )


STANDARD: Final = Hardness(memory_kib=64 * 1024, passes=3, lanes=4)
"""The second recommended option of RFC 9106, section 4."""


@dataclass(frozen=True, slots=True, repr=False)
class OpenKeystore:
    """A keystore without a passphrase: whoever reads it has the keys."""

    entropy: bytes

    def reveal(self, owner: OwnerId) -> bytes:
        """The owner's entropy; `HomeError` if it is another's."""
        return _checked(self.entropy, owner)

    def encode(self) -> bytes:
        """The keystore as it is stored."""
        return json.dumps({"version": _VERSION, "kdf": _OPEN, "entropy": to_base32(self.entropy)}).encode()


@dataclass(frozen=True, slots=True)
class SealedKeystore:
    """A keystore that a passphrase opens. Everything in it, and whose it is, is authenticated."""

    hardness: Hardness
    salt: bytes
    sealed: bytes

    @classmethod
    def seal(
        cls, entropy: bytes, passphrase: str, *, owner: OwnerId, salt: bytes, hardness: Hardness = STANDARD
    ) -> SealedKeystore:
        """Seal an owner's entropy; `salt` is random, and used only once. Takes a tenth of a second and the memory.

        Raises `UsageError` if the passphrase is unfit, `CapsaError` if the memory is not there.
        """
        assert len(entropy) == ENTROPY_SIZE and SALT_SIZE <= len(salt) <= _SALT_SIZE_MAX
        key = _stretch(check_passphrase(passphrase), salt, hardness)
        return cls(hardness, salt, AESGCM(key).encrypt(_NONCE, entropy, _authenticated(hardness, salt, owner)))

    def reveal(self, owner: OwnerId, passphrase: str) -> bytes:
        """The owner's entropy. Takes as long as `seal`.

        Raises `LockedError` if the passphrase is wrong or anything was changed, `HomeError` if what is sealed is not
        this owner's, and what `seal` raises.
        """
        key = _stretch(check_passphrase(passphrase), self.salt, self.hardness)
        try:
            entropy = AESGCM(key).decrypt(_NONCE, self.sealed, _authenticated(self.hardness, self.salt, owner))
        except InvalidTag:
            raise LockedError(
                "This passphrase does not open the keys of this home.",
                "Try again; if you are sure of it, the keystore is damaged: restore keys/owner.json from a backup.",
            ) from None
        return _checked(entropy, owner)

    def encode(self) -> bytes:
        """The keystore as it is stored."""
        value = {
            "version": _VERSION,
            "kdf": _SEALED,
            "memory_kib": self.hardness.memory_kib,
            "passes": self.hardness.passes,
            "lanes": self.hardness.lanes,
            "salt": to_base32(self.salt),
            "sealed": to_base32(self.sealed),
        }
        return json.dumps(value).encode()


Keystore: TypeAlias = OpenKeystore | SealedKeystore


class _Kind(msgspec.Struct):
    """What every keystore has, whichever version wrote it."""

    version: int
    kdf: str


class _Open(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    kdf: Literal["none"]
    entropy: str

    def __repr__(self) -> str:
        return "_Open()"


class _Sealed(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    kdf: Literal["argon2id"]
    memory_kib: int
    passes: int
    lanes: int
    salt: str
    sealed: str


def parse_keystore(data: bytes) -> Keystore:
    """The keystore in these bytes; no memory is taken and no time spent on what it asks for.

    Raises `LockedError` on a version or a kdf that this capsa does not know, `HomeError` on a damaged keystore and on
    one that asks for absurd amounts of memory or time.
    """
    if len(data) > KEYSTORE_SIZE_MAX:
        raise _damaged()
    try:
        kind = msgspec.json.decode(data, type=_Kind)
        if (kind.version, kind.kdf) not in ((_VERSION, _OPEN), (_VERSION, _SEALED)):
            raise LockedError("The keys of this home are sealed in a way that this capsa cannot open.", "Update capsa.")
        if kind.kdf == _OPEN:
            return OpenKeystore(_sized(msgspec.json.decode(data, type=_Open).entropy, ENTROPY_SIZE, ENTROPY_SIZE))
        stored = msgspec.json.decode(data, type=_Sealed)
        salt = _sized(stored.salt, SALT_SIZE, _SALT_SIZE_MAX)
        sealed = _sized(stored.sealed, ENTROPY_SIZE + _TAG_SIZE, ENTROPY_SIZE + _TAG_SIZE)
    except ValueError:  # msgspec's errors are such, too
        raise _damaged() from None
    hardness = Hardness(stored.memory_kib, stored.passes, stored.lanes)
    hardness.check()
    return SealedKeystore(hardness, salt, sealed)


def check_passphrase(text: str) -> bytes:
    """The bytes that are stretched: UTF-8 of Unicode's normal form C, however a keyboard composed the letters.

    Raises `UsageError` if it is empty, longer than `PASSPHRASE_SIZE_MAX`, or no Unicode.
    """
    if not text:
        raise UsageError("An empty passphrase locks nothing.", "Choose one of several words.")
    too_long = UsageError(f"A passphrase has at most {PASSPHRASE_SIZE_MAX} bytes.", "Choose a shorter one.")
    if len(text) > PASSPHRASE_SIZE_MAX:
        raise too_long
    try:
        passphrase = unicodedata.normalize("NFC", text).encode()
    except UnicodeEncodeError:
        raise UsageError("The passphrase is not UTF-8.", "Give it in a terminal or a file that is.") from None
    if len(passphrase) > PASSPHRASE_SIZE_MAX:
        raise too_long
    return passphrase


def _stretch(passphrase: bytes, salt: bytes, hardness: Hardness) -> bytes:
    """The key of 32 bytes that a passphrase becomes."""
    hardness.check()
    try:
        return Argon2id(
            salt=salt,
            length=_KEY_SIZE,
            iterations=hardness.passes,
            lanes=hardness.lanes,
            memory_cost=hardness.memory_kib,
        ).derive(passphrase)
    except MemoryError:
        raise CapsaError(
            f"There is not enough memory for the passphrase: it takes {hardness.memory_kib // 1024} MiB.",
            "Close something else, then run the command again.",
        ) from None


def _authenticated(hardness: Hardness, salt: bytes, owner: OwnerId) -> bytes:
    numbers = (_VERSION, hardness.memory_kib, hardness.passes, hardness.lanes)
    version, memory, passes, lanes = (number.to_bytes(4, "big") for number in numbers)
    return length_prefixed(Label.KEYSTORE.encode(), version, _SEALED.encode(), memory, passes, lanes, salt, owner)


def _checked(entropy: bytes, owner: OwnerId) -> bytes:
    if len(entropy) != ENTROPY_SIZE or OwnerKeys.from_entropy(entropy).owner != owner:
        raise HomeError("The keystore of this home belongs to another owner.", _PHRASE_HINT)
    return entropy


def _sized(text: str, least: int, most: int) -> bytes:
    """Base32 of so many bytes; `ValueError`."""
    data = from_base32(text)
    if not least <= len(data) <= most:
        raise ValueError("wrong length")
    return data


def _damaged() -> HomeError:
    return HomeError("The keystore of this home is damaged.", _PHRASE_HINT)
