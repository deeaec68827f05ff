"""What an audit sets out to look at: a plan of action as a value. Printing it is the dry run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from releve.domain.audit import Errand, Topic
from releve.domain.bounds import unseeable
from releve.domain.calendars import openings
from releve.domain.inventory import Device, HoldingKind
from releve.domain.plan import Plan

TOPIC_FR = {
    Topic.NETWORK: "adresses et services d'un réseau",
    Topic.PATH: "chemin vers une machine",
    Topic.PORTS: "prises et câbles d'un appareil",
    Topic.MACHINE: "système, disques et services d'une machine",
    Topic.UPS: "onduleur",
    Topic.DOCUMENTS: "documents gardés sur un poste",
    Topic.FILES: "fichiers d'un partage",
    Topic.SENSITIVE: "données personnelles et de santé",
    Topic.BASE: "base de données",
    Topic.CONNECTIONS: "qui parle à qui",
    Topic.COPIES: "copies et restaurations",
}
_AHEAD = timedelta(days=366)  # a window that does not open within a year is no window


def errands(
    plan: Plan, here: str = "", holders: Mapping[str, str] = MappingProxyType({})
) -> tuple[Errand, ...]:
    """Every look that the plan calls for, each (topic, subject) once. `here`: the site that looks.

    `holders`: the site that holds each data set now, where something moved; the others are at their primary. Data are
    looked at where they are held, and their errands say so.

    What takes long comes first, so that what is short fills the end. A way to a machine of our own site is not
    a link between sites: it is not measured. What is on a network that says `audit: false` is not looked at; the
    copies of its data are, from where they are kept.
    """
    return tuple(dict.fromkeys(_all(plan, here, holders)))


def held_at(found: Iterable[Errand]) -> dict[str, str]:
    """The site where each thing of these errands was: of data, the one that held them."""
    return {item.subject: item.site for item in found}


def _all(plan: Plan, here: str, holding: Mapping[str, str]) -> Iterator[Errand]:
    owned, closed = plan.inventory, unseeable(plan)
    site_of = {host.id: host.site for host in plan.hosts}
    yield from (Errand(Topic.NETWORK, item.id, item.site) for item in owned.networks if item.audit)
    holders = [
        (item.id, site, item.ends[site].host, item.shared)
        for item in plan.data_sets
        if (site := item.held_at(holding)) in item.ends
    ]
    holders += [
        (item.id, site_of[item.host], item.host, item.engine is HoldingKind.FILES) for item in owned.holdings
    ]
    for subject, site, host, files in holders:
        if host in closed:
            continue
        if files:
            yield Errand(Topic.SENSITIVE, subject, site)
            yield Errand(Topic.FILES, subject, site)
        else:
            yield Errand(Topic.BASE, subject, site)
    for spec in plan.hosts:
        if spec.id in closed:
            continue
        yield Errand(Topic.CONNECTIONS, spec.id, spec.site)
        yield Errand(Topic.PORTS, spec.id, spec.site)
        yield Errand(Topic.MACHINE, spec.id, spec.site)
        if spec.kind is Device.WORKSTATION:
            yield Errand(Topic.DOCUMENTS, spec.id, spec.site)
            yield Errand(Topic.SENSITIVE, spec.id, spec.site)
        if spec.ssh is not None and here and spec.site != here:
            yield Errand(Topic.PATH, spec.id, spec.site)
    for item in owned.equipment:
        if item.id in closed:
            continue
        if item.snmp is not None:
            yield Errand(Topic.PORTS, item.id, item.site)
        if item.kind is Device.UPS and item.nut:
            yield Errand(Topic.UPS, item.id, item.site)
    yield from (Errand(Topic.COPIES, subject, site) for subject, site, _host, _files in holders)


def scan_opens(plan: Plan, now: datetime) -> datetime | None:
    """When networks may be scanned: `now` itself, or the next opening of the plan's window; None for never."""
    calendar = plan.calendars.get(plan.inventory.audit.window)
    if calendar is None:
        return now
    first = next((opening for opening, _closing in openings(calendar, now, now + _AHEAD)), None)
    return first if first is None else max(first, now)
