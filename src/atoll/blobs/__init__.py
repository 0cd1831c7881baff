"""Immutable bytes under random ids. The store's commit is the only commit point. See `contract`."""
