"""Several people's answers -> one need an application and establishment, with what they disagree on. Pure.

The strictest answer counts until a named person settles it, and every disagreement is kept with its two
sides. An answer in a critical period counts in that period; the need for the whole year is the strictest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from releve.cycle.objectives.impact import WEIGHTED_SHARE, Bearable, bearable
from releve.cycle.objectives.loss import Losable, class_bound, losable, planned
from releve.cycle.objectives.scale import LEVELS, Scale
from releve.domain.calendars import Calendar, least_wall, worst_wall
from releve.domain.objectives import Establishment, Objectives, Settled, Statement
from releve.domain.plan import Application, Plan, Sensitivity
from releve.domain.units import Span, say_span

ALWAYS = ""  # the period of an answer that holds all year
_COUNTS = {2: "deux", 3: "trois", 4: "quatre"}


@dataclass(frozen=True, slots=True)
class Voice:
    """What one person's answer gives, in one period (`ALWAYS`: the rest of the year)."""

    answer: Statement
    period: str
    bearable: Bearable
    rto: Span


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Things that do not say the same. `kind`: "rules", "people", or "self" (one person, twice on one day).

    `explained`: the person said why; rules that differ ask for no more, people who differ ask for a decision.
    """

    kind: str
    sentence: str
    reasons: tuple[str, ...]
    explained: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """How long one establishment can do without one application, and what it may lose.

    `rto`: the strictest of all periods, or what was settled; `rto_in`: by critical period where it
    is another. Both run on `calendar` (empty: day and night). `least`, `worst`: the shortest and the
    longest that `rto` can last on the clock. `rpo`: the plan's own while nobody described the data. `voices` are
    what it comes from; none: nobody answered, and `rto` is the plan's own.
    """

    application: str
    establishment: str
    calendar: str
    rto: Span
    least: timedelta
    worst: timedelta
    rto_in: Mapping[str, Span]
    rpo: Span | None
    loss: tuple[str, ...]
    voices: tuple[Voice, ...]
    settled: Settled | None
    disagreements: tuple[Disagreement, ...]

    @property
    def answered(self) -> bool:
        """Whether somebody said it."""
        return bool(self.voices)

    @property
    def open(self) -> bool:
        """Whether people or rules disagree and nobody settled it."""
        return self.settled is None and not all(item.explained for item in self.disagreements)

    @property
    def decisive(self) -> Voice | None:
        """The voice that counts: the strictest."""
        return min(self.voices, key=lambda voice: voice.bearable.threshold, default=None)


def needs(plan: Plan, objectives: Objectives, scale: Scale, *, year: int) -> tuple[Need, ...]:
    """Every (application, establishment) that is used, in the plan's order. `year`: of the calendar lengths."""
    settled_scale = scale.settled(objectives.thresholds)
    given: dict[tuple[str, str], list[Statement]] = {}
    for answer in objectives.statements:
        given.setdefault((answer.application, answer.establishment), []).append(answer)
    lengths = _Lengths(plan.calendars, year)
    return tuple(
        _need(
            plan,
            objectives,
            application,
            place,
            given.get((application.id, place.id), []),
            settled_scale,
            lengths,
        )
        for application in plan.applications
        for place in objectives.establishments
        if place.uses(application.id)
    )


class _Lengths:
    """Clock lengths of durations, each computed once: 2,400 needs share a dozen of them."""

    def __init__(self, calendars: Mapping[str, Calendar], year: int) -> None:
        self._calendars = calendars
        self._year = year
        self._known: dict[tuple[str, Span], tuple[timedelta, timedelta]] = {}

    def of(self, span: Span, calendar: str) -> tuple[timedelta, timedelta]:
        """The shortest and the longest that `span` lasts on the clock."""
        key = (calendar, span)
        if key not in self._known:
            found = self._calendars.get(calendar)
            self._known[key] = (
                least_wall(span, found, year=self._year),
                worst_wall(span, found, year=self._year),
            )
        return self._known[key]


