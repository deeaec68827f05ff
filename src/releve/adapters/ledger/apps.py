"""The Django application that carries the ledger's tables."""

from __future__ import annotations

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Named so that the console can list it among its own applications."""

    name = "releve.adapters.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
