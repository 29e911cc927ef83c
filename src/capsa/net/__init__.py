"""A peer-to-peer library: transports, authenticated sessions, typed requests, one session a pair of nodes."""
