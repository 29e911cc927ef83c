"""The recovery phrase: an owner's 32 bytes of entropy as 24 English words (BIP-39), and back.

No error repeats a word: which ones there are is the secret.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from mnemonic import Mnemonic

from capsa.core.kit import PHRASE_WORDS
from capsa.errors import UsageError

PHRASE_SIZE_MAX: Final = 4096
"""Bytes of a text that holds one, numbers and line breaks included."""
_LANGUAGE: Final = "english"


def wordlist() -> Collection[str]:
    """The words that phrases are made of."""
    return list(Mnemonic(_LANGUAGE).wordlist)


def phrase_of(entropy: bytes) -> str:
    """The phrase, words separated by single spaces."""
    return Mnemonic(_LANGUAGE).to_mnemonic(entropy)


def entropy_of(words: Sequence[str]) -> bytes:
    """Inverse of `phrase_of`, for words as `split_phrase` gives them.

    Raises `UsageError`, which says how many words there are, where an unknown one stands, or that their checksum
    fails.
    """
    if len(words) != PHRASE_WORDS:
        raise UsageError(
            f"A recovery phrase has {PHRASE_WORDS} words, and this has {len(words)}.", "Compare it with what you kept."
        )
    mnemonic = Mnemonic(_LANGUAGE)
    known = frozenset(mnemonic.wordlist)
    unknown = [str(place) for place, word in enumerate(words, 1) if word not in known]
    if unknown:
        places = f"Word {unknown[0]}" if len(unknown) == 1 else f"Words {', '.join(unknown[:-1])} and {unknown[-1]}"
        verb = "is" if len(unknown) == 1 else "are"
        raise UsageError(
            f"{places} of the recovery phrase {verb} not among the words that phrases are made of.",
            "Compare the spelling with what you kept.",
        )
    phrase = " ".join(words)
    if not mnemonic.check(phrase):
        raise UsageError(
            "The words of the recovery phrase do not belong together: its checksum fails.",
            "One of them is another word, or they stand in another order: compare them with what you kept.",
        )
    return bytes(mnemonic.to_entropy(phrase))
