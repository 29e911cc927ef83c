"""The pure heart: bytes, values, `now` and entropy in; values out. No I/O, no clock, no randomness."""
