"""Memory for bulk messages: lent out once at a time, kept within bounds."""

from __future__ import annotations

from capsa.net.memory import KEPT_MAX, SIZE_MAX, BulkMemory

MIB = 1024 * 1024


def test_what_somebody_still_looks_at_is_not_lent_again() -> None:
    memory = BulkMemory()
    first = memory.take(MIB)
    first[:] = b"a" * MIB
    part = first[10:20]
    del first
    memory.take(MIB)[:] = b"b" * MIB
    assert bytes(part) == b"a" * 10


def test_what_nobody_looks_at_any_more_is_lent_again() -> None:
    memory = BulkMemory()
    first = memory.take(MIB)
    owner = id(first.obj)
    del first
    assert id(memory.take(MIB - 30).obj) == owner


def test_memory_has_the_size_that_was_asked_for() -> None:
    memory = BulkMemory()
    for size in (1, MIB, MIB - 77, MIB + 77, SIZE_MAX, SIZE_MAX + 1):
        assert len(memory.take(size)) == size


def test_more_than_is_kept_is_still_lent() -> None:
    memory = BulkMemory()
    lent = [memory.take(MIB) for _ in range(2 * KEPT_MAX)]
    assert len({id(view.obj) for view in lent}) == 2 * KEPT_MAX
