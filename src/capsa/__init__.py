"""capsa: a distributed, content-addressed, peer-to-peer encrypted file store."""

from __future__ import annotations

__version__ = "0.1.0"
