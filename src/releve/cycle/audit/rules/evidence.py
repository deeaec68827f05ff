"""What a rule may lean on: what was looked at whole, and the words for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import wraps
from typing import NamedTuple
from zoneinfo import ZoneInfo

from releve.cycle.audit.errands import held_at
from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Check, Weakness
from releve.domain.audit import Topic
from releve.domain.calendars import least_wall
from releve.domain.inventory import CopyPlace, Device, Equipment
from releve.domain.plan import DataSet, HostSpec
from releve.domain.units import Span, say_count

_OF_DATA = (Topic.COPIES, Topic.BASE, Topic.FILES, Topic.SENSITIVE)


class Held(NamedTuple):
    """A data set or a holding: data that live on a machine. `place`: their folder, empty for a database server."""

    id: str
    name: str
    host: str
    site: str
    kind: str
    sensitivity: str
    place: str
    shared: bool
    protected: bool  # a data set of Relève
    copies: tuple[CopyPlace, ...] = ()


def held(estate: Estate) -> Iterator[Held]:
    """Everything that is declared as data, in the order of the plan: data sets, then holdings."""
    for item in estate.plan.data_sets:
        site = holder(estate, item)
        end = item.ends[site]
        yield Held(
            item.id,
            item.name,
            end.host,
            site,
            item.kind.value,
            item.sensitivity.value,
            end.place,
            item.shared,
            protected=True,
        )
    for one in estate.plan.inventory.holdings:
        yield Held(
            one.id,
            one.name,
            one.host,
            estate.site_of(one.host),
            one.kind,
            one.sensitivity,
            one.path,
            one.engine.value == "files",
            protected=False,
            copies=one.copies,
        )


def holder(estate: Estate, data: DataSet) -> str:
    """The site that held those data when their copies, else they, were looked at; never looked at: as planned."""
    looks = [look for topic in _OF_DATA if (look := estate.look(topic, data.id)) is not None]
    return data.held_at(held_at((looks[0].errand,) if looks else estate.audit.errands))


def things(estate: Estate) -> Iterator[HostSpec | Equipment]:
    """Machines, then equipment, in the order of the plan."""
    yield from estate.plan.hosts
    yield from estate.plan.inventory.equipment


def device_of(estate: Estate, name: str) -> Device | None:
    """What sort of thing that is; None for what is neither a machine nor a piece of equipment."""
    return next((item.kind for item in things(estate) if item.id == name), None)


def once(check: Check) -> Check:
    """A check over facts that may say one thing twice (two addresses, a mount over another): the first one counts."""

    @wraps(check)
    def first(estate: Estate) -> Iterator[Weakness]:
        told: set[str] = set()
        for found in check(estate):
            if found.subject not in told:
                told.add(found.subject)
                yield found

    return first


def today(estate: Estate) -> date:
    """The day of the audit where its people are."""
    return estate.now.astimezone(ZoneInfo(estate.plan.timezone)).date()


def whole(estate: Estate, topic: Topic, subject: str) -> bool:
    """Whether that look was made and left nothing out: only then may a rule say that something is not there."""
    look = estate.look(topic, subject)
    return look is not None and not look.gaps


def wall(estate: Estate, span: Span, calendar: str) -> timedelta:
    """The shortest that a need lasts on the clock: what must hold whenever the outage begins."""
    return least_wall(span, estate.plan.calendars.get(calendar))


def needed_rpo(estate: Estate, data: str) -> timedelta | None:
    """How old a copy may be: the strictest need of what uses it, else the promise of its protection; None: nobody said."""
    spans = [
        wall(estate, item.need.rpo, item.need.calendar)
        for item in estate.plan.applications
        if data in item.data
    ]
    if not spans:
        spans = [item.protection.rpo.wall for item in estate.plan.data_sets if item.id == data]
    return min(spans, default=None)


def names(estate: Estate, found: Iterable[str]) -> str:
    """Several things as a person calls them."""
    return ", ".join(estate.name_of(item) for item in found)


def day(when: date) -> str:
    """A day as it is written in France."""
    return f"{when:%d/%m/%Y}"


def percent(share: float) -> str:
    """A share (0 to 1) in percent: one decimal below ten, none above."""
    hundred = share * 100
    text = f"{hundred:.0f}" if hundred >= 9.95 else f"{hundred:.1f}".replace(".", ",").replace(",0", "")
    return f"{text} %"


def grouped(count: int) -> str:
    """A large count, its digits by three as in France."""
    return f"{count:,}".replace(",", " ")


def counted(count: int, one: str, many: str = "") -> str:
    """A count of things as `say_count` says it, the digits of a large one by three."""
    return say_count(count, one, many).replace(str(count), grouped(count), 1)


def number(value: float) -> str:
    """A figure with at most one decimal, in French."""
    return f"{value:.1f}".rstrip("0").rstrip(".").replace(".", ",")
