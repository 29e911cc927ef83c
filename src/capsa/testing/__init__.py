"""Public conformance suites for stores, transports and sessions, and the simulated world."""
