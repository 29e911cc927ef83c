"""Transports: ordered bytes, both ways, over whatever carries them."""