def _need(
    plan: Plan,
    objectives: Objectives,
    application: Application,
    place: Establishment,
    answers: list[Statement],
    scale: Scale,
    lengths: _Lengths,
) -> Need:
    voices = tuple(voice for answer in answers for voice in _voices(answer, place, scale))
    settled = _settled(objectives.settled, application.id, place.id)
    calendar = place.calendar if voices or settled else application.need.calendar
    rest = [voice for voice in voices if voice.period == ALWAYS]
    strictest = min(voices, key=lambda voice: voice.bearable.threshold, default=None)
    rto = settled.rto if settled else strictest.rto if strictest else application.need.rto
    periods = {voice.period for voice in voices if voice.period}
    by_period = {
        period: min((v for v in voices if v.period == period), key=lambda v: v.bearable.threshold).rto
        for period in sorted(periods)
    }
    usual = min(rest, key=lambda voice: voice.bearable.threshold, default=None)
    least, worst = lengths.of(rto, calendar)
    loss = _loss(plan, objectives, application, answers)
    spans = [item.span for item in loss if item.span is not None]
    return Need(
        application.id,
        place.id,
        calendar,
        rto,
        least,
        worst,
        {ALWAYS: usual.rto, **by_period} if usual and by_period and not settled else {},
        min(spans, key=lambda span: span.seconds, default=application.need.rpo),
        tuple(item.why for item in loss),
        voices,
        settled,
        tuple(_disagreements(voices, scale, place)),
    )


def _voices(answer: Statement, place: Establishment, scale: Scale) -> Iterable[Voice]:
    for period, impact in {ALWAYS: answer.impact, **answer.in_period}.items():
        found = bearable(impact, scale)
        yield Voice(answer, period, found, step_span(found.threshold, place, scale))


def step_span(step: int, place: Establishment, scale: Scale) -> Span:
    """The duration of a step of the ladder at `place`; nothing at all for -1."""
    return scale.ladder(place.calendar)[step] if step >= 0 else Span()


def _settled(items: Iterable[Settled], application: str, place: str) -> Settled | None:
    """What was settled there, or for the whole association; the newest."""
    found = [item for item in items if item.application == application and item.establishment in {"", place}]
    return max(found, key=lambda item: (item.establishment != "", item.on), default=None)


def _loss(
    plan: Plan, objectives: Objectives, application: Application, answers: list[Statement]
) -> list[Losable]:
    """What bounds the loss: what people typed, or the plan's own while nobody described it, and the class of the data."""
    if not answers:
        return []
    said = [losable(answer.data, objectives.retype_budget) for answer in answers if answer.data is not None]
    classes = sorted(
        {plan.data_set(name).sensitivity for name in application.data}, key=list(Sensitivity).index
    )
    asked = [class_bound(item) for item in classes[:1]]
    if said:
        return [*said, *asked]
    # the strictest last: it is the one that is quoted for the need
    return sorted([planned(application.need.rpo), *asked], key=lambda item: item.seconds, reverse=True)


def _disagreements(voices: tuple[Voice, ...], scale: Scale, place: Establishment) -> Iterable[Disagreement]:
    for voice in voices:
        if voice.bearable.apart:
            yield Disagreement(
                "rules",
                f"{voice.answer.by}{_when(voice)} : la règle du seuil donne {say_step(voice.bearable.threshold, place, scale)}, "
                f"la règle pondérée {_weighted(voice.bearable, place, scale)}",
                (reason_of(voice, scale, place), _sum_of(voice.bearable, place, scale)),
                bool(voice.answer.why),
            )
    for period in sorted({voice.period for voice in voices}):
        of_period = [voice for voice in voices if voice.period == period]
        yield from _with_oneself(of_period, scale, place)
        yield from _between(of_period, scale, place)


