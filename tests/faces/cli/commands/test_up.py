"""`up`: what it is told, what it tells others, and what it remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import NodeProcess, run, run_well

PUBLIC = "tcp://home.example.net:4747"


def addresses(home: Path) -> list[str]:
    """What the home's node tells others."""
    return list(run_well(home, "peers").last["nodes"][0]["addresses"])


def test_advertised_addresses_are_told_and_remembered_until_others_are_given(tmp_path: Path) -> None:
    home = tmp_path / "ann"
    run_well(home, "init", "--no-passphrase")
    with NodeProcess.started(home, "--listen", "tcp://127.0.0.1:0", "--capacity", "0", "--advertise", PUBLIC):
        assert addresses(home) == [PUBLIC]
    settings = home / "capsa.toml"
    settings.write_text(f"# mine\n{settings.read_text()}")
    with NodeProcess.started(home):
        assert addresses(home) == [PUBLIC]
    with NodeProcess.started(home, "--advertise", "none"):
        assert addresses(home) == []
        assert run_well(home, "status").last["reachable"] == "no"
    assert settings.read_text().startswith("# mine\n")
    assert "\nadvertise = []\n" in settings.read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--advertise", "none", "--advertise", PUBLIC), "stands alone"),
        (("--advertise", "tcp://0.0.0.0:4747"), "0.0.0.0"),
        (("--advertise", "tcp://a:0"), "tcp://a:0"),
        (("--advertise", "home.example.net"), "home.example.net"),
        (sum((("--advertise", f"tcp://h{number}:1") for number in range(17)), ()), "16"),
    ],
)
def test_what_nobody_could_dial_is_a_usage_error(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    done = run(tmp_path / "ann", "up", *options)
    assert done.code == 2
    assert says in done.stderr


def test_a_node_that_cannot_remember_its_options_serves_all_the_same(tmp_path: Path) -> None:
    home = tmp_path / "ann"
    run_well(home, "init", "--no-passphrase")
    (home / "capsa.toml.new").mkdir()  # where the new settings are to be written first
    with NodeProcess.started(home, "--listen", "none", "--capacity", "0") as node:
        assert "not remembered" in node.log.read_text()
        assert run_well(home, "status").last["running"]
    assert not (home / "capsa.toml").exists()


def test_a_capacity_beyond_the_disk_is_taken_with_a_remark(tmp_path: Path) -> None:
    home = tmp_path / "ann"
    run_well(home, "init", "--no-passphrase")
    with NodeProcess.started(home, "--listen", "none", "--capacity", "9000PB") as node:
        assert "more than the whole disk" in node.log.read_text()
    assert run(home, "up", "--capacity", "much").code == 2
