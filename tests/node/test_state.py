"""`state.db`: what it was told, it knows after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from capsa.core.ids import ClaimId, NodeId
from capsa.errors import ChangedError, DiskError, HomeError, NoSpaceError
from capsa.node.state import OpenPut, ShortClaim, State
from capsa.stores.disk import SystemDisk

NAME, OTHER = b"n" * 32, b"o" * 32
CLAIM, FRESH, THIRD = ClaimId(b"c" * 16), ClaimId(b"f" * 16), ClaimId(b"t" * 16)
Reopen = Callable[[], State]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Reopen]:
    """The state as it is on disk, opened anew at each call."""
    opened: list[State] = []

    def again() -> State:
        if opened:
            opened.pop().close()
        opened.append(State.open(SystemDisk(tmp_path)))
        return opened[0]

    yield again
    opened[0].close()


def test_numbers_only_grow(reopen: Reopen) -> None:
    told = [reopen().next_number("sequence") for _ in range(3)]
    told.append(reopen().next_number("sequence", 100))
    told.append(reopen().next_number("sequence", 7))
    assert told == [1, 2, 3, 101, 102]
    assert reopen().next_number("incarnation") == 1


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    database = SystemDisk(tmp_path).database("state.db", durable=True)
    database.pragma("user_version", 2)
    with pytest.raises(HomeError, match="newer"):
        State(database)
    database.close()


def test_an_open_put_keeps_its_claim_id_and_what_was_committed(reopen: Reopen) -> None:
    assert reopen().open_puts([NAME, OTHER], [CLAIM, THIRD], 1.0) == [OpenPut(CLAIM), OpenPut(THIRD)]
    reopen().note_items([(CLAIM, 1, b"second"), (CLAIM, 0, b"first"), (FRESH, 0, b"of no open put")], 1.0)
    assert reopen().open_puts([NAME], [FRESH], 2.0) == [OpenPut(CLAIM, (b"first", b"second"))]
    reopen().publish(b"digest", b"head", [CLAIM])
    assert reopen().open_puts([NAME], [FRESH], 3.0) == [OpenPut(FRESH)]
    assert reopen().stale_puts(0.0) == []


def test_what_was_replaced_is_stale_from_then_on_unless_it_is_reprieved(reopen: Reopen) -> None:
    reopen().retire([CLAIM, THIRD], 10.0)
    assert reopen().stale_puts(before=10.0) == []
    reopen().reprieve([THIRD])
    assert reopen().stale_puts(before=11.0) == [CLAIM]


def test_what_was_forgotten_or_never_finished_is_stale_until_it_is_released(reopen: Reopen) -> None:
    reopen().open_puts([NAME, OTHER], [CLAIM, THIRD], 10.0)
    reopen().forget_puts([NAME])
    assert reopen().stale_puts(before=5.0) == []
    assert sorted(reopen().stale_puts(before=11.0)) == [CLAIM, THIRD]
    assert sorted(reopen().stale_puts(before=11.0)) == [CLAIM, THIRD]
    reopen().release(b"digest", b"signed", [CLAIM], [])
    assert reopen().stale_puts(before=11.0) == [THIRD]


def test_no_head_records_what_may_be_released(reopen: Reopen) -> None:
    reopen().open_puts([NAME, OTHER], [CLAIM, THIRD], 10.0)
    reopen().stale_puts(before=11.0)
    for gone in (CLAIM, FRESH):
        with pytest.raises(ChangedError, match="given up"):
            reopen().publish(b"digest", b"head", [gone])
    assert reopen().known()[2] == []


def test_what_another_command_only_forgot_is_still_recorded(reopen: Reopen) -> None:
    reopen().open_puts([NAME], [CLAIM], 10.0)
    reopen().forget_puts([NAME])
    reopen().publish(b"digest", b"head", [CLAIM])
    assert reopen().stale_puts(before=11.0) == []
    assert reopen().known()[2] == [b"head"]


def test_a_put_that_goes_on_does_not_become_stale(reopen: Reopen) -> None:
    reopen().open_puts([NAME], [CLAIM], 10.0)
    reopen().note_items([(CLAIM, 0, b"a part")], 20.0)
    assert reopen().stale_puts(before=15.0) == []
    assert reopen().open_puts([NAME], [FRESH], 21.0) == [OpenPut(CLAIM, (b"a part",))]


def test_the_last_item_of_a_long_file_does_not_hide_its_first(reopen: Reopen) -> None:
    reopen().open_puts([NAME], [CLAIM], 10.0)
    reopen().note_items([(CLAIM, 0, b"first")], 10.0)
    reopen().note_items([(CLAIM, 0, b"last, with those of others")], 10.0)
    assert reopen().open_puts([NAME], [FRESH], 11.0) == [OpenPut(CLAIM, (b"first",))]


def test_what_is_short_is_known_by_part_and_by_claim(reopen: Reopen) -> None:
    def line(claim: bytes, durable: int) -> ShortClaim:
        return ShortClaim(ClaimId(claim), durable, 4)

    reopen().mark_short(b"part", [line(CLAIM, 1), line(FRESH, 1)])
    reopen().mark_short(b"next", [line(CLAIM, 1)])
    state = reopen()
    assert sorted(state.short_parts()) == [b"next", b"part"] and state.short_count() == 2
    state.settle(b"part", [line(CLAIM, 3)])
    state = reopen()
    assert state.short_claim(CLAIM) == line(CLAIM, 1) and state.short_claim(FRESH) is None
    state.settle(b"next", [])
    state = reopen()
    assert state.short_claim(CLAIM) == line(CLAIM, 3) and state.short_parts() == [b"part"]
    state.release(b"digest", b"signed", [CLAIM], [])
    assert reopen().short_parts() == []


def test_what_was_released_while_it_was_completed_is_not_short_again(reopen: Reopen) -> None:
    lines = [ShortClaim(ClaimId(claim), 1, 4) for claim in (CLAIM, FRESH)]
    reopen().mark_short(b"part", lines)
    reopen().release(b"digest", b"signed", [CLAIM], [])
    reopen().settle(b"part", lines)
    assert reopen().short_claims(b"part") == [FRESH]


def test_releases_wait_for_each_node(reopen: Reopen) -> None:
    ann, bob = NodeId(b"a" * 32), NodeId(b"b" * 32)
    reopen().release(b"digest", b"signed", [CLAIM], [ann, bob])
    reopen().release_sent(b"digest", ann)
    state = reopen()
    assert state.queued_releases(ann) == [] and state.queued_releases(bob) == [(b"digest", b"signed")]


def test_a_database_that_is_none_is_a_damaged_home(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(HomeError, match="damaged"):
        State.open(SystemDisk(tmp_path))


@pytest.mark.parametrize(("free", "expected"), [(0, NoSpaceError), (10**9, DiskError)])
def test_a_disk_that_does_not_let_it_be_opened_is_full_or_failing(
    tmp_path: Path, free: int, expected: type[Exception]
) -> None:
    class Disk(SystemDisk):
        def space(self) -> tuple[int, int]:
            return free, 10**10

        def database(self, name: str, *, durable: bool) -> apsw.Connection:
            raise apsw.IOError("disk I/O error")

    with pytest.raises(expected):
        State.open(Disk(tmp_path))


def test_a_private_puts_secret_is_kept_as_long_as_the_put_is_open(reopen: Reopen) -> None:
    sealed, other = b"s" * 48, b"o" * 48
    assert reopen().open_puts([NAME], [CLAIM], 1.0, [sealed]) == [OpenPut(CLAIM, (), sealed)]
    assert reopen().open_puts([NAME], [FRESH], 2.0, [other]) == [OpenPut(CLAIM, (), sealed)]
    reopen().forget_puts([NAME])
    assert reopen().open_puts([NAME], [FRESH], 3.0, [other]) == [OpenPut(FRESH, (), other)]
    reopen().publish(b"d" * 32, b"head", [FRESH])
    assert reopen().open_puts([NAME], [THIRD], 4.0, [sealed]) == [OpenPut(THIRD, (), sealed)]


def test_a_stamp_is_recalled_until_another_takes_its_place(reopen: Reopen) -> None:
    one, two = b"1" * 32, b"2" * 32
    reopen().remember([NAME, OTHER], [one, two])
    assert reopen().recall([OTHER, NAME, NAME], [two, two, one]) == [0, 2]
    reopen().remember([NAME], [two])
    assert reopen().recall([NAME, NAME, bytes(32)], [one, two, one]) == [1]
