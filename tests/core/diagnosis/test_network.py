"""A node among others, judged by tables."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capsa.core.diagnosis.findings import Finding, Level
from capsa.core.diagnosis.network import (
    Answer,
    Peer,
    judge_answers,
    judge_copies,
    judge_damage,
    judge_keys_elsewhere,
    judge_membership,
    judge_own_addresses,
    judge_peers,
    judge_port,
)

OK, NOTE, WARNING, ERROR = Level


def own(*outcomes: str, reachable: str = "unknown") -> Finding:
    answers = [Answer("this node", f"tcp://a{number}:1", outcome) for number, outcome in enumerate(outcomes)]
    return judge_own_addresses(answers, listening=True, reachable=reachable)


def peers(*states: str, heard: bool = True) -> list[Peer]:
    return [Peer(f"node {number}", state, heard) for number, state in enumerate(states)]


@pytest.mark.parametrize(
    ("finding", "level", "says"),
    [
        (judge_port("tcp://a:1", problem=""), OK, "tcp://a:1"),
        (judge_port("tcp://a:1", problem="Address already in use"), ERROR, "already in use"),
        (judge_own_addresses([], listening=False, reachable="no"), NOTE, "does not listen"),
        (judge_own_addresses([], listening=True, reachable="no"), NOTE, "no address"),
        (own("expected"), NOTE, "no other node has dialled"),
        (own("silent", "expected"), NOTE, "no other node has dialled"),
        (own("expected", reachable="yes"), OK, "have dialled"),
        (own("silent", reachable="yes"), OK, "have dialled"),
        (own("silent", "silent"), WARNING, "tcp://a0:1, tcp://a1:1"),
        (own("expected", "other", reachable="yes"), ERROR, "tcp://a1:1, where somebody else"),
        (judge_membership(admitted=True, refusal="x"), OK, "member"),
        (judge_membership(admitted=False, refusal=""), WARNING, "admitted this home yet."),
        (judge_membership(admitted=False, refusal="Used up."), WARNING, "(Used up)."),
        (judge_copies(0), OK, "its copies"),
        (judge_copies(1), WARNING, "1 claim of this home is short"),
        (judge_copies(2), WARNING, "2 claims of this home are short"),
        (judge_damage(0), OK, "No damaged"),
        (judge_damage(1), ERROR, "1 block on this disk is damaged"),
    ],
)
def test_findings(finding: Finding, level: Level, says: str) -> None:
    assert finding.level is level
    assert says in finding.message
    assert finding.message.endswith(".")
    assert bool(finding.remedy) == (level in (WARNING, ERROR) or "answers at its own" in finding.message)


@pytest.mark.parametrize(
    ("known", "owners", "levels", "says"),
    [
        ([], 1, [WARNING], "this disk only"),
        (peers("alive", "alive"), 3, [OK], "2 other nodes answer"),
        (peers("alive"), 3, [OK, WARNING], "2 copies"),
        (peers("alive", "alive"), 2, [OK, NOTE], "some owner holds several"),
        (peers("alive", "gone", "suspect"), 4, [NOTE], "1 of 3 other nodes answer; silent: node 1, node 2."),
        ([*peers("alive"), *peers("suspect", heard=False)], 3, [NOTE], "never heard of: node 0"),
        (peers("gone", "gone"), 3, [ERROR], "None of 2"),
    ],
)
def test_peers(known: Sequence[Peer], owners: int, levels: list[Level], says: str) -> None:
    findings = judge_peers(known, copies=2, owners=owners)
    assert [finding.level for finding in findings] == levels
    assert says in " ".join(finding.message for finding in findings)
    assert all(finding.remedy for finding in findings if finding.level is not OK)


def test_only_who_is_somebody_else_is_told_of() -> None:
    answers = [Answer("Ben", f"tcp://b:{number}", outcome) for number, outcome in enumerate(("expected", "silent"))]
    assert judge_answers(answers) == []
    [finding] = judge_answers([*answers, Answer("Cat", "tcp://c:1", "other")])
    assert finding.level is WARNING
    assert "tcp://c:1, the address of Cat" in finding.message


@pytest.mark.parametrize(
    ("duplicate", "forks", "alarms", "found"),
    [
        (False, 0, 0, []),
        (True, 0, 0, [("duplicate", ERROR)]),
        (False, 1, 0, [("catalogs", WARNING)]),
        (True, 2, 3, [("duplicate", ERROR), ("catalogs", WARNING), ("invites", WARNING)]),
    ],
)
def test_keys_that_are_elsewhere(duplicate: bool, forks: int, alarms: int, found: list[tuple[str, Level]]) -> None:
    findings = judge_keys_elsewhere(duplicate=duplicate, forks=forks, alarms=alarms)
    assert [(finding.name, finding.level) for finding in findings] == found
    assert all(finding.remedy for finding in findings)
