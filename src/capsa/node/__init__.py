"""A running home: it stores for others, serves, gossips and completes what its owner put."""