def _with_oneself(voices: list[Voice], scale: Scale, place: Establishment) -> Iterator[Disagreement]:
    """A person whose answers of one day differ: in a file nobody can tell which came last."""
    for by in dict.fromkeys(voice.answer.by for voice in voices):
        own = [voice for voice in voices if voice.answer.by == by]
        if len({voice.bearable.threshold for voice in own}) == 1:
            continue
        steps = [say_step(voice.bearable.threshold, place, scale) for voice in own]
        yield Disagreement(
            "self",
            f"{by} a donné {_COUNTS.get(len(own), str(len(own)))} réponses le même jour : {_and(steps)}{_when(own[0])}",
            (
                *(reason_of(voice, scale, place) for voice in own),
                "laissez dans le fichier celle qui compte, ou faites trancher",
            ),
        )


def _between(voices: list[Voice], scale: Scale, place: Establishment) -> Iterator[Disagreement]:
    """Every person's strictest answer, where they are not the same; the strictest first."""
    said: dict[str, Voice] = {}
    for voice in sorted(voices, key=lambda item: (item.bearable.threshold, item.answer.by)):
        said.setdefault(voice.answer.by, voice)
    groups: dict[int, list[str]] = {}
    for by, voice in said.items():
        groups.setdefault(voice.bearable.threshold, []).append(by)
    if len(groups) > 1:
        yield Disagreement(
            "people",
            ", ".join(
                f"{_and(people)} {'dit' if len(people) == 1 else 'disent'} {say_step(step, place, scale)}"
                for step, people in groups.items()
            )
            + _when(voices[0]),
            tuple(reason_of(voice, scale, place) for voice in said.values()),
        )


def _and(words: list[str]) -> str:
    return " et ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _weighted(found: Bearable, place: Establishment, scale: Scale) -> str:
    """The cross-check's length: the first that exceeds the limit, where one does."""
    said = say_span(scale.ladder(place.calendar)[found.weighted])
    return said if found.crosses else f"aucune durée jusqu'à {said}"


def _sum_of(found: Bearable, place: Establishment, scale: Scale) -> str:
    """What the cross-check adds up, where it exceeds its limit, and what that limit is; in one sentence."""
    least = sum(item.weight for item in scale.criteria)
    said = say_span(scale.ladder(place.calendar)[found.weighted])
    total, limit = _figure(found.sums[found.weighted]), _figure(found.limit)
    seen = (
        f"à {said} elle fait {total} et dépasse la limite de {limit}"
        if found.crosses
        else f"même à {said} elle fait {total} et ne dépasse jamais la limite de {limit}"
    )
    return (
        "règle pondérée, en contrôle : la somme des niveaux de tous les critères, chacun fois son poids, va de"
        f" {_figure(least)} (tous mineurs) à {_figure(LEVELS * least)} (tous critiques) ; {seen}"
        f" ({WEIGHTED_SHARE * 100:.0f} % du maximum)"
    )


def _figure(number: float) -> str:
    return f"{number:g}".replace(".", ",")


def _when(voice: Voice) -> str:
    return f" (période « {voice.period} »)" if voice.period else ""


def say_step(step: int, place: Establishment, scale: Scale) -> str:
    """A step as it is read: "4 h", "moins de 5 min"."""
    if step < 0:
        return f"moins de {say_span(scale.ladder(place.calendar)[0])}"
    said = say_span(scale.ladder(place.calendar)[step])
    return f"{said} ou plus" if step == scale.steps - 1 else said


def reason_of(voice: Voice, scale: Scale, place: Establishment) -> str:
    """Why that person's answer gives that duration: which criterion becomes unacceptable, when, and their words."""
    crossing = " ; ".join(
        f"{scale.criterion(item.criterion).name} : « {scale.criterion(item.criterion).levels[item.level - 1]} » "
        f"dès {say_span(scale.ladder(place.calendar)[item.step])}"
        for item in voice.bearable.crossings
    )
    words = f" — « {voice.answer.why} »" if voice.answer.why else ""
    origin = f"{voice.answer.by}, {voice.answer.on.isoformat()}, {voice.answer.source}"
    return f"{crossing or 'aucun critère ne devient inacceptable'}{words} ({origin})"
