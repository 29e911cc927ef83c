"""The keystore: frozen, opened by the right passphrase alone, and never a way to take somebody's memory."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsa.core import keystore as module
from capsa.core.ids import OwnerId
from capsa.core.keys import OwnerKeys
from capsa.core.keystore import (
    PASSPHRASE_SIZE_MAX,
    STANDARD,
    Hardness,
    Keystore,
    OpenKeystore,
    SealedKeystore,
    check_passphrase,
    parse_keystore,
)
from capsa.errors import CapsaError, HomeError, LockedError, UsageError, from_wire

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "keystore.json").read_text())
ENTROPY = bytes.fromhex(VECTORS["entropy"])
OWNER = OwnerKeys.from_entropy(ENTROPY).owner
LIGHT = Hardness(memory_kib=8, passes=1, lanes=1)


def seal(passphrase: str = "open sesame", salt: bytes = bytes(16)) -> SealedKeystore:
    return SealedKeystore.seal(ENTROPY, passphrase, owner=OWNER, salt=salt, hardness=LIGHT)


def reveal(keystore: Keystore, owner: OwnerId, passphrase: str | None) -> bytes:
    if isinstance(keystore, OpenKeystore):
        return keystore.reveal(owner)
    assert passphrase is not None
    return keystore.reveal(owner, passphrase)


@pytest.mark.parametrize("vector", VECTORS["opens"], ids=lambda vector: vector["why"])
def test_keystores_are_frozen(vector: dict[str, Any]) -> None:
    stored = json.dumps(vector["keystore"]).encode()
    keystore = parse_keystore(stored)
    assert reveal(keystore, OWNER, vector["passphrase"]) == ENTROPY
    assert keystore.encode() == stored
    if isinstance(keystore, SealedKeystore):
        again = SealedKeystore.seal(
            ENTROPY, vector["passphrase"], owner=OWNER, salt=keystore.salt, hardness=keystore.hardness
        )
        assert again == keystore


@pytest.mark.parametrize("vector", VECTORS["fails"], ids=lambda vector: vector["why"])
def test_a_keystore_opens_for_nobody_else(vector: dict[str, Any]) -> None:
    keystore = parse_keystore(json.dumps(vector["keystore"]).encode())
    with pytest.raises(CapsaError) as caught:
        reveal(keystore, OwnerId(bytes.fromhex(vector["owner"])), vector["passphrase"])
    assert type(caught.value) is type(from_wire(vector["kind"], ""))
    assert caught.value.hint


@pytest.mark.parametrize("vector", VECTORS["unread"], ids=lambda vector: vector["why"])
def test_what_is_no_keystore_is_refused_unopened(vector: dict[str, str]) -> None:
    with pytest.raises(CapsaError) as caught:
        parse_keystore(vector["text"].encode())
    assert type(caught.value) is type(from_wire(vector["kind"], ""))
    assert caught.value.hint


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_keystore_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises((HomeError, LockedError)):
        parse_keystore(data)


def test_absurd_parameters_are_told_and_never_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keystore must not be able to take all memory of the machine: it is refused before Argon2 hears of it."""
    monkeypatch.delattr(module, "Argon2id")
    absurd = SealedKeystore(Hardness(memory_kib=2**31, passes=1, lanes=1), bytes(16), bytes(48))
    with pytest.raises(HomeError, match="2147483648 KiB"):
        parse_keystore(absurd.encode())
    with pytest.raises(HomeError, match="2147483648 KiB"):
        absurd.reveal(OWNER, "open sesame")


def test_hardness_is_what_rfc_9106_recommends_second() -> None:
    assert Hardness(memory_kib=65536, passes=3, lanes=4) == STANDARD


def test_a_new_salt_makes_another_keystore() -> None:
    assert seal(salt=bytes(16)).sealed != seal(salt=bytes(15) + b"\1").sealed


def test_too_little_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(**_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "Argon2id", starved)
    with pytest.raises(CapsaError, match="not enough memory for the passphrase: it takes 64 MiB"):
        SealedKeystore.seal(ENTROPY, "p", owner=OWNER, salt=bytes(16))


@pytest.mark.parametrize(
    "text",
    ["", "a" * (PASSPHRASE_SIZE_MAX + 1), "ä" * (PASSPHRASE_SIZE_MAX // 2 + 1), "\U0001d15e" * 1000, "\udcff"],
    ids=["empty", "letters", "two bytes a letter", "longer in its normal form", "no Unicode"],
)
def test_unfit_passphrases_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_passphrase(text)
    assert caught.value.hint
    assert not text or text[:20] not in str(caught.value)


@pytest.mark.parametrize("text", ["a", "a" * PASSPHRASE_SIZE_MAX, " lead and trail ", "zwei\nZeilen", "\x00", "🐎"])
def test_all_other_passphrases_are_taken_as_they_are(text: str) -> None:
    assert check_passphrase(text) == unicodedata.normalize("NFC", text).encode()


def test_representations_show_no_secret() -> None:
    shown = repr(OpenKeystore(ENTROPY)) + repr(seal()) + repr(parse_keystore(OpenKeystore(ENTROPY).encode()))
    assert ENTROPY.hex() not in shown
    assert repr(ENTROPY)[2:-1] not in shown
