"""`doctor`: with a node and without, in a broken home, and never with a secret."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsa.core.diagnosis.findings import Finding, Level
from capsa.faces.cli import main
from capsa.faces.cli.demo.processes import run
from capsa.faces.cli.doctor.doctor import show
from capsa.faces.cli.drawing.style import Style, plain
from tests.faces.cli.networks import Network, start

SECRETS = ("keys/device", "keys/network", "keys/owner.json")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with nothing wrong that never had a node, made once."""
    home = tmp_path_factory.mktemp("doctor") / "home"
    assert main(["--home", str(home), "init", "--no-passphrase", "--quiet", "--json"]) == 0
    (home / "capsa.toml").write_text('listen = ["tcp://127.0.0.1:0"]\ncapacity = "1MB"\n')
    return home


@pytest.fixture
def home(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "home"))


Told = tuple[int, dict[str, tuple[str, str, str]], str]


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[[Path], Told]:
    """Run the doctor: its exit code, (level, message, remedy) by name, and all that it wrote."""

    def doctor(home: Path) -> Told:
        capfd.readouterr()
        code = main(["--home", str(home), "--json", "doctor"])
        out, err = capfd.readouterr()
        document: dict[str, Any] = json.loads(out)
        assert set(document) == {"checks", "worst"}, document
        checks = {each["name"]: (each["level"], each["message"], each["remedy"]) for each in document["checks"]}
        levels = [level for level, _, _ in checks.values()]
        assert document["worst"] == max(levels, key=list(Level).index)
        assert code == (1 if "error" in levels else 0)
        return code, checks, out + err

    return doctor


def secrets_of(home: Path) -> list[str]:
    texts = [(home / name).read_text().strip() for name in SECRETS if (home / name).is_file()]
    return [json.loads(text)["entropy"] if text.startswith("{") else text for text in texts]


def test_a_home_with_nothing_wrong(home: Path, ask: Callable[[Path], Told]) -> None:
    code, checks, said = ask(home)
    assert code == 0
    well = {"files", "permissions", "identity", "settings", "capacity", "port", "clock", "membership", "copies"}
    assert {name for name, (level, _, _) in checks.items() if level == "ok"} >= well
    assert checks["node"][0] == checks["keys"][0] == "note"
    assert checks["peers"][0] == "warning"
    assert not [secret for secret in secrets_of(home) if secret in said]


