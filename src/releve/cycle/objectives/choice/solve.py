"""The cheapest protections that keep every wish and every rule, proven or with its gap.

The model is linear (`docs/decisions/0021`): a boolean for each offer that a subject may use, one for
the copy or the relief that each is brought back from, whole seconds for the chain of applications,
whole units for what is shared. Everything is counted in whole cents and whole seconds, rounded to the
prudent side. One worker, a fixed seed and a limit of work instead of time: the same question has the
same answer on every machine. What the solver says is measured again without it (`measure`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from releve.cycle.objectives.choice.arbitration import Arbitration, arbitrated
from releve.cycle.objectives.choice.basket import Basket
from releve.cycle.objectives.choice.conflict import Conflict, conflict
from releve.cycle.objectives.choice.estate import Estate, Pick, estate, rpo_bounds
from releve.cycle.objectives.choice.measure import Line, Measure, bill, broken
from releve.cycle.objectives.choice.parts import parts
from releve.cycle.objectives.choice.prices import Offer, Per, PriceList
from releve.cycle.objectives.choice.wishes import (
    RULES,
    WANTED,
    Demand,
    Loss,
    Objective,
    Subject,
    SubjectKind,
    Wish,
    counts,
)

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the proof is carried. `work`: deterministic units of the solver, not seconds.

    `gap`: the solver may stop once within this part of the optimum (0: carried to the end). `whole`: an
    estate of more subjects than this is solved by parts first, and as a whole only if that leaves a gap
    above `wide`.
    """

    work: float = 4.0
    gap: float = 0.0
    seed: int = 1
    whole: int = 800
    wide: float = 0.01


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a wish gets. `obtained`: seconds (≤ wish.seconds). `instead_of`: the wish before arbitration."""

    wish: Wish
    obtained: int
    instead_of: Wish | None = None
    arbitration: Arbitration | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The purchase. `picks`: what is chosen, (subject, offer), without what only follows from it.

    `chosen`: all that each subject uses. Amounts in cents: `total` = initial + years × yearly = sum of
    the lines. `bound` ≤ any total that keeps everything; `gap` = (total - bound) / total.
    """

    home: Estate
    picks: tuple[Pick, ...]
    chosen: Mapping[str, frozenset[str]]
    lines: tuple[Line, ...]
    kept: tuple[Kept, ...]
    bound: int

    @property
    def initial(self) -> int:
        """What is paid once."""
        return sum(line.initial for line in self.lines)

    @property
    def yearly(self) -> int:
        """What is paid each year."""
        return sum(line.yearly for line in self.lines)

    @property
    def total(self) -> int:
        """All of it, over the years of the price list."""
        return sum(line.total for line in self.lines)

    @property
    def gap(self) -> float:
        """How much cheaper another choice could still be, as a part of the total."""
        return (self.total - self.bound) / self.total if self.total else 0.0

    @property
    def proven(self) -> bool:
        """Whether nothing cheaper keeps everything."""
        return self.bound >= self.total

    @property
    def shared(self) -> tuple[Line, ...]:
        """What several pay together."""
        return tuple(line for line in self.lines if not self.home.offers[line.offer].each)

    def obtained(self, wish: Wish) -> int | None:
        """Seconds that any wish would get from this choice; None where nothing brings it back."""
        return Measure(self.home, self.chosen, rpo_bounds(self.home, self.home.wishes)).obtained(wish)


def choose(
    subjects: Iterable[Subject],
    wishes: Iterable[Wish],
    prices: PriceList,
    *,
    rules: Iterable[str] = tuple(RULES),
    arbitrations: Iterable[Arbitration] = (),
    today: date | None = None,
    limits: Limits = LIMITS,
) -> Choice | Conflict:
    """The cheapest choice, or why there is none.

    Arbitrations in force on `today` loosen the wishes that they are about; without a day, none is in force. Raises BadInput as `estate`.
    """
    relaxed, reasons = arbitrated(wishes, arbitrations, today)
    home = estate(subjects, relaxed, prices, tuple(rules))
    against = conflict(home)
    if against is not None:
        return against
    found = cheapest(home, limits)
    if found is None:
        raise AssertionError("what can be kept has a choice")
    picks, bound = found
    return settle(home, picks, bound, reasons)


