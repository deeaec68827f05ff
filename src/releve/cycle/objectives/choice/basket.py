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
        self._users: dict[tuple[str, str], set[str]] = {}
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
                self._users.setdefault((used[1], self.home.scope(used)), set()).add(used[0])
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
                self._users[used[1], self.home.scope(used)].discard(used[0])
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
            users = self._users.get((name, scope), ())
            if users:
                units = units_for(offer, sum(self.home.load((user, name)) for user in users))
                total += units * (offer.initial + years * offer.yearly)
                total += years * sum(offer.volume_cents(self.home.subjects[user].volume) for user in users)
        return total
