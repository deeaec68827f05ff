"""The subjects, what is asked for them and what can be bought for each, made ready to compute with. Pure.

A *selection* says what each subject uses: subject id -> ids of offers, what they require included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from releve.cycle.objectives.choice.prices import Offer, Per, PriceList, Serves
from releve.cycle.objectives.choice.wishes import (
    RULES,
    Demand,
    Duty,
    Objective,
    Subject,
    SubjectKind,
    Wish,
    duties,
    elsewhere,
    forbids,
)
from releve.domain.errors import BadInput

Selection = Mapping[str, frozenset[str]]
Pick = tuple[str, str]  # subject id, offer id


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything by id. `order`: applications, what is needed before what needs it."""

    subjects: Mapping[str, Subject]
    wishes: tuple[Wish, ...]
    duties: tuple[Duty, ...]
    prices: PriceList
    offers: Mapping[str, Offer]
    order: Mapping[str, int]
    users: Mapping[str, tuple[str, ...]]  # data set id -> ids of the applications that use it
    needed_by: Mapping[str, tuple[str, ...]]  # application id -> ids of those that need it
    asked_of: Mapping[str, tuple[Demand, ...]] = field(default_factory=dict)  # subject id -> its demands

    @property
    def demands(self) -> tuple[Demand, ...]:
        """Wishes first, then duties: people before rules."""
        return (*self.wishes, *self.duties)

    @property
    def reaction(self) -> int:
        """Seconds of detection and decision; nothing where nobody said."""
        return self.prices.reaction or 0

    def direct(self, subject: Subject) -> tuple[Offer, ...]:
        """What can be chosen for a subject itself."""
        serves = Serves.APPLICATION if subject.kind is SubjectKind.APPLICATION else Serves.DATA_SET
        return tuple(
            offer
            for offer in self.prices.offers
            if offer.serves is serves
            and (not offer.only or subject.id in offer.only)
            and not (subject.bound and serves is Serves.APPLICATION and elsewhere(offer, subject))
        )

    def implied(self, pick: Pick) -> tuple[Pick, ...]:
        """What a pick requires at once: for the same subject, or for the data sets of an application."""
        subject, offer = self.subjects[pick[0]], self.offers[pick[1]]
        found: list[Pick] = []
        for wanted in offer.requires:
            copies = self.offers[wanted].serves is Serves.DATA_SET and subject.kind is SubjectKind.APPLICATION
            found += [(name, wanted) for name in (subject.uses if copies else (subject.id,))]
        return tuple(found)

    def closure(self, picks: Iterable[Pick]) -> set[Pick]:
        """The picks and all that they require."""
        done: set[Pick] = set()
        waiting = list(picks)
        while waiting:
            pick = waiting.pop()
            if pick not in done:
                done.add(pick)
                waiting += self.implied(pick)
        return done

    def selection(self, picks: Iterable[Pick]) -> dict[str, frozenset[str]]:
        """The picks, completed, subject by subject."""
        found: dict[str, set[str]] = {}
        for subject, offer in self.closure(picks):
            found.setdefault(subject, set()).add(offer)
        return {subject: frozenset(offers) for subject, offers in found.items()}

    def allowed(
        self, active: Iterable[Demand], within: Iterable[str] | None = None
    ) -> dict[str, tuple[str, ...]]:
        """What may be chosen for each subject once the duties that forbid have forbidden.

        The only duty that forbids is the one on health data; every other demand is only ever helped by
        one protection more. `within`: only these subjects.
        """
        health = {d.subject for d in active if isinstance(d, Duty) and d.rule == "hds"}

        def may(pick: Pick) -> bool:
            offer = self.offers[pick[1]]
            if offer.only and pick[0] not in offer.only:
                return False
            return not (pick[0] in health and forbids(offer))

        return {
            subject.id: tuple(
                offer.id
                for offer in self.direct(subject)
                if all(map(may, self.closure([(subject.id, offer.id)])))
            )
            for subject in (
                self.subjects.values() if within is None else map(self.subjects.__getitem__, within)
            )
        }

    def scope(self, pick: Pick) -> str:
        """Who pays an offer together: the subject alone, an establishment (its site), or all ("")."""
        offer = self.offers[pick[1]]
        if offer.each:
            return pick[0]
        return self.subjects[pick[0]].site if offer.per is Per.ESTABLISHMENT else ""

    def load(self, pick: Pick) -> int:
        """What a subject puts on a shared offer: bytes of a data set, or one application."""
        subject, offer = self.subjects[pick[0]], self.offers[pick[1]]
        if subject.kind is SubjectKind.DATA_SET:
            return subject.volume if offer.capacity_bytes else 0
        return 0 if offer.capacity_bytes or not offer.capacity_applications else 1

    def below(self, applications: Iterable[str]) -> list[str]:
        """The applications and all that they need, needed ones first."""
        found: set[str] = set()
        waiting = list(applications)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.subjects[name].needs
        return sorted(found, key=self.order.__getitem__)

    def touched(self, subject: str) -> list[Demand]:
        """Every demand that a change at `subject` can break."""
        found: dict[Demand, None] = dict.fromkeys(self.asked_of.get(subject, ()))
        waiting = [subject, *self.users.get(subject, ())]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            found.update(dict.fromkeys(d for d in self.asked_of.get(name, ()) if isinstance(d, Wish)))
            waiting += self.needed_by.get(name, ())
        return list(found)


