"""Where blocks lie: the `BlockStore` interface, its backends and its wrappers."""
