"""What if? One thing fails at one instant: what stops, who is touched, when it is back, what to decide by when. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from releve.cycle.objectives.choice.arbitration import Arbitration
from releve.cycle.objectives.deciding import Moment, moment
from releve.cycle.objectives.due import runs_out
from releve.cycle.objectives.flow import NodeKind
from releve.cycle.objectives.need import Need
from releve.cycle.objectives.predict import Prediction, Situation, known_year, predict, struck
from releve.cycle.objectives.prediction.simulate import Forecast
from releve.cycle.objectives.recovery import DECIDE, Way, Work
from releve.cycle.objectives.scenarios import Damage, Scenario, scenarios
from releve.domain.calendars import Calendar, business_day, due_at, elapsed
from releve.domain.errors import BadInput
from releve.domain.names import nearest, unaccented
from releve.domain.plan import DataKind, SiteRole
from releve.domain.school import published
from releve.domain.statutory import Duty, Event, deadlines
from releve.domain.work import SEED

DRAWS = 2_000  # of one instant: the chance of each application within 2 %


@dataclass(frozen=True, slots=True)
class _Verb:
    """What happens to something. `safe`: the relief's copy stays sane; `breach`: personal data may be gone.

    `said`: how it is shown; `french`: what people write, without accents nor agreement.
    """

    damage: Damage
    family: str
    said: str
    french: tuple[str, ...]
    safe: bool = True
    breach: bool = False


_VERBS: Mapping[str, _Verb] = {
    "down": _Verb(
        Damage.MACHINE, "materiel", "en panne",
        ("en panne", "panne", "hors service", "hs", "arrete", "coupe", "tombe", "eteint"),
    ),
    "slow": _Verb(Damage.NONE, "materiel", "ralenti", ("lent", "ralenti")),
    "lost": _Verb(Damage.SITE, "batiment", "perdu", ("perdu", "brule", "inonde", "detruit"), breach=True),
    "stolen": _Verb(Damage.MACHINE, "malveillance", "volé", ("vole",), breach=True),
    "encrypted": _Verb(Damage.ALL, "cyber", "chiffré", ("chiffre", "crypte"), safe=False, breach=True),
    "corrupted": _Verb(
        Damage.DATA, "materiel", "corrompu", ("corrompu", "abime", "efface", "supprime"), safe=False
    ),
}  # fmt: skip
_ACCEPTED = (
    "en panne (arrêté, coupé, hors service), ralenti, perdu (brûlé, inondé, détruit), volé, chiffré, "
    f"corrompu (effacé) ; ou {', '.join(_VERBS)}"
)
_ASKED = re.compile(r"\s*(?P<what>[A-Za-z0-9_-]+)(?:\s+(?:est\s+)?(?P<verb>[^\W\d_]+(?:\s+[^\W\d_]+)?))?\s*")


def _verb(text: str) -> str:
    """The verb that a person wrote in French or English, agreed or not, with or without accents; empty: none known."""
    said = " ".join(unaccented(text).split())
    for verb, meant in _VERBS.items():
        if said == verb or said in {word + end for word in meant.french for end in ("", "e", "s", "es")}:
            return verb
    return ""


@dataclass(frozen=True, slots=True)
class Supposed:
    """What is supposed to happen, and to what (ids of the graph)."""

    scenario: Scenario
    hit: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One application that stops. `due`: when its strictest need runs out, and at which establishment.

    `decide`: by when to decide so that nine times out of ten it is back by then; None when it cannot be told,
    or when nothing waits for a decision. `on_paper`: entries that people will write meanwhile (P50), None: not said.
    """

    application: str
    name: str
    way: Way
    why_unknown: str
    establishments: tuple[str, ...]
    due: datetime
    due_at: str
    forecast: Forecast | None
    decide: Moment | None
    without_it: str
    on_paper: float | None
    copes_until: datetime | None

    @property
    def decide_by(self) -> datetime | None:
        """The last instant at which to decide; None: there is none, or it is too late from the beginning."""
        return self.decide.by if self.decide is not None else None


