"""The example in the docs does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "docs" / "net-example.md"


def test_the_example_runs() -> None:
    code = EXAMPLE.read_text().split("```python\n")[1].split("```")[0]
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("HELLO (14 bytes)\n", "")
