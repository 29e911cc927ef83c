"""Which home a command works with."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path


def home_root(options: Namespace) -> Path:
    """`--home`, else `CAPSA_HOME`, else the platform's data directory; absolute."""
    chosen = options.home or os.environ.get("CAPSA_HOME")
    if chosen:
        return Path(chosen).absolute()
    import platformdirs

    return platformdirs.user_data_path("capsa")