@dataclass(frozen=True, slots=True)
class Supposition:
    """All of it. `major_at`: the first need that runs out before its application (`major_for`) is back, one time in two.

    `would_be_at`: where none is expected, when it would become major, and of which application (`would_be_for`).
    `decide_by`: the first last moment of `Line.decide`; what is too late from the beginning has none.
    `seed`: of the draws; the same gives the same figures.
    """

    at: datetime
    supposed: Supposed
    lines: tuple[Line, ...]
    components: tuple[str, ...]
    weight: float  # share of the association's activity that is touched, 0 to 1
    clocks: tuple[tuple[Duty, datetime | None], ...]
    major_at: datetime | None
    major_for: str
    would_be_at: datetime | None
    would_be_for: str
    decide_by: datetime | None
    prediction: Prediction
    seed: int
    places: Mapping[str, str]  # the names of the establishments, by id
    projected: tuple[str, ...] = ()  # calendars whose school holidays are projected, not published, that far
    accepted: tuple[Arbitration, ...] = ()  # gaps in force that day, of what stops


def understood(text: str, situation: Situation) -> Supposed:
    """What a person supposes: "srv-dui en panne", "principal perdu", "srv-dui down", "S10". Raises BadInput with what is known."""
    match = _ASKED.fullmatch(text)
    if match is None:
        raise BadInput("what-if", f"« {text[:60]} » ne se comprend pas", hint=_hint(situation))
    what, verb = match["what"], match["verb"]
    known = scenarios()
    if what.upper() in known and verb is None:
        scenario, hit = struck(situation, known[what.upper()])
        if not hit:
            raise BadInput("hits-nothing", f"le scénario {scenario.code} ne touche rien de ce plan")
        return Supposed(scenario, hit)
    if not (known_verb := _verb(verb or "")):
        what_is_it = f" : « {verb} » n'est pas compris" if verb else ""
        raise BadInput(
            "what-if", f"« {text[:60]} » ne dit pas ce qui arrive{what_is_it}", hint=_hint(situation)
        )
    hit = _hit(what, situation)
    meant = _VERBS[known_verb]
    damage = meant.damage
    if damage is Damage.SITE and what in situation.stood.needs:
        damage = Damage.MACHINE  # one thing is lost: its site is still there, and what is local with it
    if known_verb == "down" and not any(_machine(node, situation) for node in hit):
        damage = Damage.NONE  # a link, the power, one application: nothing else is lost with it
    name = f"{_named(what, situation)} : {meant.said}"
    return Supposed(Scenario(text.strip(), name, meant.family, hit, damage, meant.safe, meant.breach), hit)


def _named(what: str, situation: Situation) -> str:
    names = {site.id: site.name for site in situation.plan.sites} | dict(situation.stood.names)
    return names[what]


def _hit(what: str, situation: Situation) -> tuple[str, ...]:
    sites = {site.id for site in situation.plan.sites}
    if what in situation.stood.needs:
        return (what,)
    if what in sites:
        hosts = {host.id for host in situation.plan.hosts if host.site == what}
        data = [item.id for item in situation.plan.data_sets if item.primary_site == what]
        works = situation.plan.site(what).role is SiteRole.PRIMARY
        # an application has an end on both sites: it works where its data do, else at the primary
        here = [
            *(
                item.id
                for item in situation.plan.applications
                if (set(item.data) & set(data) if item.data else works and what in item.ends)
            ),
            *(item.application for item in situation.objectives.recoveries if item.local and works),
            *data,
            *(item.id for item in situation.objectives.components if works),
            *(host for host in sorted(hosts) if host in situation.stood.needs),
        ]
        if here:
            return tuple(dict.fromkeys(here))
        raise BadInput(
            "hits-nothing",
            f"rien ne travaille sur le site « {what} » un jour ordinaire : sa perte n'arrête rien",
            hint="elle prive du secours : qu'un second sinistre n'arrive pas avant qu'il soit remis",
        )
    names = {*situation.stood.needs, *sites}
    raise BadInput("unknown-node", f"« {what} » n'est rien de ce plan", hint=nearest(what, names, ""))


