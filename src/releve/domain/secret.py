"""Where a secret is found. Alone in its file: a command that opens a vault needs no more of a plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is found: `env:NAME`, `file:/path` or `command:program arg`. Never its value."""

    scheme: str
    target: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}"