def rot(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = os.urandom(len(data) - len(data) // 2)
    path.write_bytes(data)


def a_database(path: Path, version: int = 0) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t(x)")
        database.executemany("INSERT INTO t VALUES(?)", [(os.urandom(500),) for _ in range(100)])
        database.execute(f"PRAGMA user_version={version}")
    database.close()


def rotten_state(home: Path) -> None:
    a_database(home / "state.db")
    rot(home / "state.db")


def rotten_index(home: Path) -> None:
    a_database(home / "store" / "index.db")
    rot(home / "store" / "index.db")


def other_device(home: Path) -> None:
    (home / "keys" / "device").write_text((home / "keys" / "network").read_text())


BREAKAGES: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("settings", lambda home: (home / "capsa.toml").write_text("capasity = 1"), "error", "capasity"),
    ("settings", lambda home: (home / "capsa.toml").write_bytes(b"\xff"), "error", "TOML"),
    ("files", lambda home: (home / "keys" / "device").unlink(), "error", "keys/device"),
    ("identity", lambda home: (home / "keys" / "device").write_text("short"), "error", "device"),
    ("identity", lambda home: (home / "keys" / "device").write_bytes(b"\xff" * 40), "error", "device"),
    ("identity", other_device, "error", "another home"),
    ("identity", lambda home: (home / "papers").write_bytes(b"rot"), "error", "papers"),
    ("identity", lambda home: (home / "home.json").write_bytes(b"{"), "error", "home.json"),
    ("files", lambda home: shutil.rmtree(home / "keys"), "error", "keys/device"),
    ("keys", lambda home: (home / "keys" / "owner.json").write_text("{}"), "error", ""),
    ("keys", lambda home: (home / "keys" / "owner.json").write_bytes(os.urandom(100)), "error", ""),
    ("permissions", lambda home: (home / "keys" / "owner.json").chmod(0o644), "warning", "keys/owner.json"),
    ("permissions", lambda home: home.chmod(0o755), "warning", "home"),
    ("state.db", rotten_state, "error", "damaged"),
    ("state.db", lambda home: (home / "state.db").write_bytes(b"no database" * 999), "error", "damaged"),
    ("state.db", lambda home: a_database(home / "state.db", version=999), "error", "newer"),
    ("store/index.db", rotten_index, "warning", "made anew"),
    ("clock", lambda home: os.utime(home / "home.json", (4e9, 4e9)), "warning", "future"),
    ("capacity", lambda home: (home / "capsa.toml").write_text('capacity = "9000PB"'), "warning", "promised"),
]


@pytest.mark.parametrize(("name", "break_it", "level", "says"), BREAKAGES)
def test_what_is_broken_is_told_and_the_other_checks_go_on(
    name: str,
    break_it: Callable[[Path], object],
    level: str,
    says: str,
    home: Path,
    ask: Callable[[Path], Told],
) -> None:
    secrets = secrets_of(home)
    break_it(home)
    _, checks, said = ask(home)
    assert checks[name][0] == level
    assert says in checks[name][1]
    assert checks[name][2], "there is a remedy"
    assert {"files", "permissions", "identity", "keys", "settings", "versions", "limits", "disk", "clock"} <= set(
        checks
    )
    assert not [secret for secret in secrets if secret in said]


def test_a_port_that_is_taken(home: Path, ask: Callable[[Path], Told]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        (home / "capsa.toml").write_text(f'listen = ["{address}"]')
        code, checks, _ = ask(home)
    assert code == 1
    assert checks["port"][0] == "error" and address in checks["port"][1]


def test_a_process_that_holds_the_home_and_is_silent(home: Path, ask: Callable[[Path], Told]) -> None:
    from capsa.node.home import Home

    with Home.open(home).locked():
        code, checks, _ = ask(home)
    assert code == 1
    assert checks["node"][0] == "error" and f"process {os.getpid()}" in checks["node"][1]


def test_a_node_that_hangs_is_told_of_and_not_waited_for(home: Path, ask: Callable[[Path], Told]) -> None:
    with start(home) as node:
        os.kill(node.pid, signal.SIGSTOP)
        try:
            code, checks, _ = ask(home)
        finally:
            os.kill(node.pid, signal.SIGCONT)
    assert code == 1
    assert checks["node"][0] == "error" and f"process {node.pid}" in checks["node"][1]


def test_there_is_nothing_to_say_of_a_home_that_is_absent_or_newer(home: Path, tmp_path: Path) -> None:
    assert main(["--home", str(tmp_path / "none"), "doctor"]) == 10
    facts = json.loads((home / "home.json").read_text())
    (home / "home.json").write_text(json.dumps(facts | {"format": 99}))
    done = run(home, "doctor")
    assert done.code == 10
    assert done.last["error"]["kind"] == "home" and "newer" in done.stderr


def test_a_node_that_runs_is_asked_for_the_rest(network: Network) -> None:
    done = run(network.home("ben"), "doctor")
    checks = {each["name"]: each for each in done.last["checks"]}
    assert done.code == 0, checks
    assert checks["node"]["level"] == checks["clock"]["level"] == checks["membership"]["level"] == "ok"
    assert checks["addresses"]["level"] in ("ok", "note")
    assert "within" in checks["clock"]["message"]
    assert "3 other nodes answer" in checks["peers"]["message"]
    assert {"copies", "blocks", "capacity"} <= set(checks)


FINDINGS = [
    Finding("files", Level.OK, "All is well."),
    Finding("disk", Level.ERROR, "It is \x1b[31mfull\n" + 30 * " and so on", "Free some " + 20 * "space "),
]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_lines_fit_the_terminal_and_hold_nothing_that_moves_its_cursor(width: int) -> None:
    lines = show(FINDINGS, width=width, style=Style())
    assert max(map(len, lines)) <= min(max(width, 40), 80)
    assert all(line.isprintable() for line in lines)
    assert lines[0].split() == ["ok", "files", "All", "is", "well."]
    painted = show(FINDINGS, width=width, style=Style(colour=True))
    assert painted != lines and [plain(line) for line in painted] == lines
