"""What people say of an outage, as values: answers, the places they come from, what suppliers promise.

Declared by persons and kept with who, when and why; nothing here is derived. A level goes from 1
(minor) to 4 (critical); a curve has one level a step of the ladder of outage lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from releve.domain.periods import Period
from releve.domain.plan import DataKind, Sensitivity
from releve.domain.units import Clock, Span

# Proposed values, for what nobody settled yet; shown as such.
NO_TIME = Span()
START = Span(300.0)  # to start an application
CHECK = Span(600.0)  # for its people to see that it works
RETYPE_BUDGET = Span(7200.0)  # what may be typed again after an outage

Curve = tuple[int, ...]  # a level (1-4) for each step of the ladder, shortest outage first
Impact = Mapping[str, Curve]  # criterion code -> curve


@dataclass(frozen=True, slots=True)
class Establishment:
    """A place that uses applications. `calendar`: its opening hours; empty: day and night.

    `weight`: its share of the activity (places, or budget: one unit for the whole association).
    `applications`: those that it uses; empty: all of the plan's.
    """

    id: str
    name: str
    calendar: str = ""
    weight: float = 1.0
    applications: tuple[str, ...] = ()

    def uses(self, application: str) -> bool:
        """Whether it works with `application`."""
        return not self.applications or application in self.applications


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """What is typed into an application. `entries`: a day. `retype_hours`: to type a lost day again.

    `paper`: whether it can be typed again from something; where it cannot, nobody is asked the hours (None). `volume`: bytes, or None when not said.
    """

    kinds: str
    entries: int
    retype_hours: float | None
    paper: bool
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person says of one application at one establishment.

    `in_period`: the same in a critical period, by period id. `copes_for`: how long work goes on
    without it, on paper. `source`: "file:line" or "registre", for whoever asks where a figure comes from.
    """

    application: str
    establishment: str
    by: str  # a function: "infirmière coordinatrice"
    on: date
    why: str
    impact: Impact
    in_period: Mapping[str, Impact] = field(default_factory=dict)
    copes_for: Span | None = None
    data: DataAnswer | None = None
    source: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it one: application, establishment, respondent. A newer one replaces it."""
        return (self.application, self.establishment, self.by)


@dataclass(frozen=True, slots=True)
class Settled:
    """A need settled by a named person where rules or people disagree."""

    application: str
    establishment: str  # empty: wherever it is used
    rto: Span
    by: str
    on: date
    why: str


class ComponentKind(StrEnum):
    """What a component is."""

    SERVER = "server"
    LINK = "link"
    STORAGE = "storage"
    NETWORK = "network"
    POWER = "power"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Component:
    """A server, a link, a store: what applications and data stand on.

    `carries`: applications and data sets; `needs`: other components; `rebuild`: to put it back, when it
    is known; `automatic`: something takes over from it by itself in that time (a second link, a battery).
    """

    id: str
    name: str
    kind: ComponentKind
    carries: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    rebuild: Span | None = None
    automatic: Span | None = None

    @property
    def machine(self) -> bool:
        """Whether what it carries is lost with it, and people of the association put it back."""
        return self.kind in {ComponentKind.SERVER, ComponentKind.STORAGE}


@dataclass(frozen=True, slots=True)
class SupplierPromise:
    """What a supplier commits to on one application or component.

    `respond`: GTI; `restore`: GTR; `calendar`: the service hours in which both run (empty: day and
    night). `availability`: percent, as contracts write it; it bounds no single outage.
    """

    on: str
    respond: Span | None = None
    restore: Span | None = None
    calendar: str = ""
    availability: float | None = None
    loss: Span | None = None
    excludes: str = ""


def in_window(span: Span, calendar: str) -> Span:
    """What a promise is counted in: with service hours, "4 h" is four hours of them."""
    return Span(span.seconds, Clock.BUSINESS) if calendar and span.clock is Clock.WALL else span


@dataclass(frozen=True, slots=True)
class Supplier:
    """A company that something depends on."""

    id: str
    name: str
    promises: tuple[SupplierPromise, ...] = ()


@dataclass(frozen=True, slots=True)
class Relief:
    """What the relief site has to recover with. Bytes, bytes a second, whole units.

    `calendar`: when its people are there (empty: always); `on_call`: how long they take to come
    outside these hours (None: nobody comes before the next opening).
    """

    processors: int
    memory: int
    restores: int  # restores at once, each at `throughput`
    throughput: float
    people: int
    link: float = 0.0  # 0: restores do not cross a link
    calendar: str = ""
    on_call: Span | None = None
    detection: tuple[Span, Span, Span] | None = None  # p10, p50, p90 when nothing was measured
    decision: tuple[Span, Span, Span] | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """How an application comes back when Relève does not switch it: what each part takes.

    `install`, `start`: machine time; `check`: a person's; `hourly_cost`: what an hour without it costs.
    `automatic`: it comes back by itself in that time when a machine fails (a second link, a battery); the
    loss of the site or of the data still takes people. `local`: it has no sense away from its site (power,
    nurse call): the loss of the site does not ask for it back. `kind`, `sensitivity`: of data that the plan
    does not declare as a data set.
    """

    application: str
    install: Span = NO_TIME
    start: Span = START
    check: Span = CHECK
    memory: int = 0
    processors: int = 1
    volume: int | None = None
    hourly_cost: float | None = None
    automatic: Span | None = None
    local: bool = False
    kind: DataKind | None = None
    sensitivity: Sensitivity | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a scenario is expected, a year; said by somebody."""

    scenario: str
    per_year: float
    who: str = ""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What an association changes of the scale: the weight of a criterion, its unacceptable level."""

    criterion: str
    weight: float
    unacceptable: int


@dataclass(frozen=True, slots=True)
class Objectives:
    """Everything people said, beside the plan. `statements` come from files of their own."""

    establishments: tuple[Establishment, ...]
    periods: tuple[Period, ...] = ()
    statements: tuple[Statement, ...] = ()
    settled: tuple[Settled, ...] = ()
    components: tuple[Component, ...] = ()
    suppliers: tuple[Supplier, ...] = ()
    relief: Relief | None = None
    recoveries: tuple[Recovery, ...] = ()
    rates: tuple[Rate, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    retype_budget: Span = RETYPE_BUDGET

    def establishment(self, wanted: str) -> Establishment:
        """The establishment of that id. Raises KeyError."""
        for item in self.establishments:
            if item.id == wanted:
                return item
        raise KeyError(wanted)
