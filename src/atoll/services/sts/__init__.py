"""STS: who a caller is, and keys that end. Rows: see `sessions`."""
