"""Membership by silence: every row is what was heard when, and what follows."""

from __future__ import annotations

import pytest

from capsa.core.ids import NodeId
from capsa.core.membership import Membership, Settings, State, StateChanged
from capsa.core.statements import NodeRecord

ME, A, B = (NodeId(name * 32) for name in (b"m", b"a", b"b"))
OWNER = b"o" * 32
HOUR = 3600.0


def record(incarnation: int = 1) -> NodeRecord:
    return NodeRecord(OWNER, (), 10**9, 10**9, "", False, incarnation, "")


def states(table: Membership, now: float) -> dict[NodeId, State]:
    return {view.node: view.state for view in table.view(now)}


def run(table: Membership, start: float, end: float, step: float = 1.0, hearing: tuple[NodeId, ...] = ()) -> None:
    """Tick from `start` to `end`, while `hearing` these nodes."""
    for tick in range(int(start / step), int(end / step) + 1):
        for node in hearing:
            table.heard(node, tick * step)
        table.tick(tick * step)


@pytest.mark.parametrize(
    ("silence", "state", "pinged"),
    [
        (0.0, State.ALIVE, False),
        (1.9, State.ALIVE, False),
        (2.0, State.ALIVE, True),
        (5.9, State.ALIVE, True),
        (6.0, State.SUSPECT, True),
        (14.9, State.SUSPECT, True),
        (15.0, State.GONE, True),
    ],
)
def test_silence_decides(silence: float, state: State, pinged: bool) -> None:
    table = Membership(ME)
    table.heard(A, 100.0)
    table.tick(100.0)
    step = table.tick(100.0 + silence)
    assert states(table, 100.0 + silence) == {A: state}
    assert (step.pings == [A]) is pinged
    assert step.events == ([] if state is State.ALIVE else [StateChanged(A, state)])


def test_a_learnt_node_is_suspect_and_tried_at_once_until_it_is_heard() -> None:
    table = Membership(ME)
    table.learn(A, record(), 10.0)
    assert states(table, 10.0) == {A: State.SUSPECT}
    assert table.tick(10.0).pings == [A]
    table.heard(A, 10.5)
    step = table.tick(10.5)
    assert (step.pings, step.events) == ([], [StateChanged(A, State.ALIVE)])


def test_a_learnt_node_that_never_answers_is_gone() -> None:
    table = Membership(ME)
    table.learn(A, record(), 0.0)
    assert table.tick(15.0).events == [StateChanged(A, State.GONE)]
    (view,) = table.view(15.0)
    assert view.seen_age_s is None and view.owner == OWNER


def test_pings_repeat_at_their_interval_and_more_rarely_to_the_gone() -> None:
    table = Membership(ME)
    table.heard(A, 0.0)
    pinged = [now for now in range(60) if table.tick(float(now)).pings]
    assert pinged == [2, 4, 6, 8, 10, 12, 14, 24, 34, 44, 54]


def test_a_lost_session_is_suspect_at_once_and_pinged_again() -> None:
    table = Membership(ME)
    table.heard(A, 0.0)
    table.tick(0.0)
    table.lost(A, 0.5)
    assert states(table, 0.5) == {A: State.SUSPECT}
    step = table.tick(0.5)
    assert (step.pings, step.events) == ([A], [StateChanged(A, State.SUSPECT)])
    table.heard(A, 0.7)
    assert table.tick(0.7).events == [StateChanged(A, State.ALIVE)]
    table.lost(B, 0.7)
    assert B not in states(table, 0.7)


def test_losing_the_session_of_a_node_that_is_gone_changes_nothing() -> None:
    table = Membership(ME)
    table.heard(A, 0.0)
    table.tick(20.0)
    table.lost(A, 20.0)
    assert table.tick(20.5).events == []
    assert states(table, 20.5) == {A: State.GONE}


def test_a_gone_node_comes_back() -> None:
    table = Membership(ME)
    table.heard(A, 0.0)
    table.tick(20.0)
    table.heard(A, 21.0)
    assert table.tick(21.0).events == [StateChanged(A, State.ALIVE)]


def test_a_newer_record_of_a_gone_node_makes_it_worth_a_try() -> None:
    table = Membership(ME)
    table.learn(A, record(1), 0.0)
    assert table.tick(20.0).pings == [A]
    table.learn(A, record(1), 21.0)
    assert table.tick(21.0).pings == []
    table.learn(A, record(2), 22.0)
    assert table.tick(22.0).pings == [A]


def test_an_older_record_changes_nothing() -> None:
    table = Membership(ME)
    for incarnation in (2, 1):
        table.learn(A, record(incarnation), 0.0)
    (view,) = table.view(0.0)
    assert view.record == record(2)


def test_it_never_lists_itself() -> None:
    table = Membership(ME)
    table.learn(ME, record(), 0.0)
    table.heard(ME, 0.0)
    assert table.view(0.0) == [] and table.tick(30.0).pings == []


def test_a_view_tells_ages() -> None:
    table = Membership(ME)
    table.heard(B, 1.0)
    table.learn(A, record(), 2.0)
    table.heard(A, 3.0)
    first, second = table.view(4.5)
    assert (first.node, first.owner, first.seen_age_s, first.record) == (A, OWNER, 1.5, record())
    assert (second.node, second.owner, second.seen_age_s, second.record) == (B, None, 3.5, None)


SETTINGS = Settings(absent_after_s=HOUR)


def test_absence_counts_while_another_member_is_reached() -> None:
    table = Membership(ME, SETTINGS)
    table.heard(A, 0.0)
    run(table, 0, HOUR, hearing=(B,))
    assert table.absent() == set()
    run(table, HOUR + 1, HOUR + 10, hearing=(B,))
    assert table.absent() == {A}
    table.heard(A, HOUR + 11)
    assert table.absent() == set() and table.absences() == {}


def test_absence_does_not_count_while_nobody_is_reached() -> None:
    table = Membership(ME, SETTINGS)
    table.heard(A, 0.0)
    table.heard(B, 0.0)
    run(table, 0, 3 * HOUR)
    assert table.absences() == {}


def test_absence_does_not_count_while_we_slept() -> None:
    table = Membership(ME, SETTINGS)
    table.heard(A, 0.0)
    run(table, 0, 60, hearing=(B,))
    before = table.absences()[A]
    run(table, 20 * HOUR, 20 * HOUR + 10, hearing=(B,))
    assert table.absences()[A] == before + 10


def test_absence_is_kept_across_a_restart() -> None:
    table = Membership(ME, SETTINGS)
    table.heard(A, 0.0)
    run(table, 0, HOUR - 100, hearing=(B,))
    again = Membership(ME, SETTINGS, table.absences())
    again.learn(A, record(), 5.0)
    assert again.absent() == set()
    run(again, 5, 200, hearing=(B,))
    assert again.absent() == {A}


def test_whoever_is_no_member_is_forgotten() -> None:
    table = Membership(ME, SETTINGS, {A: 2 * HOUR})
    table.heard(B, 0.0)
    assert table.absent() == {A}
    for node in (A, B, B):
        table.forget(node)
    assert table.absent() == set() and table.view(0.0) == []
