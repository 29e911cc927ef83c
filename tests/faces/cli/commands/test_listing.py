"""`ls` is the command that people type most: it starts fast, because it imports no more than it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from capsa.faces.cli.demo.processes import run_well
from tests.faces.cli.networks import Network

NOT_NEEDED = {
    "what puts": {
        "capsa.client.catalog",
        "capsa.client.files",
        "capsa.client.puts.judging",
        "capsa.client.puts.sealer",
        "capsa.client.puts.sources",
        "capsa.client.puts.upload",
        "capsa.client.puts.walk",
        "capsa.core.catalog.update",
        "capsa.core.claims",
    },
    "what gets": {
        "capsa.client.gets.parts",
        "capsa.client.gets.reading",
        "capsa.client.gets.restore",
        "capsa.core.tree",
    },
    "a node": {"capsa.node.app", "capsa.net.noise", "capsa.net.transports.tcp", "capsa.stores"},
    "other commands": {
        "capsa.faces.cli.manual.explanations",
        "capsa.faces.cli.manual.help_text",
        "capsa.faces.cli.commands.looking",
        "capsa.faces.cli.drawing.progress",
        "capsa.faces.cli.commands.putting",
        "capsa.faces.cli.drawing.terminal",
    },
    "libraries of others": {
        *("apsw", "fractions", "mimetypes", "mnemonic", "noise", "pathspec", "platformdirs", "puremagic"),
        *("importlib.metadata", "segno", "sqlite3", "tomllib", "unittest", "xml"),
    },
}
_IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def imported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All modules that a real `ls` of a real file imports, with a node up."""
    path = tmp_path_factory.mktemp("listing") / "sea.txt"
    path.write_text("waves")
    run_well(network.ann, "put", str(path), "--as", "listing/sea.txt")
    return _imported_by(network.ann, "ls", "listing/")


def _imported_by(home: Path, *arguments: str) -> set[str]:
    words = [sys.executable, "-X", "importtime", "-m", "capsa", "--home", str(home), *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert "listing/sea.txt" in done.stdout
    return set(_IMPORTED.findall(done.stderr))


@pytest.mark.parametrize("what", NOT_NEEDED)
def test_ls_imports_nothing_of(what: str, imported: set[str]) -> None:
    assert "capsa.faces.cli.start" in imported
    needless = {name for name in imported for part in NOT_NEEDED[what] if name == part or name.startswith(f"{part}.")}
    assert not needless, f"{sorted(needless)}: every module that ls imports is time that somebody waits, each time"


def test_what_is_not_needed_is_there_at_all() -> None:
    """So that this does not come to look for what was renamed."""
    ours = {name for names in NOT_NEEDED.values() for name in names if name.startswith("capsa.")}
    code = f"import importlib\nfor name in {sorted(ours)}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
