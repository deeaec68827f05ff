"""What a selection gives: times obtained, demands broken, money. Pure, and without any solver.

    own(a)    = time of its relief mode + the restores of its data sets, one after the other
    back(a)   = own(a) + the slowest of what it needs
    RTO(a)    = reaction + back(a)
    RTO(d)    = reaction + restore(d)
    RPO(a)    = the worst of its data sets

A data set is recovered from ONE copy, which gives both its RPO and its restore: the quickest of the
chosen ones that is fresh enough for what was asked, or the freshest when none is. The chain adds up
because a resource must be back before what needs it is rebuilt (RTO of a resource = RTO of the
application minus its own rebuild time).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from releve.cycle.objectives.choice.estate import Estate, Selection, rpo_bounds
from releve.cycle.objectives.choice.prices import Offer, Serves
from releve.cycle.objectives.choice.wishes import (
    Demand,
    Loss,
    Objective,
    Subject,
    SubjectKind,
    Wish,
    counts,
    respected,
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """From what something comes back: the offer, seconds of data lost, seconds of work."""

    offer: str
    rpo: int
    seconds: int


class Measure:
    """Times under a selection. `bounds`: what was asked of each data set (`rpo_bounds`)."""

    def __init__(self, home: Estate, chosen: Selection, bounds: Mapping[tuple[str, str], int]) -> None:
        self.home = home
        self.chosen = chosen
        self.bounds = bounds
        self._back: dict[tuple[str, Loss], int | None] = {}

    def copy(self, data_set: str, loss: Loss) -> Recovery | None:
        """The copy that a data set is recovered from after a loss; None where there is none."""
        subject = self.home.subjects[data_set]
        found = []
        for offer in self._offers(subject, Serves.DATA_SET, loss):
            seconds = offer.restore_seconds(subject.volume)
            if seconds is not None and offer.rpo is not None:
                found.append(Recovery(offer.id, offer.rpo, seconds))
        bound = self.bounds.get((data_set, loss.value))
        fresh = [one for one in found if bound is None or one.rpo <= bound]
        if fresh:
            return min(fresh, key=lambda one: (one.seconds, one.rpo, one.offer))
        return min(found, key=lambda one: (one.rpo, one.seconds, one.offer), default=None)

    def relief(self, application: str, loss: Loss) -> Recovery | None:
        """The relief that brings an application back soonest."""
        offers = self._offers(self.home.subjects[application], Serves.APPLICATION, loss)
        found = [Recovery(offer.id, 0, offer.rto) for offer in offers if offer.rto is not None]
        return min(found, key=lambda one: (one.seconds, one.offer), default=None)

    def own(self, application: str, loss: Loss) -> int | None:
        """Seconds of its own work, or None where something is missing."""
        relief = self.relief(application, loss)
        copies = [self.copy(name, loss) for name in dict.fromkeys(self.home.subjects[application].uses)]
        if relief is None or None in copies:
            return None
        return relief.seconds + sum(copy.seconds for copy in copies if copy is not None)

    def back(self, application: str, loss: Loss) -> int | None:
        """Seconds of work until it is back, with all that it needs."""
        if (application, loss) not in self._back:
            for name in self.home.below([application]):
                if (name, loss) not in self._back:
                    below = [self._back[needed, loss] for needed in self.home.subjects[name].needs]
                    own = self.own(name, loss)
                    self._back[name, loss] = (
                        None
                        if own is None or None in below
                        else own + max((b for b in below if b is not None), default=0)
                    )
        return self._back[application, loss]

    def obtained(self, wish: Wish) -> int | None:
        """Seconds that the wish gets; None where nothing brings it back."""
        subject = self.home.subjects[wish.subject]
        application = subject.kind is SubjectKind.APPLICATION
        if wish.objective is Objective.RPO:
            copies = [self.copy(name, wish.loss) for name in (subject.uses if application else (subject.id,))]
            return None if None in copies else max((c.rpo for c in copies if c is not None), default=0)
        if application:
            seconds = self.back(subject.id, wish.loss)
        else:
            copy = self.copy(subject.id, wish.loss)
            seconds = None if copy is None else copy.seconds
        return None if seconds is None else self.home.reaction + seconds

    def keeps(self, demand: Demand) -> bool:
        """Whether a demand holds."""
        if isinstance(demand, Wish):
            seconds = self.obtained(demand)
            return seconds is not None and seconds <= demand.seconds
        offers = (self.home.offers[name] for name in self.chosen.get(demand.subject, ()))
        return respected(demand.rule, self.home.subjects[demand.subject], offers)

    def _offers(self, subject: Subject, serves: Serves, loss: Loss) -> Iterable[Offer]:
        for name in self.chosen.get(subject.id, ()):
            offer = self.home.offers[name]
            if offer.serves is serves and counts(offer, subject, loss):
                yield offer


def broken(
    home: Estate,
    chosen: Selection,
    active: Iterable[Demand],
    bounds: Mapping[tuple[str, str], int] | None = None,
) -> list[Demand]:
    """The demands of `active` that a selection does not keep. `bounds`: of everything asked, when known."""
    asked = list(active)
    measure = Measure(home, chosen, rpo_bounds(home, asked) if bounds is None else bounds)
    return [demand for demand in asked if not measure.keeps(demand)]


def most(
    home: Estate, active: Iterable[Demand], within: Iterable[str] | None = None
) -> dict[str, frozenset[str]]:
    """The selection of everything that may be bought: what it breaks, nothing can keep."""
    allowed = home.allowed(active, within)
    return home.selection((subject, offer) for subject, offers in allowed.items() for offer in offers)


@dataclass(frozen=True, slots=True)
class Line:
    """What is paid for one offer within one scope, in cents. `users`: subject ids that use it.

    `scope`: a subject id, a site id, or empty for the whole association. `units`: how many are bought.
    `yearly` includes what is paid by volume. `total` = initial + years × yearly.
    """

    offer: str
    scope: str
    users: tuple[str, ...]
    units: int
    initial: int
    yearly: int
    total: int


def bill(home: Estate, chosen: Selection) -> tuple[Line, ...]:
    """What a selection costs, line by line; the total is the sum of the lines, to the cent."""
    groups: dict[tuple[str, str], list[str]] = {}
    for subject in home.subjects:
        for used in sorted(chosen.get(subject, ())):
            groups.setdefault((used, home.scope((subject, used))), []).append(subject)
    lines = []
    for (name, scope), users in groups.items():
        offer = home.offers[name]
        units = units_for(offer, sum(home.load((user, name)) for user in users))
        volume = sum(offer.volume_cents(home.subjects[user].volume) for user in users)
        initial, yearly = units * offer.initial, units * offer.yearly + volume
        total = initial + home.prices.years * yearly
        lines.append(Line(name, scope, tuple(users), units, initial, yearly, total))
    return tuple(lines)


def units_for(offer: Offer, load: int) -> int:
    """How many units bear a load (at least one)."""
    capacity = offer.capacity_bytes or offer.capacity_applications
    return max(1, -(-load // capacity)) if capacity else 1
