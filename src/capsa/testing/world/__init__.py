"""The simulated world: the very same nodes on virtual time, from one seed."""