def settle(
    home: Estate, picks: Iterable[Pick], bound: int, reasons: Mapping[str, tuple[Wish, Arbitration]]
) -> Choice:
    """The choice made of some picks, measured without the solver."""
    picked = tuple(sorted(picks))
    chosen = home.selection(picked)
    lost = broken(home, chosen, home.demands)
    if lost:
        raise AssertionError(f"the choice breaks {lost[0].id}")
    measure = Measure(home, chosen, rpo_bounds(home, home.wishes))
    kept = []
    for wish in home.wishes:
        before, decision = reasons.get(wish.id, (None, None))
        kept.append(Kept(wish, measure.obtained(wish) or 0, before, decision))
    lines = bill(home, chosen)
    if bound > sum(line.total for line in lines):
        raise AssertionError("a bound above a choice that keeps everything bounds nothing")
    return Choice(home, picked, chosen, lines, tuple(kept), bound)


def cheapest(
    home: Estate, limits: Limits, bounded: Sequence[tuple[Wish, int]] = ()
) -> tuple[set[Pick], int] | None:
    """Picks that keep every demand and each wish of `bounded` within its seconds, and a bound in cents.

    None when no purchase does. `bounded` wishes are asked besides those of the estate. A large estate is
    solved part by part first; as a whole only where that leaves too wide a gap.
    """
    extra = [_within(wish, seconds) for wish, seconds in bounded]
    active: list[Demand] = [*home.wishes, *extra, *home.duties]
    found: tuple[set[Pick], int] | None = None
    if len(home.subjects) > limits.whole:
        found = _by_parts(home, limits, extra)
        if found is None:
            return None
        picks = thinned(home, found[0], active)
        total = sum(line.total for line in bill(home, home.selection(picks)))
        found = picks, found[1]
        if total - found[1] <= limits.wide * total:
            return found
    answer = _solved(home, limits, extra)
    if answer is None:
        return None
    picks, bound = answer
    picks = thinned(home, picks, active)
    if found is None:
        return picks, bound
    totals = [sum(line.total for line in bill(home, home.selection(p))) for p in (picks, found[0])]
    return (picks if totals[0] <= totals[1] else found[0]), max(bound, found[1])


def _by_parts(home: Estate, limits: Limits, extra: Sequence[Wish]) -> tuple[set[Pick], int] | None:
    """Each part for itself, paying its part of what the association shares: never more than its price.

    So the sum of the parts is a bound: what is shared costs at least what they paid for it.
    """
    pieces = parts(home)
    picks: set[Pick] = set()
    bound = 0
    for piece in pieces:
        answer = _solved(piece, limits, [w for w in extra if w.subject in piece.subjects], home, len(pieces))
        if answer is None:
            return None
        picks |= answer[0]
        bound += answer[1]
    return picks, bound


def _solved(
    home: Estate, limits: Limits, extra: Sequence[Wish], whole: Estate | None = None, count: int = 1
) -> tuple[set[Pick], int] | None:
    """The picks of the solver, not thinned, and its bound. `whole`, `count`: what this is a part of."""
    from ortools.sat.python import cp_model

    problem = _Problem(home, [*home.wishes, *extra], whole, count)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = limits.seed
    solver.parameters.max_deterministic_time = limits.work
    solver.parameters.relative_gap_limit = limits.gap
    solver.parameters.linearization_level = 2  # without it 2,400 applications stay a third from the proof
    status = solver.solve(problem.model)
    if status == cp_model.INFEASIBLE:
        return None
    if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        picks = {pick for pick, used in problem.use.items() if problem.direct(pick) and solver.value(used)}
        return picks, math.ceil(solver.best_objective_bound - 1e-6)
    # the limit came before any answer: everything allowed, to be thinned out
    picks = {(name, offer) for name, offers in problem.allowed.items() for offer in offers}
    active: list[Demand] = [*home.wishes, *extra, *home.duties]
    return None if broken(home, home.selection(picks), active) else (picks, 0)


def _within(wish: Wish, seconds: int) -> Wish:
    return Wish(f"{wish.id}<={seconds}", wish.subject, wish.objective, seconds, loss=wish.loss)


