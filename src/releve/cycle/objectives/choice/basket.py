"""A selection that changes one pick at a time, with what each pick requires. The only mutable thing here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from releve.cycle.objectives.choice.estate import Estate, Pick, rpo_bounds
from releve.cycle.objectives.choice.measure import broken, units_for
from releve.cycle.objectives.choice.wishes import Demand


class Basket:
    """Picks and what follows from them; `broken_by` and `change` look only at what moved."""

    def __init__(self, home: Estate, picks: Iterable[Pick], active: Sequence[Demand]) -> None:
        self.home = home
        self.picks: set[Pick] = set()
        self.chosen: dict[str, frozenset[str]] = {}
        self._uses: Counter[Pick] = Counter()
        self._shared: dict[tuple[str, str], list[int]] = {}  # (offer, scope) -> users, load, cents of volume
        self._bounds = rpo_bounds(home, active)
        known = set(home.demands)
        self._extra = [demand for demand in active if demand not in known]
        for pick in picks:
            self.add(pick)

    def add(self, pick: Pick) -> list[Pick]:
        """Choose; what is used from now on."""
        self.picks.add(pick)
        new = []
        for used in self.home.closure([pick]):
            self._uses[used] += 1
            if self._uses[used] == 1:
                new.append(used)
                self.chosen[used[0]] = self.chosen.get(used[0], frozenset()) | {used[1]}
                self._count(used, 1)
        return new

    def drop(self, pick: Pick) -> list[Pick]:
        """Choose no more; what is not used any longer."""
        self.picks.discard(pick)
        gone = []
        for used in self.home.closure([pick]):
            self._uses[used] -= 1
            if self._uses[used] == 0:
                gone.append(used)
                self.chosen[used[0]] -= {used[1]}
                self._count(used, -1)
        return gone

    def broken_by(self, moved: Iterable[Pick]) -> list[Demand]:
        """The demands that do not hold (any longer) where something moved."""
        touched = dict.fromkeys(d for subject, _ in moved for d in self.home.touched(subject))
        touched.update(dict.fromkeys(self._extra))
        return broken(self.home, self.chosen, touched, self._bounds)

    def cost(self, moved: Iterable[Pick]) -> int:
        """What the offers of `moved` cost today within their scopes, over the years, in cents."""
        total = 0
        years = self.home.prices.years
        for name, scope in dict.fromkeys((used[1], self.home.scope(used)) for used in moved):
            offer = self.home.offers[name]
            users, load, volume = self._shared.get((name, scope), (0, 0, 0))
            if users:
                total += units_for(offer, load) * (offer.initial + years * offer.yearly) + years * volume
        return total

    def _count(self, used: Pick, sign: int) -> None:
        """Kept as sums: what thousands share is not added up again for each question."""
        offer = self.home.offers[used[1]]
        sums = self._shared.setdefault((offer.id, self.home.scope(used)), [0, 0, 0])
        sums[0] += sign
        sums[1] += sign * self.home.load(used)
        sums[2] += sign * offer.volume_cents(self.home.subjects[used[0]].volume)
