"""All that is to be said of an estate: its weak points, and what became of those that were known before. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.judge import Judged, accepted_of, judge, stood
from releve.cycle.audit.picture import PASSING, met
from releve.cycle.audit.rule import Standing, WeakPoint
from releve.cycle.audit.rules import RULES
from releve.cycle.audit.rules.evidence import today
from releve.cycle.audit.trend import Trend, trend, unforgotten
from releve.domain.audit import Acceptance, Answer, Look

Notes = Sequence[Acceptance | Answer]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`since` is None for a first audit."""

    judged: Judged
    since: Trend | None

    @property
    def points(self) -> tuple[WeakPoint, ...]:
        """Every point that stands: found now, or known before and not seen again."""
        return (*self.judged.points, *(self.since.unseen if self.since else ()))

    @property
    def live(self) -> tuple[WeakPoint, ...]:
        """Those of them that nobody lives with."""
        return tuple(point for point in self.points if point.standing is not Standing.ACCEPTED)

    def at(self, site: str) -> Verdict:
        """The points of one site; of all, without one. Rules that could not be verified stay."""
        mine = tuple(point for point in self.judged.points if site in {"", point.weakness.site})
        return Verdict(replace(self.judged, points=mine), self.since.at(site) if self.since else None)


def verdict(
    estate: Estate, notes: Notes, before: Sequence[Estate], notes_before: Notes, lately: Iterable[Look] = ()
) -> Verdict:
    """Judge the estate, then compare.

    `before`: what was known before, each from older looks than the one ahead of it (the newest looks, those that
    brought something, those that left nothing out); empty for a first audit. `notes_before`: what people had said.
    `lately`: looks of the topics of `PASSING`, the newest first, before those of the estate.
    """
    judged = judge(estate, notes)
    if not before:
        return Verdict(judged, None)
    still = {errand.key for errand in estate.audit.errands}
    lately = tuple(look for look in lately if look.errand.key in still)
    known = remaining = _known(before, notes_before, lately)
    if not still.issuperset(errand.key for errand in before[0].audit.errands):
        remaining = _known([_only(one, still) for one in before], notes_before, lately)
    left = {point.key for point in known} - {point.key for point in remaining}
    since = trend(known, judged.points, estate, left=left, met=_met(estate, lately))
    accepted, on = accepted_of(notes), today(estate)
    return Verdict(judged, replace(since, unseen=tuple(stood(point, accepted, on) for point in since.unseen)))


def _known(before: Sequence[Estate], notes: Notes, lately: Iterable[Look]) -> tuple[WeakPoint, ...]:
    """The points that stood before: found by then, or known and not seen again."""
    known = judge(before[0], notes).points
    for newer, older in pairwise(before):
        known = unforgotten(known, judge(older, notes).points, newer)
    keys = {point.key for point in known}
    return (*known, *(point for point in _met(before[0], lately) if point.key not in keys))


def _only(estate: Estate, still: Container[str]) -> Estate:
    """The estate without the looks that are no longer asked for."""
    errands = tuple(errand for errand in estate.audit.errands if errand.key in still)
    looks = tuple(look for look in estate.looks if look.errand.key in still)
    return replace(estate, audit=replace(estate.audit, errands=errands), looks=looks)


def _met(estate: Estate, lately: Iterable[Look]) -> tuple[WeakPoint, ...]:
    """What was met lately, judged with the plan and the words of today: what they explain is a weak point no longer."""
    passing = [look for look in estate.looks if look.errand.topic in PASSING]
    others = [look for look in estate.looks if look.errand.topic not in PASSING]
    then = replace(estate, looks=(*others, *met(passing, lately)))
    return judge(then, (), [rule for rule in RULES if rule.passing]).points
