"""What each shorter RTO costs: the cheapest total for every attainable one, from long to short."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from releve.cycle.objectives.choice.conflict import Conflict, conflict
from releve.cycle.objectives.choice.estate import Estate, Pick, estate, rpo_bounds
from releve.cycle.objectives.choice.measure import Measure, bill
from releve.cycle.objectives.choice.prices import PriceList
from releve.cycle.objectives.choice.solve import LIMITS, Choice, Limits, cheapest
from releve.cycle.objectives.choice.wishes import RULES, Loss, Objective, Subject, Wish
from releve.domain.errors import BadInput
from releve.domain.names import nearest
from releve.domain.units import MAX_SPAN_SECONDS, say_promise

MOST_POINTS = 60  # more steps than a person reads; `complete` says when some are missing
STEP = Fraction(1, 10)  # of the whole association: one point at least for each tenth less
_FREE = int(MAX_SPAN_SECONDS)  # a year: no wish at all, and yet it comes back


@dataclass(frozen=True, slots=True)
class Point:
    """The cheapest total (cents, over the years) with which the RTO is `seconds`.

    `factor`: of the whole association, how many times the wished RTO everything takes at worst.
    """

    seconds: int
    total: int
    initial: int
    yearly: int
    factor: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Points from long to short: `seconds` falls, `total` rises, both strictly. Totals are the whole association's.

    Nothing slower than the first point: what must be bought for other reasons gives that delay already.

    `subject` empty: the association; then `seconds` is that of its most pressing application. `need`:
    seconds wished, None where nobody said. `today`: seconds and total of the choice in hand. `proven`:
    every total is the least possible. `complete`: no shorter RTO is attainable.
    """

    subject: str
    name: str
    points: tuple[Point, ...]
    years: int
    currency: str
    need: int | None = None
    today: tuple[int, int] | None = None
    proven: bool = True
    complete: bool = True

    @property
    def legible(self) -> tuple[Point, ...]:
        """The points as a person reads them: of those that are said alike, the cheapest."""
        said = {say_promise(point.seconds): point for point in reversed(self.points)}
        return tuple(reversed(said.values()))


def must_be_known(subject: str, subjects: Iterable[Subject]) -> None:
    """Raises BadInput, with the nearest names, where none of the subjects is `subject`."""
    known = {item.id for item in subjects}
    if subject not in known:
        raise BadInput(
            "subject-unknown", f"« {subject} » n'est pas dans le plan", hint=nearest(subject, known, "")
        )


def curve_of(
    subject: str,
    subjects: Iterable[Subject],
    wishes: Iterable[Wish],
    prices: PriceList,
    *,
    rules: Iterable[str] = tuple(RULES),
    loss: Loss = Loss.SITE,
    today: Choice | None = None,
    limits: Limits = LIMITS,
    most_points: int = MOST_POINTS,
) -> Curve | Conflict:
    """The curve of one application or data set, every other wish being kept.

    The totals are those of all the subjects given. Raises BadInput on an unknown subject, and as `estate`.
    """
    asked, there = list(wishes), tuple(subjects)
    must_be_known(subject, there)
    home, own = _without(lambda w: w.subject == subject and w.loss is loss, there, asked, prices, rules)
    against = conflict(home)
    if against is not None:
        return against
    probe = Wish("courbe", subject, Objective.RTO, _FREE, loss=loss)
    need = min((wish.seconds for wish in own), default=None)
    points, proven, complete = _walk(home, [probe], limits, most_points, lambda got: (got[0], None))
    seconds = None if today is None else today.obtained(probe)
    mark = None if today is None or seconds is None else (seconds, today.total)
    name = home.subjects[subject].name
    return Curve(subject, name, points, prices.years, prices.currency, need, mark, proven, complete)