def estate(
    subjects: Iterable[Subject],
    wishes: Iterable[Wish],
    prices: PriceList,
    rules: Iterable[str] = tuple(RULES),
) -> Estate:
    """The estate. Raises BadInput on two subjects of one id, an unknown name, a circle of needs."""
    everything = tuple(subjects)
    by_id = {subject.id: subject for subject in everything}
    if len(by_id) < len(everything):
        raise BadInput("subject-twice", "deux éléments du plan portent le même identifiant")
    asked = tuple(wishes)
    users: dict[str, list[str]] = {}
    needed_by: dict[str, list[str]] = {}
    for subject in everything:
        for names, kind, back in (
            (subject.uses, SubjectKind.DATA_SET, users),
            (subject.needs, SubjectKind.APPLICATION, needed_by),
        ):
            for name in names:
                if name not in by_id or by_id[name].kind is not kind:
                    raise BadInput(
                        "subject-unknown",
                        f"« {subject.id} » renvoie à « {name} », que le plan ne connaît pas",
                    )
                back.setdefault(name, []).append(subject.id)
    for wish in asked:
        if wish.subject not in by_id:
            raise BadInput(
                "subject-unknown", f"un souhait porte sur « {wish.subject} », que le plan ne connaît pas"
            )
        if wish.seconds < 0:
            raise BadInput("duration", f"le souhait « {wish.id} » est une durée négative")
    duty = tuple(duties(everything, rules))
    asked_of: dict[str, list[Demand]] = {}
    demands: tuple[Demand, ...] = (*asked, *duty)
    for demand in demands:
        asked_of.setdefault(demand.subject, []).append(demand)
    offers = {offer.id: offer for offer in prices.offers}
    _no_circle(offers)
    return Estate(
        by_id,
        asked,
        duty,
        prices,
        offers,
        _order(by_id),
        {name: tuple(found) for name, found in users.items()},
        {name: tuple(found) for name, found in needed_by.items()},
        {name: tuple(found) for name, found in asked_of.items()},
    )


def _order(subjects: Mapping[str, Subject]) -> dict[str, int]:
    waiting = {s.id: len(set(s.needs)) for s in subjects.values() if s.kind is SubjectKind.APPLICATION}
    above: dict[str, list[str]] = {}
    for name in waiting:
        for needed in set(subjects[name].needs):
            above.setdefault(needed, []).append(name)
    ready = [name for name, count in waiting.items() if count == 0]
    for name in ready:  # grows while it is read
        for user in above.get(name, ()):
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    if len(ready) < len(waiting):
        stuck = sorted(set(waiting) - set(ready))
        raise BadInput(
            "needs-circle",
            "des applications s'attendent en cercle",
            context={"applications": ", ".join(stuck[:12])},
        )
    return {name: position for position, name in enumerate(ready)}


def _no_circle(offers: Mapping[str, Offer]) -> None:
    done: set[str] = set()
    while len(done) < len(offers):
        free = [o.id for o in offers.values() if o.id not in done and done.issuperset(o.requires)]
        if not free:
            raise BadInput(
                "requires-circle",
                "des protections de la liste de prix se demandent en cercle, ou demandent une inconnue",
            )
        done.update(free)


def rpo_bounds(home: Estate, active: Iterable[Demand]) -> dict[tuple[str, str], int]:
    """(data set id, loss) -> the strictest RPO asked of it, by itself or by an application, in seconds."""
    bounds: dict[tuple[str, str], int] = {}
    for demand in active:
        if isinstance(demand, Wish) and demand.objective is Objective.RPO:
            subject = home.subjects[demand.subject]
            for name in subject.uses if subject.kind is SubjectKind.APPLICATION else (subject.id,):
                key = (name, demand.loss.value)
                bounds[key] = min(demand.seconds, bounds.get(key, demand.seconds))
    return bounds
