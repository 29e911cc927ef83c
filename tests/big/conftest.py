"""What the big tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone afterwards: pytest would keep its gigabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path)
