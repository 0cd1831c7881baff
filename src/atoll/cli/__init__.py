"""The `atoll` command. One module a verb."""
