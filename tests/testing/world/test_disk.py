"""The simulated disk keeps what was synced, and may lose the rest."""

from __future__ import annotations

import errno
from contextlib import suppress

import apsw
import pytest

from capsa.testing.world.disk import SimDisk
from capsa.testing.world.sources import SeededEntropy


def sim_disk(seed: int) -> SimDisk:
    return SimDisk(SeededEntropy(seed, "disk"))


def test_synced_bytes_survive_and_others_may_not() -> None:
    found = set()
    for seed in range(200):
        disk = sim_disk(seed)
        file = disk.open("f/a", create=True)
        file.write(0, [b"a" * 600, b"b" * 600])
        file.sync()
        disk.sync_folder("f")
        file.write(100, [b"c" * 1000])
        after = disk.crash().content("f/a")
        assert (after[:100], after[1100:]) == (b"a" * 100, b"b" * 100)
        found.add(after)
    whole = b"a" * 100 + b"c" * 1000 + b"b" * 100
    torn = b"a" * 100 + b"c" * 412 + b"a" * 88 + b"b" * 600
    assert {b"a" * 600 + b"b" * 600, whole, torn} <= found


def test_folder_changes_survive_once_synced() -> None:
    found = set()
    for seed in range(50):
        disk = sim_disk(seed)
        disk.open("f/kept", create=True)
        disk.open("f/old", create=True)
        disk.sync_folder("f")
        disk.open("f/new", create=True)
        disk.remove("f/old")
        found.add(tuple(disk.crash().names("f")))
    assert found == {("kept", "old"), ("kept", "new", "old"), ("kept", "new")}


def test_a_rename_replaces() -> None:
    disk = sim_disk(0)
    disk.open("f/a", create=True).write(0, [b"a"])
    disk.open("f/b", create=True).write(0, [b"b"])
    disk.rename("f/a", "f/b")
    assert disk.names("f") == ["b"]
    assert disk.content("f/b") == b"a"


def test_writes_under_a_failed_sync_stay_lost_after_one_that_succeeds() -> None:
    found = set()
    for seed in range(50):
        disk = sim_disk(seed)
        file = disk.open("f/a", create=True)
        disk.sync_folder("f")
        file.write(0, [b"x"])
        disk.fail_syncs()
        with pytest.raises(OSError, match="Input/output"):
            file.sync()
        assert file.read(0, 1) == b"x"
        file.sync()
        found.add(disk.crash().content("f/a"))
    assert found == {b"", b"x"}


def test_a_full_disk_takes_what_fits() -> None:
    disk = sim_disk(0)
    disk.capacity = 100
    file = disk.open("a", create=True)
    with pytest.raises(OSError, match="No space") as caught:
        file.write(0, [bytes(150)])
    assert caught.value.errno == errno.ENOSPC
    assert file.size() == 100
    assert disk.space() == (0, 100)
    file.truncate(10)
    assert disk.space() == (90, 100)


def test_the_power_stays_off() -> None:
    disk = sim_disk(0)
    file = disk.open("a", create=True)
    disk.power_fails_at = disk.steps + 1
    with pytest.raises(OSError, match="power"):
        file.write(0, [b"x"])
    for call in (file.size, file.sync, lambda: disk.names("")):
        with pytest.raises(OSError, match="power"):
            call()


def test_the_same_seed_loses_the_same() -> None:
    contents = []
    for _ in range(2):
        disk = sim_disk(7)
        file = disk.open("a", create=True)
        disk.sync_folder("")
        for offset in range(0, 50_000, 700):
            file.write(offset, [bytes([offset % 251]) * 900])
        contents.append(disk.crash().content("a"))
    assert contents[0] == contents[1]


@pytest.mark.parametrize("durable", [True, False])
def test_databases_lose_whole_transactions_only(durable: bool) -> None:
    lost = 0
    for seed in range(150):
        disk = sim_disk(seed)
        database = disk.database("f/a.db", durable=durable)
        database.execute("CREATE TABLE rows (row INTEGER PRIMARY KEY, filler BLOB)")
        disk.power_fails_at = disk.steps + 1 + seed
        committed = 0
        with suppress(apsw.Error):
            while True:
                with database:
                    for column in range(3):
                        database.execute("INSERT INTO rows VALUES (?, zeroblob(700))", (3 * committed + column,))
                committed += 1
        after = disk.crash().database("f/a.db", durable=durable)
        assert after.pragma("integrity_check") == "ok"
        rows = list(after.execute("SELECT row FROM rows ORDER BY row"))
        assert rows == [(row,) for row in range(len(rows))]
        assert len(rows) % 3 == 0
        lost += len(rows) // 3 < committed
    assert (lost > 0) is not durable


def test_a_full_disk_is_told_to_databases() -> None:
    disk = sim_disk(0)
    database = disk.database("a.db", durable=True)
    database.execute("CREATE TABLE rows (filler BLOB)")
    disk.capacity = 20_000
    with pytest.raises(apsw.FullError):
        database.execute("INSERT INTO rows VALUES (zeroblob(50000))")
