"""A whole network of real processes on this machine, and what the demonstration shows of it."""