def _machine(node: str, situation: Situation) -> bool:
    """Whether what it carries goes with it: a server, a store, a machine of the plan."""
    components = {item.id: item for item in situation.objectives.components}
    return (
        components[node].machine if node in components else node in {host.id for host in situation.plan.hosts}
    )


def _hint(situation: Situation) -> str:
    example = next(iter(situation.stood.needs), "serveur")
    return f"écrivez « {example} en panne », « principal perdu », ou un scénario : S01 à S20 ; mots : {_ACCEPTED}"


def what_if(situation: Situation, supposed: Supposed, at: datetime, *, seed: int = SEED) -> Supposition:
    """What follows from it at `at` (aware). Raises BadInput as `predict` and `known_year` do."""
    import numpy as np

    known_year(at.year)

    prediction = predict(
        situation, supposed.scenario, supposed.hit, np.full(DRAWS, at.timestamp()), seed=seed, decided=True
    )
    # data that go with an application take down whoever else uses them; a switch moves all that it moves
    touched = situation.stood.touched(supposed.hit) | prediction.work.ways.keys()
    forecasts = (
        {
            item.application: item
            for item in prediction.outlook.applications
            if item.application not in prediction.work.unknown
        }
        if prediction.outlook
        else {}
    )
    lines = tuple(
        _line(situation, prediction, application.id, forecasts.get(application.id), at)
        for application in situation.plan.applications
        if application.id in touched and any(need.application == application.id for need in situation.needs)
    )
    first = _major(lines, at)
    pressed = _most_pressed(lines) if first is None else None
    return Supposition(
        at,
        supposed,
        lines,
        tuple(
            node
            for node in situation.stood.needs
            if node in touched and situation.stood.kinds[node] is not NodeKind.APPLICATION
        ),
        _share(situation, lines),
        deadlines(_events(situation, supposed.scenario, lines), at),
        first.due if first is not None else None,
        first.application if first is not None else "",
        pressed.due if pressed is not None else None,
        pressed.application if pressed is not None else "",
        min((line.decide_by for line in lines if line.decide_by is not None), default=None),
        prediction,
        seed,
        {place.id: place.name for place in situation.objectives.establishments},
        _projected(situation, lines, at),
        situation.accepted(
            (line.application for line in lines), at.astimezone(ZoneInfo(situation.plan.timezone)).date()
        ),
    )


def _line(
    situation: Situation, prediction: Prediction, name: str, forecast: Forecast | None, at: datetime
) -> Line:
    application = situation.plan.application(name)
    needs = [need for need in situation.needs if need.application == name]
    dues = {
        need.establishment: runs_out(
            need, at, situation.plan.calendars, situation.objectives.periods, situation.plan.timezone
        )
        for need in needs
    }
    place = min(dues, key=lambda key: dues[key])
    way = prediction.work.ways.get(name, Way.FOLLOWS)
    copes = [
        due_at(at, voice.answer.copes_for, situation.plan.calendars.get(need.calendar))
        for need in needs
        for voice in need.voices
        if voice.answer.copes_for is not None
    ]
    back = at + timedelta(seconds=forecast.p50) if forecast is not None and forecast.p50 is not None else None
    return Line(
        name,
        application.name,
        way,
        prediction.work.unknown.get(name, ""),
        tuple(dues),
        dues[place],
        place,
        forecast,
        _decide(situation, prediction, name, dues[place], at) if forecast is not None else None,
        application.without_it,
        _on_paper(situation, needs, at, back) if back is not None else None,
        min(copes, default=None),
    )


def _on_paper(situation: Situation, needs: Iterable[Need], at: datetime, back: datetime) -> float | None:
    """Entries of all establishments until it is back, written in their open hours; None: nobody says.

    Of each establishment, the most that one person says of a day, spread over the day that it is open.
    """
    found = [
        entries * _days(at, back, situation.plan.calendars.get(need.calendar))
        for need in needs
        if (entries := _entries(need)) is not None
    ]
    return sum(found) if found else None