def thinned(home: Estate, picks: Iterable[Pick], active: Sequence[Demand]) -> set[Pick]:
    """The picks without those that nothing needs, the dearest let go first."""
    basket = Basket(home, picks, active)
    for pick in sorted(basket.picks, key=lambda p: (-alone(home, p), p)):
        gone = basket.drop(pick)
        if basket.broken_by(gone):
            basket.add(pick)
    return basket.picks


def alone(home: Estate, pick: Pick) -> int:
    """What a pick and all that it requires would cost if nobody shared anything, in cents."""
    return sum(
        cents(home, home.offers[offer]) + volume_cents(home, (subject, offer))
        for subject, offer in home.closure([pick])
    )


def cents(home: Estate, offer: Offer) -> int:
    """One unit, over the years, without what is paid by volume."""
    return offer.initial + home.prices.years * offer.yearly


def volume_cents(home: Estate, pick: Pick) -> int:
    """What the volume of a subject costs on an offer, over the years."""
    return home.prices.years * home.offers[pick[1]].volume_cents(home.subjects[pick[0]].volume)


class _Problem:
    """The linear model of an estate, for some wishes."""

    def __init__(self, home: Estate, wishes: list[Wish], whole: Estate | None = None, count: int = 1) -> None:
        from ortools.sat.python import cp_model

        self.home = home
        self.whole = whole
        self.count = count
        self.wishes = wishes
        self.model = cp_model.CpModel()
        self.allowed = home.allowed(home.duties)
        self.use: dict[Pick, cp_model.IntVar] = {}
        self._bounds = rpo_bounds(home, wishes)
        self._from: dict[tuple[str, Loss], Any] = {}  # seconds of a restore or of a relief, linear
        self._scarcity: dict[str, bool] = {}
        self._uses()
        self._duties()
        for loss in Loss:
            self._times(loss)
        self._money()

    def direct(self, pick: Pick) -> bool:
        """Whether a subject chooses it for itself."""
        return pick[1] in self.allowed[pick[0]]

    def _uses(self) -> None:
        for name, offers in self.allowed.items():
            for pick in self.home.closure((name, offer) for offer in offers):
                if pick not in self.use:
                    self.use[pick] = self.model.new_bool_var("")
        for pick, used in self.use.items():
            for wanted in self.home.implied(pick):
                self.model.add_implication(used, self.use[wanted])

    def _duties(self) -> None:
        for duty in self.home.duties:
            if duty.rule == "hds":
                continue  # what it forbids is not allowed
            subject = self.home.subjects[duty.subject]
            offers = [self.home.offers[name] for name in self.allowed[subject.id]]
            for test in WANTED[duty.rule]:
                self.model.add_bool_or([self.use[subject.id, o.id] for o in offers if test(o, subject)])
            if duty.rule == "three-two-one":
                self.model.add(sum(self.use[subject.id, o.id] for o in offers) >= 2)

    def _times(self, loss: Loss) -> None:
        wishes = [wish for wish in self.wishes if wish.loss is loss]
        rto = [wish for wish in wishes if wish.objective is Objective.RTO]
        limits: dict[str, int] = {}
        for wish in rto:
            seconds = wish.seconds - self.home.reaction
            limits[wish.subject] = min(seconds, limits.get(wish.subject, seconds))
        timed = {name for name in limits if self._application(name)}
        chain = self.home.below(timed)
        recovered = {name for name in limits if name not in timed}
        recovered.update(name for app in chain for name in self.home.subjects[app].uses)
        for name in sorted(recovered):
            self._recover(name, loss, limits.get(name) if name not in timed else None)
        for (name, key), bound in self._bounds.items():
            if key == loss.value and name not in recovered:
                fresh = [o for o in self._copies(name, loss) if (o.rpo or 0) <= bound]
                self.model.add_bool_or([self.use[name, o.id] for o in fresh])
        self._chain(chain, limits, loss)

    def _application(self, name: str) -> bool:
        return self.home.subjects[name].kind is SubjectKind.APPLICATION

    def _copies(self, name: str, loss: Loss) -> list[Offer]:
        subject = self.home.subjects[name]
        offers = (self.home.offers[offer] for offer in self.allowed[name])
        return [o for o in offers if o.rto is not None and counts(o, subject, loss)]

    def _recover(self, name: str, loss: Loss, limit: int | None) -> None:
        """Exactly one copy (or relief) brings it back; the seconds are those of that one."""
        subject = self.home.subjects[name]
        bound = self._bounds.get((name, loss.value))
        terms, sources = [], []
        for offer in self._copies(name, loss):
            seconds = offer.restore_seconds(0 if self._application(name) else subject.volume)
            if seconds is None or (bound is not None and (offer.rpo or 0) > bound):
                continue
            if limit is not None and seconds > limit:
                continue
            source = self.model.new_bool_var("")
            self.model.add_implication(source, self.use[name, offer.id])
            sources.append(source)
            terms.append(seconds * source)
        self.model.add_exactly_one(sources)
        self._from[name, loss] = sum(terms) if terms else 0

    def _chain(self, chain: list[str], limits: Mapping[str, int], loss: Loss) -> None:
        ceiling = self._ceilings(chain, limits)
        back: dict[str, Any] = {}
        for name in chain:
            subject = self.home.subjects[name]
            top = ceiling[name]
            self._recover(name, loss, top)
            own = self._from[name, loss] + sum(self._from[used, loss] for used in dict.fromkeys(subject.uses))
            if not self.home.needed_by.get(name) and len(subject.needs) == 0:
                self.model.add(own <= top)  # nobody waits for it: no variable of its own
                continue
            back[name] = self.model.new_int_var(0, max(top, 0), "")
            self.model.add(back[name] >= own)
            for needed in dict.fromkeys(subject.needs):
                self.model.add(back[name] >= back[needed] + own)
            if top < 0:
                self.model.add_bool_or([])

    def _ceilings(self, chain: list[str], limits: Mapping[str, int]) -> dict[str, int]:
        """The latest that each may be back, by its own wish and by those of what needs it."""
        far = max(limits.values(), default=0)
        ceiling = dict.fromkeys(chain, far)
        for name in reversed(chain):
            ceiling[name] = min(ceiling[name], limits.get(name, far))
            for needed in self.home.subjects[name].needs:
                ceiling[needed] = min(ceiling[needed], ceiling[name])
        return ceiling

    def _money(self) -> None:
        costs: list[Any] = []
        groups: dict[tuple[str, str], list[Pick]] = {}
        for pick, used in self.use.items():
            offer = self.home.offers[pick[1]]
            by_volume = volume_cents(self.home, pick)
            if offer.each:
                costs.append((cents(self.home, offer) + by_volume) * used)
                continue
            costs.append(by_volume * used)
            if self.whole is not None and offer.per is Per.ASSOCIATION and self._scarce(offer):
                price, capacity = cents(self.home, offer), offer.capacity_bytes or offer.capacity_applications
                costs.append(price * self.home.load(pick) // capacity * used)
                continue
            groups.setdefault((offer.id, self.home.scope(pick)), []).append(pick)
        for (name, _), picks in groups.items():
            offer = self.home.offers[name]
            price = cents(self.home, offer)
            if self.whole is not None and offer.per is Per.ASSOCIATION:
                price //= self.count
            costs.append(price * self._units(offer, picks))
        self.model.minimize(sum(costs))

    def _scarce(self, offer: Offer) -> bool:
        """Whether the whole association could need a second unit of it: then each pays by its load."""
        capacity = offer.capacity_bytes or offer.capacity_applications
        if not capacity or self.whole is None:
            return False
        if offer.id not in self._scarcity:
            subjects = self.whole.subjects
            self._scarcity[offer.id] = sum(self.whole.load((s, offer.id)) for s in subjects) > capacity
        return self._scarcity[offer.id]

    def _units(self, offer: Offer, picks: list[Pick]) -> Any:
        capacity = offer.capacity_bytes or offer.capacity_applications
        loads = {pick: self.home.load(pick) for pick in picks}
        most_units = max(1, -(-sum(loads.values()) // capacity)) if capacity else 1
        units = self.model.new_int_var(0, most_units, "")
        for pick in picks:
            self.model.add(units >= self.use[pick])
        if most_units > 1:
            self.model.add(capacity * units >= sum(load * self.use[pick] for pick, load in loads.items()))
        return units
