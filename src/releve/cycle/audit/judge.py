"""An estate and what people said of it -> its weak points, the gravest first; and the rules that nothing fed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from releve.cycle.audit.errands import TOPIC_FR
from releve.cycle.audit.estate import Estate, brought
from releve.cycle.audit.rule import READ_FR, Rule, Severity, Standing, WeakPoint
from releve.cycle.audit.rules import RULES
from releve.cycle.audit.rules.evidence import today
from releve.domain.audit import Acceptance, Answer, Topic
from releve.domain.seen import Fact
from releve.domain.units import say_seconds

_ORDER = {severity: number for number, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Judged:
    """What an audit is worth. `unjudged`: the rules that could not be verified, with why, in French."""

    points: tuple[WeakPoint, ...]
    unjudged: tuple[tuple[Rule, str], ...]


def judge(estate: Estate, notes: Iterable[Acceptance | Answer], rules: Sequence[Rule] = RULES) -> Judged:
    """Run every rule. `notes`: what people said, the oldest first; answers among them are not looked at here.

    Points are in the order of severity, code and subject. Raises ValueError when a rule names one subject
    twice with two sentences: its acceptances would be worth nothing.
    """
    accepted = accepted_of(notes)
    planned = {errand.topic for errand in estate.audit.errands}
    seen = {look.errand.topic for look in estate.looks if brought(look)}
    points, unjudged = [], []
    for rule in rules:
        found = list(_points(rule, estate, accepted))
        points += found
        reason = "" if found else _unfed(rule, planned, seen, estate)
        if reason:
            unjudged.append((rule, reason))
    points.sort(key=lambda point: (_ORDER[point.rule.severity], *point.key))
    return Judged(tuple(points), tuple(unjudged))


def blinded(judged: Judged, estate: Estate) -> tuple[Rule, ...]:
    """Of the rules that could not be verified, those whose looks were asked for and did not come back, or not whole.

    The others are the plan's own choice, or wait for a second audit. A gate that lets a severity through has to
    know the difference: an audit that saw nothing has no weak point of any severity.
    """
    planned = {errand.topic for errand in estate.audit.errands}
    seen = {look.errand.topic for look in estate.looks if brought(look)}
    return tuple(
        rule
        for rule, _why in judged.unjudged
        if (not seen >= {*rule.topics} or _hidden(rule, estate))
        and (planned & {*rule.topics} if rule.either else planned >= {*rule.topics})
    )


def stood(point: WeakPoint, accepted: Mapping[tuple[str, str], Acceptance], on: date) -> WeakPoint:
    """The point with what people say of it on that day, whatever they said before."""
    note = accepted.get(point.key)
    return replace(point, standing=_standing(note, on), acceptance=note)


def _points(
    rule: Rule, estate: Estate, accepted: Mapping[tuple[str, str], Acceptance]
) -> Iterator[WeakPoint]:
    told: dict[str, str] = {}
    for weakness in rule.check(estate):
        before = told.get(weakness.subject)
        if before == weakness.sentence:
            continue
        if before is not None:
            raise ValueError(
                f"{rule.code} names {weakness.subject!r} twice: {before!r}, {weakness.sentence!r}"
            )
        told[weakness.subject] = weakness.sentence
        yield stood(WeakPoint(rule, weakness), accepted, today(estate))


def accepted_of(notes: Iterable[Acceptance | Answer]) -> dict[tuple[str, str], Acceptance]:
    """The last acceptance of each point; one that was withdrawn since is none."""
    found: dict[tuple[str, str], Acceptance] = {}
    for note in notes:
        if not isinstance(note, Acceptance):
            continue
        if note.withdrawn:
            found.pop((note.code, note.subject), None)
        else:
            found[note.code, note.subject] = note
    return found


def _standing(note: Acceptance | None, on: date) -> Standing:
    if note is None:
        return Standing.OPEN
    return Standing.ACCEPTED if note.until >= on else Standing.EXPIRED


def _unfed(rule: Rule, planned: set[Topic], seen: set[Topic], estate: Estate) -> str:
    """Why a rule that names nothing proves nothing; empty when it had what it needs."""
    if rule.either and seen & {*rule.topics}:
        return ""
    for topic in rule.topics:
        if topic not in planned:
            return f"le plan ne demande aucun regard de ce genre ({TOPIC_FR[topic]})"
        if topic not in seen:
            return f"aucun regard de ce genre n'a abouti ({TOPIC_FR[topic]})"
    if missing := _unread(rule, estate):
        return f"aucun regard n'a rapporté ce qu'elle lit ({READ_FR[missing[0]]})"
    if rule.compares and not any(
        look.errand.topic in rule.compares and estate.before(look, rule.apart) for look in estate.looks
    ):
        apart = rule.apart.total_seconds()
        aged = f", vieux d'au moins {say_seconds(apart)}" if apart else ""
        return f"il faut un audit d'avant{aged}, auquel comparer"
    return rule.unheard(estate)


def _unread(rule: Rule, estate: Estate) -> list[type[Fact]]:
    """The types of fact that it reads and of which nothing came."""
    return [kind for kind in rule.reads if next(estate.all(kind), None) is None]


def _hidden(rule: Rule, estate: Estate) -> bool:
    """Whether what it reads and never came may be behind a gap: a look that left nothing out saw that there is none."""
    torn = any(look.gaps for look in estate.looks if look.errand.topic in rule.topics)
    return torn and bool(_unread(rule, estate))
