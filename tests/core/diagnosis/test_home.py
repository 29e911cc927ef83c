"""A home's files, judged by tables."""

from __future__ import annotations

import pytest

from capsa.core.diagnosis.findings import Finding, Level, worst
from capsa.core.diagnosis.home import (
    HomeFiles,
    Process,
    judge_database,
    judge_files,
    judge_keys,
    judge_permissions,
    judge_process,
    judge_settings,
)

OK, NOTE, WARNING, ERROR = Level

MANY = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("finding", "level", "says"),
    [
        (judge_files(HomeFiles("/h")), OK, "complete"),
        (judge_files(HomeFiles("/h", missing=MANY)), ERROR, "lacks a, b, c and 2 more"),
        (judge_files(HomeFiles("/h", unreadable=["papers"])), ERROR, "cannot read papers"),
        (judge_files(HomeFiles("/h", missing=["store"], unreadable=["papers"])), ERROR, "lacks store"),
        (judge_permissions(HomeFiles("/h")), OK, "only"),
        (judge_permissions(HomeFiles("/h", open_to_others=["keys/device"])), WARNING, "keys/device"),
        (judge_permissions(HomeFiles("/h", foreign=["papers"])), WARNING, "papers"),
        (judge_keys(problem="", remedy="", sealed=True), OK, "sealed"),
        (judge_keys(problem="", remedy="", sealed=False), NOTE, "no passphrase"),
        (judge_keys(problem="It is damaged.", remedy="Mend it.", sealed=False), ERROR, "It is damaged."),
        (judge_settings(problem="", remedy=""), OK, "order"),
        (judge_settings(problem="It is odd.", remedy="Mend it."), ERROR, "It is odd."),
        (judge_process(Process(held=True, answers=True, serving=True)), OK, "runs"),
        (judge_process(Process(held=True, answers=True)), NOTE, "command"),
        (judge_process(Process(held=False, answers=False)), NOTE, "No node"),
        (judge_process(Process(held=True, answers=False, holder="Process 7 has it.")), ERROR, "Process 7 has it."),
        (judge_database("state.db", problem="", precious=True), OK, "state.db"),
        (judge_database("state.db", problem="rot", precious=True), ERROR, "rot"),
        (judge_database("store/index.db", problem="rot", precious=False), WARNING, "made anew"),
    ],
)
def test_findings(finding: Finding, level: Level, says: str) -> None:
    assert finding.level is level
    assert says in finding.message
    assert finding.message.endswith(".")
    assert bool(finding.remedy) == (level is not OK), "whatever is not well has a remedy"


def test_the_worst_level_counts() -> None:
    def found(*levels: Level) -> Level:
        return worst(Finding("x", level, "") for level in levels)

    assert found() is OK
    assert found(OK, NOTE) is NOTE
    assert found(ERROR, OK, WARNING) is ERROR
    assert found(NOTE, WARNING, NOTE) is WARNING