def _entries(need: Need) -> int | None:
    said = (voice.answer.data.entries for voice in need.voices if voice.answer.data is not None)
    return max(said, default=None)


def _days(first: datetime, last: datetime, calendar: Calendar | None) -> float:
    """How many days of its own an establishment is open between two instants."""
    day = timedelta(days=1) if calendar is None else business_day(calendar)
    return elapsed(first, last, calendar) / day


def _decide(
    situation: Situation, prediction: Prediction, name: str, due: datetime, at: datetime
) -> Moment | None:
    """None for what comes back whatever people decide."""
    if prediction.outlook is None or not _decided(prediction.work, name):
        return None
    relief = situation.relief
    calendar = situation.plan.calendars[relief.calendar] if relief.calendar else None
    return moment(prediction.outlook.after[name], due, at, relief, calendar)


def _decided(work: Work, name: str) -> bool:
    """Whether the return of an application waits for the decision."""
    before = {job.id: job.after for job in work.jobs}
    pending = [work.last[name]] if name in work.last else []
    seen: set[str] = set()
    while pending:
        job = pending.pop()
        if job not in seen:
            seen.add(job)
            pending.extend(before[job])
    return DECIDE in seen


def _projected(situation: Situation, lines: Iterable[Line], at: datetime) -> tuple[str, ...]:
    """The calendars of who uses what stops, and of the relief, that follow a school year which nobody published yet."""
    found: dict[str, None] = {}
    zone = ZoneInfo(situation.plan.timezone)
    for line in lines:
        last = max(at, line.due)
        if line.forecast is not None and line.forecast.p90 is not None:
            last = max(last, at + timedelta(seconds=line.forecast.p90))
        if not published(last.astimezone(zone).date()):
            names = {need.calendar for need in situation.needs if need.application == line.application}
            found |= dict.fromkeys(sorted({*names, situation.relief.calendar}))
    calendars = situation.plan.calendars
    return tuple(name for name in found if name in calendars and calendars[name].school)


def _share(situation: Situation, lines: tuple[Line, ...]) -> float:
    weights = situation.weights
    places = {place for line in lines for place in line.establishments}
    return sum(weights[place] for place in places) / (sum(weights.values()) or 1.0)


def _major(lines: Iterable[Line], at: datetime) -> Line | None:
    """The first that is not back by its need, one time in two. What waits for its site is judged on site."""
    return _most_pressed(
        line
        for line in lines
        if line.forecast is None
        or line.forecast.p50 is None
        or at + timedelta(seconds=line.forecast.p50) > line.due
    )


def _most_pressed(lines: Iterable[Line]) -> Line | None:
    """The first whose need runs out, of those that the relief may bring back."""
    judged = (line for line in lines if line.way is not Way.MOOT)
    return min(judged, key=lambda line: line.due, default=None)


def _events(situation: Situation, scenario: Scenario, lines: Iterable[Line]) -> frozenset[Event]:
    """What happened for the law: nothing that somebody planned, and no incident where nothing stops."""
    if scenario.planned:
        return frozenset()
    stopped = {line.application for line in lines}
    found = {Event.MAJOR_INCIDENT, Event.DYSFUNCTION} if stopped else set()
    if scenario.breach:
        found.add(Event.DATA_BREACH)
    elif stopped & _of_health(situation):
        found.add(Event.UNAVAILABLE)
    if scenario.malicious:
        found.add(Event.ATTACK)
    return frozenset(found)


def _of_health(situation: Situation) -> frozenset[str]:
    """The applications that hold health data, as the plan's data sets or the recoveries say."""
    kinds = {data.id: data.kind for data in situation.plan.data_sets}
    said = {item.application for item in situation.objectives.recoveries if item.kind is DataKind.HEALTH}
    return frozenset(
        item.id
        for item in situation.plan.applications
        if item.id in said or DataKind.HEALTH in (kinds[name] for name in item.data)
    )
