"""Runs that survive the death of the process that conducts them."""

from __future__ import annotations

from releve.adapters.durable.driver import DbosDriver

__all__ = ["DbosDriver"]
