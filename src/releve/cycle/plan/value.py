"""The plan as a JSON-ready value (English keys), as `releve plan show --json` prints it. Pure.

Durations are given as written and, where the wall clock rules, in seconds. Secrets stay references.
"""

from __future__ import annotations

from releve.cycle.plan.build import NOTHING_TO_LOSE
from releve.cycle.plan.hours import say_slot
from releve.cycle.plan.show import worst_case
from releve.domain.calendars import Calendar
from releve.domain.plan import Application, DataSet, End, Plan, ShareEnd, Tolerance
from releve.domain.school import PUBLISHED_UNTIL
from releve.domain.units import say_span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Json = dict[str, object]


def plan_value(plan: Plan, *, year: int) -> Json:
    """What the plan declares; `year` is the one whose holidays make the worst cases."""
    return {
        "source": plan.source,
        "fingerprint": plan.fingerprint,
        "association": {"name": plan.association.name, "finess": plan.association.finess},
        "sites": [
            {
                "id": site.id,
                "name": site.name,
                "role": site.role.value,
                "address": site.address,
                "hosted_by": site.third_party,
                "hds": {"number": site.hds.number, "valid_until": _date(site.hds.valid_until)}
                if site.hds
                else None,
                "hosts": [host.id for host in plan.hosts if host.site == site.id],
            }
            for site in plan.sites
        ],
        "contacts": [
            {"id": c.id, "name": c.name, "role": c.role, "phone": c.phone, "email": c.email}
            for c in plan.contacts
        ],
        "vaults": [
            {"id": v.id, "name": v.name, "places": {site: place.address for site, place in v.places.items()}}
            for v in plan.vaults
        ],
        "calendars": [_calendar(calendar) for calendar in plan.calendars.values()],
        "data_sets": [_data_set(data) for data in plan.data_sets],
        "applications": [_application(application, plan, year) for application in plan.applications],
        "approvals": {
            question: {"people": rule.people, "who": list(rule.who), "deadline_seconds": rule.deadline}
            for question, rule in plan.approvals.items()
        },
    }


def _calendar(calendar: Calendar) -> Json:
    """`open`: day of the week -> slots; `closed`: both days included."""
    return {
        "id": calendar.id,
        "timezone": calendar.timezone,
        "holidays": calendar.holidays,
        "open": {
            DAYS[day]: [say_slot(slot) for slot in slots] for day, slots in sorted(calendar.slots.items())
        },
        "closed": [
            {"from": str(closure.first), "to": str(closure.last), "name": closure.name}
            for closure in calendar.closures
        ],
        "school": calendar.school,
        "school_published_until": str(PUBLISHED_UNTIL) if calendar.school else None,
    }


def _date(value: object) -> str | None:
    return None if value is None else str(value)


def _data_set(data: DataSet) -> Json:
    protection = data.protection
    return {
        "id": data.id,
        "name": data.name,
        "engine": data.engine,
        "kind": data.kind.value,
        "sensitivity": data.sensitivity.value,
        "primary_site": data.primary_site,
        "relief_site": data.relief_site,
        "protection": {
            "mode": protection.mode.value,
            "rpo_seconds": protection.rpo.seconds,
            "synchronous": protection.synchronous,
            "transport": protection.transport.value,
            "on_relief_lost": "wait" if protection.on_relief_lost.wait else "degrade",
            "degrade_after_seconds": None
            if protection.on_relief_lost.wait
            else protection.on_relief_lost.degrade_after,
            "slot_limit_bytes": protection.slot_limit,
        },
        "ends": {site: _end(end) for site, end in data.ends.items()},
        "vault": {site: place.address for site, place in data.vault.items()},
        "exclude": list(data.excludes),
    }


def _end(end: End) -> Json:
    if isinstance(end, ShareEnd):
        return {"host": end.host, "path": end.path}
    return {"host": end.host, "address": end.address, "port": end.port, "data_dir": end.data_dir}


def _application(application: Application, plan: Plan, year: int) -> Json:
    return {
        "id": application.id,
        "name": application.name,
        "owner": application.owner,
        "needs": list(application.needs),
        "data": list(application.data),
        "need": _tolerance(application.need, plan, year),
        "commitment": _tolerance(application.commitment, plan, year) if application.commitment else None,
        "without_it": application.without_it,
        "do_not": list(application.do_not),
        "switched": bool(application.ends),
        "ends": {site: {"host": end.host, "url": end.url} for site, end in application.ends.items()},
    }


def _tolerance(tolerance: Tolerance, plan: Plan, year: int) -> Json:
    """`rpo` is null where there is nothing to lose; `rto_worst_seconds` is the worst on the wall clock."""
    worst = worst_case(tolerance, plan, year)
    nothing = tolerance.rpo == NOTHING_TO_LOSE
    return {
        "rto": say_span(tolerance.rto),
        "rto_worst_seconds": tolerance.rto.seconds if worst is None else worst.total_seconds(),
        "rpo": None if nothing else say_span(tolerance.rpo),
        "rpo_seconds": None if nothing else tolerance.rpo.seconds,
        "calendar": tolerance.calendar,
    }
