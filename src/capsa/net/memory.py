"""Memory for bulk messages, used over and over.

A fresh megabyte is zeroed by Python and faulted in by the kernel, which costs more than decrypting it. A buffer here
is lent as a view and is free again once no view of it is left: nobody has to give it back, and nobody who keeps a
view can lose it.
"""

from __future__ import annotations

import sys
from typing import Final

KEPT_MAX: Final = 16
"""Buffers that are kept; beyond that, memory is fresh and goes when it is dropped."""
SIZE_MIN: Final = 256 * 1024
SIZE_MAX: Final = 2 * 1024 * 1024
"""Smaller and larger messages are not worth keeping memory for."""
_ROUNDING: Final = 64 * 1024
_FREE_REFERENCES: Final = 3  # the list's, the loop variable's and that of the call that counts them


class BulkMemory:
    """Lends buffers. One for all sessions of a process, so that the bound is the process's."""

    def __init__(self) -> None:
        self._kept: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """Memory of `size` bytes, with anything in it."""
        if not SIZE_MIN <= size <= SIZE_MAX:
            return memoryview(bytearray(size))
        for buffer in self._kept:
            if len(buffer) >= size and sys.getrefcount(buffer) <= _FREE_REFERENCES:
                return memoryview(buffer)[:size]
        buffer = bytearray(-(-size // _ROUNDING) * _ROUNDING)
        if len(self._kept) < KEPT_MAX:
            self._kept.append(buffer)
        return memoryview(buffer)[:size]
