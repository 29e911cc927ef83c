"""`python -m capsa`."""

from __future__ import annotations

import sys

from capsa.faces.cli import main

if __name__ == "__main__":
    sys.exit(main())
