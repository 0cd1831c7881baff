"""Atoll: a cloud of your own, in one Python package."""

__version__ = "0.1.0"
