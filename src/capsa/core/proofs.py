"""Proofs of possession: a node shows that it holds a block without sending it.

The asker names a fresh nonce; the holder hashes 4 KiB of the block from an offset that the nonce decides, under
a key made of the nonce and its own id, so that no answer can be prepared, replayed or borrowed from another
holder. Whoever keeps only a part of a block passes with at most that part's share of luck.
"""

from __future__ import annotations

import hmac
from typing import Final

from blake3 import blake3

from capsa.core.ids import BlockId, Buffer, NodeId
from capsa.core.keys import Label, length_prefixed

SAMPLE_SIZE: Final = 4096
PROOF_SIZE: Final = 32

_LABEL: Final = Label.HAVE_PROOF.encode()


def sample_offset(nonce: bytes, block: BlockId) -> int:
    """Where the sample begins, below 2^63; to be taken modulo the block's length (`BlockStore.sample` does).

    It does not depend on the holder, so that one sample serves to check the proofs of several.
    """
    digest = blake3(length_prefixed(_LABEL, b"offset", nonce, block)).digest(8)
    return int.from_bytes(digest, "big") >> 1


def proof(nonce: bytes, holder: NodeId, block: BlockId, sample: Buffer, length: int) -> bytes:
    """The 32-byte proof over the up to `SAMPLE_SIZE` bytes at `sample_offset` of a block of `length` bytes."""
    key = blake3(length_prefixed(_LABEL, b"key", nonce, holder)).digest()
    return blake3(length_prefixed(block, length.to_bytes(8, "big"), bytes(sample)), key=key).digest()


def proves(given: bytes, nonce: bytes, holder: NodeId, block: BlockId, sample: Buffer, length: int) -> bool:
    """Whether `given` is `holder`'s proof; `sample` and `length` are of the asker's own copy."""
    return hmac.compare_digest(given, proof(nonce, holder, block, sample, length))
