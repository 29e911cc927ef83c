"""A network of real processes that the command line's tests share; and a clean environment for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.cli.networks import Network, running_network


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network")) as network:
        yield network


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No home of whoever runs the tests is ever touched."""
    monkeypatch.setenv("CAPSA_HOME", str(tmp_path / "default-home"))
    monkeypatch.setenv("CAPSA_PASSPHRASE", "")
    monkeypatch.delenv("CAPSA_DEBUG", raising=False)
    monkeypatch.delenv("CAPSA_LOG", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
