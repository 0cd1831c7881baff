"""What every room may use: the clock, ids, logging. Knows nothing of Atoll's own."""
