"""How measurements are told: a JSON line each, beside what else the machine was doing."""

from __future__ import annotations

import json
import os


def tell(line: dict[str, object]) -> None:
    """Print a line at once."""
    print(json.dumps(line), flush=True)


def load() -> list[float]:
    """The system's load averages, over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def mb(size: int) -> float:
    """Bytes in MB, powers of 1000."""
    return round(size / 1e6, 1)
