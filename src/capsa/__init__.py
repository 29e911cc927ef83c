"""capsa: a distributed, content-addressed, peer-to-peer encrypted file store."""

__version__ = "0.1.0"
