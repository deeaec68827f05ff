"""Two ends that are only looked at: what an audit may ask of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from releve.domain.protection import ServerFacts, ServerState

_AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


@dataclass
class Looks:
    """`domain.ports.Watched`, of which only the looks are asked."""

    sites: Mapping[str, ServerFacts] = field(default_factory=dict)

    def facts(self, site: str) -> ServerFacts:
        return self.sites.get(site, ServerFacts(site, _AT, ServerState.UNKNOWN))

    def relax(self, *_: object) -> None:
        raise AssertionError("an audit changes nothing")

    restore = close = relax

    def open(self, *_: object) -> str:
        raise AssertionError("an audit changes nothing")
