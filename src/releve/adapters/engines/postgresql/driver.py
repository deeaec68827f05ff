"""The PostgreSQL engine: the ports of the domain, each handed to the file that knows how."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from releve.adapters.engines.postgresql import gate, prepare, promote, rebuild, standby, survey
from releve.adapters.engines.postgresql.facts import Look
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.errors import BadInput
from releve.domain.plan import DataSet
from releve.domain.ports import Host, Now, Services
from releve.domain.protection import Divergence, ServerFacts, Suspension, Tenure
from releve.domain.secret import SecretRef


class Postgresql:
    """One data set on two PostgreSQL servers (13 or newer; tried on 15, 16 and 18).

    Implements `Engine`. Making it connects to nothing. Safe to share between threads. Every method
    raises `Unreachable` when a machine or a server that it needs does not answer, except `facts`.
    """

    def __init__(
        self,
        data_set: DataSet,
        *,
        host: Callable[[str], Host],
        services: Services,
        secret: Callable[[SecretRef], str],
        now: Now,
    ) -> None:
        self._pair = Pair(data_set, host, services, secret, now)
        self._look = Look(self._pair)

    def facts(self, site: str) -> ServerFacts:
        """One look: a few ms when it answers, at most about 3 s when its machine is gone."""
        return self._look.at(site)

    def prepare(self, site: str) -> None:
        """Make the open server of `site` fit to be followed; may restart it once."""
        prepare.prepare(self._pair, site)

    def rebuild(self, site: str, source: str) -> str:
        """Make `site` a standby of `source`; returns "already", "rewind" or "clone"."""
        return rebuild.rebuild(self._pair, self._look, site, source)

    def arm(self, site: str) -> ServerFacts:
        """See the standby of `site` in sync without lag, and from now on wait for it if RPO is 0."""
        return standby.arm(self._pair, self._look, site)

    def ease_stop(self, site: str) -> None:
        """Write to disk now what the stop would otherwise write while nobody may work."""
        gate.ease_stop(self._pair, site)

    def relax(self, site: str, suspension: Suspension) -> None:
        """Write the suspension in the database, then stop waiting for the standby."""
        standby.relax(self._pair, site, suspension)

    def restore(self, site: str, at: datetime) -> None:
        """Wait for the standby again; the suspension ends once it is seen in sync without lag."""
        standby.restore(self._pair, site, at)

    def open(self, site: str, epoch: int) -> str:
        """Open the server if the tenure written in it is `epoch` and its own; returns its identity."""
        return gate.open_for_writing(self._pair, self._look, site, epoch)

    def close(self, site: str) -> None:
        """Stop the server; whoever starts it gets a reader."""
        gate.close(self._pair, site)

    def fence(self, site: str) -> ServerFacts:
        """Stop the server and see it stopped; the position is the end of its WAL."""
        return gate.fence(self._pair, self._look, site)

    def promote(self, site: str, tenure: Tenure) -> float:
        """Open the standby under `tenure`; milliseconds from the order to the first moment of writing."""
        return promote.promote(self._pair, site, tenure)

    def survey(self, lost_side: str, kept_side: str, folder: str) -> Divergence:
        """What `lost_side` committed and `kept_side` never received, exported to `folder`."""
        return survey.survey(self._pair, lost_side, kept_side, folder)

    def drained(self, site: str, position: int, timeout: float) -> bool:
        """Whether the standby at `site` has replayed beyond `position` within `timeout` seconds."""
        return standby.drained(self._pair, site, position, timeout)

    def save(self, site: str) -> ServerFacts:
        """Refused: a database is followed in real time."""
        raise BadInput(
            "no-daily-copy",
            f"pas de copie du jour pour une base de données (site « {site} »)",
            hint="écrivez mode: realtime",
        )

    def disconnect(self) -> None:
        """Close every connection; the next call opens what it needs."""
        self._pair.links.close()
