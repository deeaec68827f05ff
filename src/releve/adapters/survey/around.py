"""Each errand of an audit handed to the module that knows how: the table, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from releve.domain.audit import Errand, Found, Gap, Topic
from releve.domain.bounds import guard_device, guard_server, unseeable
from releve.domain.errors import Refused
from releve.domain.inventory import Equipment, Holding
from releve.domain.plan import DataSet, HostSpec, Plan, Reach, ShareEnd, VaultPlace
from releve.domain.ports import Host, Ledger, Watched
from releve.domain.protection import ServerFacts
from releve.domain.secret import SecretRef

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

PAUSE = 5.0  # seconds between two readings of a counter (value of ours: enough to see a bad cable at work)
READ_LIMIT = 3600.0  # seconds for the files of one share; what is left is a gap
LOOK_LIMIT = 60.0  # seconds for one question to a machine
PEOPLE = ("/home", "/root")  # where Linux keeps what people do (FHS 3.0)


def this_machine() -> Host:
    """The machine that audits."""
    from releve.adapters.hosts.local import LocalHost

    return LocalHost(HostSpec("ici", "", Reach.LOCAL))


@dataclass(frozen=True, slots=True)
class Survey:
    """Sees what an errand asks, read-only.

    `site`: from where; `engine`: of a data set; `secret`: value of a secret; `tried`: when the history of a
    data set was last brought back apart; `may_scan`: whether networks may be scanned now. `see` may be called by
    several threads; it returns gaps for what the world refuses and raises `ReleveError` where the whole look fails.
    """

    plan: Plan
    site: str
    host: Callable[[str], Host]
    secret: Callable[[SecretRef], str]
    engine: Callable[[str], Watched]
    ledger: Ledger
    tried: Callable[[str], datetime | None]
    may_scan: Callable[[], bool]
    local: Host = field(default_factory=this_machine)

    def see(self, errand: Errand) -> Found:
        """What the errand brings back."""
        match errand.topic:
            case Topic.NETWORK:
                return self._network(errand.subject)
            case Topic.PATH:
                return self._path(self.plan.host(errand.subject))
            case Topic.PORTS | Topic.UPS:
                return self._device(errand)
            case Topic.FILES | Topic.SENSITIVE:
                return self._files(errand)
            case Topic.BASE:
                return self._base(errand)
            case Topic.COPIES:
                return self._copies(errand.subject)
            case _:
                return self._machine(errand.topic, self.plan.host(errand.subject))

    def _network(self, name: str) -> Found:
        from releve.adapters.survey.network import scan

        (network,) = (item for item in self.plan.inventory.networks if item.id == name)
        return scan(network, self.plan.inventory.audit, run=self.local.run, may=self.may_scan)

    def _path(self, spec: HostSpec) -> Found:
        from releve.adapters.survey.paths import path

        return path(self._host(spec.id), spec, here=self.site, run=self.local.run)

    def _device(self, errand: Errand) -> Found:
        found = next((item for item in self.plan.inventory.equipment if item.id == errand.subject), None)
        if found is None:
            from releve.adapters.survey.interfaces import interfaces

            spec = self.plan.host(errand.subject)
            return interfaces(self._host(spec.id), spec, PAUSE)
        if errand.topic is Topic.UPS:
            return self._ups(found)
        from releve.adapters.survey.snmp import snmp

        guard_device(found.address, self.plan.inventory.networks)
        return snmp(found, secret=self.secret, pause=PAUSE)

    def _ups(self, device: Equipment) -> Found:
        """Its NUT server, which may answer to nobody but its own machine: then it is asked there.

        A server that the plan's networks do not hold is asked on its own machine alone.
        """
        from releve.adapters.survey.ups import server, ups

        where = server(device)
        near = next((item.id for item in self.plan.hosts if where in {item.id, *item.addresses}), "")
        try:
            guard_device(where, self.plan.inventory.networks)
            found = ups(device)
        except Refused as error:
            if not near:
                raise
            found = Found(gaps=(Gap(error.code, error.sentence),))
        if found.facts or not near:
            return found
        asked = ups(device, host=self._host(near))
        return asked if asked.facts else found

    def _host(self, name: str) -> Host:
        """The machine of that name. Raises `Refused` for one on a network that may not be looked at."""
        self._bound(name)
        return self.host(name)

    def _bound(self, name: str) -> None:
        if name in unseeable(self.plan):
            raise Refused(
                "network-not-audited",
                f"{name} est sur un réseau que le plan interdit de regarder (audit: false)",
                hint="enlevez « audit: false » de ce réseau, ou laissez ce regard de côté",
            )

    def _vault(self, place: VaultPlace) -> Repository:
        """The vault of a place, opened and not written to. Raises `ReleveError`, `Refused` on a closed network."""
        from releve.adapters.survey.copies import vault_at

        guard_server(place.address.partition(":")[2], self.plan.inventory.networks)
        return vault_at(place, self.secret)

    def _machine(self, topic: Topic, spec: HostSpec) -> Found:
        if topic is Topic.MACHINE:
            from releve.adapters.survey.machine import machine

            return machine(self._host(spec.id), spec, timeout=LOOK_LIMIT)
        if topic is Topic.CONNECTIONS:
            from releve.adapters.survey.sockets import connections

            return connections(self._host(spec.id), spec, seconds=self.plan.inventory.audit.watch)
        from releve.adapters.survey.documents import documents

        return documents(self._host(spec.id), places=PEOPLE, timeout=READ_LIMIT)

    def _files(self, errand: Errand) -> Found:
        found = [self._read(errand, host, place) for host, place in self._places(errand)]
        return Found(
            tuple(fact for one in found for fact in one.facts),
            tuple(gap for one in found for gap in one.gaps),
        )

    def _read(self, errand: Errand, host: str, place: str) -> Found:
        if errand.topic is Topic.FILES:
            from releve.adapters.survey.files import inventory

            return inventory(self._host(host), errand.subject, place, timeout=READ_LIMIT)
        from releve.adapters.survey.sensitive.reader import sensitive

        rate = self.plan.inventory.audit.read_rate
        people = place in PEOPLE
        return sensitive(
            self._host(host), errand.subject, place, rate=rate, timeout=READ_LIMIT, hidden=not people
        )

    def _places(self, errand: Errand) -> list[tuple[str, str]]:
        """(machine, folder) of a share at the site that holds it, a holding, or what people keep on a machine."""
        thing = self._thing(errand.subject)
        if isinstance(thing, Holding):
            return [(thing.host, thing.path)]
        if thing is None:
            return [(errand.subject, place) for place in PEOPLE]
        end = thing.ends[errand.site]
        return [(end.host, end.path)] if isinstance(end, ShareEnd) else []

    def _thing(self, subject: str) -> DataSet | Holding | None:
        things: tuple[DataSet | Holding, ...] = (*self.plan.data_sets, *self.plan.inventory.holdings)
        return next((item for item in things if item.id == subject), None)

    def _base(self, errand: Errand) -> Found:
        thing = self._thing(errand.subject)
        if isinstance(thing, Holding):
            from releve.adapters.survey.databases import holding_bases

            return holding_bases(self._host(thing.host), thing, secret=self.secret)
        from releve.adapters.survey.databases import data_set_bases

        data = self.plan.data_set(errand.subject).seen_from(self.site)
        self._bound(data.ends[errand.site].host)
        return data_set_bases(data, errand.site, secret=self.secret)

    def _copies(self, subject: str) -> Found:
        from releve.adapters.survey.copies import data_set_copies, holding_copies

        thing = self._thing(subject)
        if isinstance(thing, Holding):
            return holding_copies(thing, self.plan, host=self._host)
        data, engine = self.plan.data_set(subject), self.engine(subject)

        def end(site: str) -> ServerFacts:
            self._bound(data.ends[site].host)
            return engine.facts(site)

        return data_set_copies(
            data,
            ledger=self.ledger,
            end=end,
            here=self.site,
            vault=self._vault,
            trial=self.tried(subject),
        )
