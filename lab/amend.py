"""What a fault changes in the plan as it is written. Pure: each function changes the lines that it is given."""

from __future__ import annotations

from typing import Any

SAME_SITE_COPY = "/srv/copies/partage"


def copy_on_the_same_site(lines: dict[str, Any]) -> None:
    """The share's only copy is on another machine of its own site."""
    for holding in lines["holdings"]:
        if holding["id"] == "partage":
            there = {"site": "siege", "host": "srv-gestion", "path": SAME_SITE_COPY}
            holding["copies"] = [{**there, "offline": True}]  # so that only its site is wrong


def single_link(lines: dict[str, Any]) -> None:
    """The home keeps its fibre alone: no 4G (the box that bore it is still there), no private link."""
    lines["links"] = [link for link in lines["links"] if link["id"] not in {"foyer-4g", "siege-foyer"}]
