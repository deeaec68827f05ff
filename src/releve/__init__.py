"""Relève: a recovery plan that is executed, measured and proven."""

__version__ = "0.1.0"
