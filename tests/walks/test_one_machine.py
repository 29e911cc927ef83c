"""The README's first walk: several homes on one machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.walks.machines import Machine
from tests.walks.readme import README, walk
from tests.walks.walking import walking


def test_a_newcomer_tries_it_out_on_one_machine(tmp_path: Path) -> None:
    here = Machine(tmp_path / "here")
    shutil.copy(README, here.folder)
    with walking({"here": here}) as walker:
        walker.walk(walk("one machine"))
        assert (here.folder / "back.md").read_bytes() == README.read_bytes()
        assert [ended.code for ended in walker.interrupt("here")] == [0, 0, 0]