def curve_of_all(
    subjects: Iterable[Subject],
    wishes: Iterable[Wish],
    prices: PriceList,
    *,
    name: str = "L'association",
    rules: Iterable[str] = tuple(RULES),
    today: Choice | None = None,
    limits: Limits = LIMITS,
    step: Fraction = STEP,
    most_points: int = MOST_POINTS,
) -> Curve | Conflict:
    """The curve of the whole association: every RTO wish (but those of zero) longer or shorter by one factor.

    Each point is at least `step` (0 ≤ step < 1) shorter than the one before: every point is the least
    total for its delay, and points closer than that are left out (0 for every one of them), but the choice in
    hand (`today`) never is.
    `seconds` of a point is that factor times its shortest wish. Raises BadInput where nobody wished an RTO.
    """
    asked = list(wishes)
    home, own = _without(lambda w: w.seconds > 0, subjects, asked, prices, rules)
    if not own:
        raise BadInput(
            "no-wish", "aucun délai de reprise n'a été souhaité", hint="il faut au moins un besoin"
        )
    against = conflict(home)
    if against is not None:
        return against
    shortest = min(wish.seconds for wish in own)

    def placed(got: list[int]) -> tuple[int, Fraction]:
        factor = max(Fraction(seconds, wish.seconds) for seconds, wish in zip(got, own, strict=True))
        return -(-shortest * factor.numerator // factor.denominator), factor

    points, proven, complete = _walk(home, own, limits, most_points, placed, step)
    mark = None
    if today is not None:
        got = [today.obtained(wish) for wish in own]
        if None not in got:
            seconds, factor = placed([seconds for seconds in got if seconds is not None])
            mark = (seconds, today.total)
            here = Point(seconds, today.total, today.initial, today.yearly, float(factor))
            points = _with(points, here)
    return Curve("", name, points, prices.years, prices.currency, shortest, mark, proven, complete)


def _without(
    scaled: Callable[[Wish], bool],
    subjects: Iterable[Subject],
    wishes: list[Wish],
    prices: PriceList,
    rules: Iterable[str],
) -> tuple[Estate, list[Wish]]:
    own = [wish for wish in wishes if wish.objective is Objective.RTO and scaled(wish)]
    gone = {id(wish) for wish in own}
    return estate(subjects, [wish for wish in wishes if id(wish) not in gone], prices, tuple(rules)), own


def _walk(
    home: Estate,
    scaled: list[Wish],
    limits: Limits,
    most_points: int,
    placed: Callable[[list[int]], tuple[int, Fraction | None]],
    step: Fraction = Fraction(0),
) -> tuple[tuple[Point, ...], bool, bool]:
    """Buy the cheapest, see what it gives, ask for strictly better, until nothing offered gives it."""
    points: list[Point] = []
    bounds = [_FREE] * len(scaled)
    proven = True
    for _ in range(most_points):
        found = cheapest(home, limits, list(zip(scaled, bounds, strict=True)))
        if found is None:
            return tuple(points), proven, True
        picks, bound = found
        got = _obtained(home, picks, scaled)
        lines = bill(home, home.selection(picks))
        total = sum(line.total for line in lines)
        proven = proven and bound >= total
        seconds, factor = placed(got)
        while points and points[-1].total >= total:
            points.pop()  # as cheap, and shorter: the longer one is no choice
        initial, yearly = sum(line.initial for line in lines), sum(line.yearly for line in lines)
        points.append(Point(seconds, total, initial, yearly, None if factor is None else float(factor)))
        if factor is None:
            bounds = [got[0] - 1]
        else:
            less = factor * (1 - step)
            bounds = [min(math.ceil(w.seconds * factor) - 1, math.floor(w.seconds * less)) for w in scaled]
        if min(bounds) < 0:
            return tuple(points), proven, True
    return tuple(points), proven, False


def _with(points: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    """The staircase with one more step, unless a step is as short and as cheap already."""
    if any(other.seconds <= point.seconds and other.total <= point.total for other in points):
        return points
    kept = [p for p in points if p.seconds < point.seconds or p.total < point.total]
    return tuple(sorted((*kept, point), key=lambda p: -p.seconds))


def _obtained(home: Estate, picks: Iterable[Pick], wishes: list[Wish]) -> list[int]:
    measure = Measure(home, home.selection(picks), rpo_bounds(home, home.wishes))
    got = [measure.obtained(wish) for wish in wishes]
    return [seconds for seconds in got if seconds is not None]
