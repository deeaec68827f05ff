"""The questionnaire: questions as values, and the answers to them as a form that can be undone. Pure.

People are not asked for sixty figures: for each criterion they say after how long each level is reached.
A curve made that way cannot fall. The words of each level, and its example, come from the scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from releve.cycle.objectives.scale import LEVELS, Criterion, Scale
from releve.domain.objectives import Curve, DataAnswer, Establishment, Impact, Statement
from releve.domain.periods import Period
from releve.domain.plan import Application
from releve.domain.units import Span, parse_bytes, parse_span, say_span

NEVER = "jamais"
YES, NO = "oui", "non"
USUAL = ""  # outside critical periods
ENOUGH = 4000  # characters of a text, as files of answers take them
LONGEST = {"data:kinds": 200}
LEVEL_NAMES = {1: "mineur", 2: "significatif", 3: "important", 4: "critique"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `choices`: what may be answered, by number or by word; empty: free text.

    `default`: what an empty answer means; None: an answer is needed. `help` is always seen, `about` when
    asked for: one line each.
    """

    key: str
    text: str
    help: str = ""
    choices: tuple[str, ...] = ()
    default: str | None = None
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next question stands. `sections` is known from the start and never changes, whatever is answered.

    `question`: its number in its section, out of `most` at most.
    """

    section: int
    sections: int
    title: str
    question: int
    most: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked about what. `periods`: the critical periods that are asked about too."""

    application: Application
    establishment: Establishment
    scale: Scale
    by: str
    on: date
    periods: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """What was answered so far, in order. A value: undoing is taking the last one away."""

    answered: Mapping[str, str] = field(default_factory=dict)

    def back(self) -> Form:
        """The form without its last answer."""
        keys = list(self.answered)[:-1]
        return Form({key: self.answered[key] for key in keys})


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why an answer cannot be taken, in French."""

    sentence: str


def next_question(subject: Subject, form: Form) -> Question | None:
    """The first question that has no answer yet; None when all are answered."""
    for question in _questions(subject, form):
        if question.key not in form.answered:
            return question
    return None


def place(subject: Subject, form: Form) -> Place | None:
    """Where the next question stands; None when all are answered."""
    sections = _sections(subject, form)
    for number, section in enumerate(sections, start=1):
        for index, question in enumerate(section.questions, start=1):
            if question.key not in form.answered:
                return Place(number, len(sections), section.title, index, section.most)
    return None


def answer(subject: Subject, form: Form, text: str) -> Form | Mistake:
    """The form with `text` as the answer to the next question, or why it cannot be one."""
    question = next_question(subject, form)
    if question is None:
        return Mistake("toutes les questions ont leur réponse")
    given = text.strip()
    if not given:
        if question.default is None:
            return Mistake("une réponse est nécessaire")
        given = question.default
    if question.choices:
        chosen = _chosen(question, given)
        if chosen is None:
            return Mistake("répondez par un numéro de la liste : " + _listed(question.choices))
        given = chosen
    elif (mistake := _wrong(question.key, given)) is not None:
        return mistake
    return replace(form, answered={**form.answered, question.key: given})


def statement(subject: Subject, form: Form) -> Statement:
    """What was said. Raises KeyError while a question has no answer."""
    said = form.answered
    ladder = [say_span(step) for step in subject.scale.ladder(subject.establishment.calendar)]
    periods = {
        period.id: _impact(subject, said, ladder, period.id)
        for period in subject.periods
        if said[f"{period.id}:other"] == YES
    }
    copes = said["copes"]
    return Statement(
        subject.application.id,
        subject.establishment.id,
        subject.by,
        subject.on,
        said["why"],
        _impact(subject, said, ladder, USUAL),
        periods,
        parse_span(copes) if copes else None,
        _data(said),
    )


def curve_of(onsets: tuple[int | None, ...], steps: int) -> Curve:
    """The curve of a criterion from the step at which levels 2, 3 and 4 begin (None: never)."""
    return tuple(
        1 + sum(1 for onset in onsets if onset is not None and step >= onset) for step in range(steps)
    )


def _impact(subject: Subject, said: Mapping[str, str], ladder: list[str], period: str) -> Impact:
    impact: dict[str, Curve] = {}
    for criterion in subject.scale.criteria:
        onsets: list[int | None] = []
        for level in range(2, LEVELS + 1):
            word = said.get(f"{period}:{criterion.code}:{level}", NEVER)
            onsets.append(None if word == NEVER else ladder.index(word))
        impact[criterion.code] = curve_of(tuple(onsets), subject.scale.steps)
    return impact


def _data(said: Mapping[str, str]) -> DataAnswer | None:
    if said["data"] == NO:
        return None
    paper = said["data:paper"] == YES
    return DataAnswer(
        said["data:kinds"],
        int(said["data:entries"]),
        float(said["data:hours"].replace(",", ".")) if paper else None,
        paper,
        parse_bytes(said["data:volume"]) if said["data:volume"] else None,
    )


@dataclass(frozen=True, slots=True)
class _Section:
    """Questions about one thing: those asked as things stand, and how many they can become."""

    title: str
    questions: tuple[Question, ...]
    most: int


def _questions(subject: Subject, form: Form) -> list[Question]:
    return [question for section in _sections(subject, form) for question in section.questions]


def _sections(subject: Subject, form: Form) -> list[_Section]:
    """As many whatever was answered: what an answer adds goes below its own section."""
    levels = LEVELS - 1
    found = [
        _Section(criterion.name, tuple(_of_criterion(subject, form, criterion)), levels)
        for criterion in subject.scale.criteria
    ]
    for period in subject.periods:
        asked = tuple(_of_period(subject, form, period))
        found.append(_Section(f"Pendant « {period.name} »", asked, 1 + levels * len(subject.scale.criteria)))
    found.append(_Section("Ce qui se passe alors", tuple(_of_work(subject)), 2))
    found.append(_Section("Ce qui serait à ressaisir", tuple(_of_data(subject, form)), 6))
    return found


def _of_period(subject: Subject, form: Form, period: Period) -> Iterator[Question]:
    key = f"{period.id}:other"
    yield Question(
        key,
        f"Pendant « {period.name} », l'arrêt de « {subject.application.name} » serait-il plus grave ?",
        "Entrée : non",
        choices=(YES, NO),
        default=NO,
        about=(
            "oui : ces jours-là, un arrêt devient grave plus vite ; les mêmes thèmes sont demandés pour eux",
            "non : ces jours-là sont comme les autres",
        ),
    )
    if form.answered.get(key) == YES:
        for criterion in subject.scale.criteria:
            yield from _of_criterion(subject, form, criterion, period)


def _of_work(subject: Subject) -> Iterator[Question]:
    name = subject.application.name
    yield Question(
        "why",
        "Que se passe-t-il quand ce n'est plus acceptable ? (une phrase)",
        "elle sera citée à côté du délai",
        about=(
            "Avec vos mots : ce qui ne peut plus se faire, et pour qui.",
            "Par exemple : « le traitement du soir ne peut plus être vérifié ».",
        ),
    )
    yield Question(
        "copes",
        f"Combien de temps pouvez-vous travailler sans « {name} », sur papier ? (Entrée : je ne sais pas)",
        "par exemple : 4 h, 1 j, 3 j",
        default="",
        about=(
            "Le temps pendant lequel le travail se fait quand même, même mal, avec du papier ou le téléphone.",
            "Une durée s'écrit avec son unité : 30 min, 4 h, 1 j.",
        ),
    )


def _of_data(subject: Subject, form: Form) -> Iterator[Question]:
    yield Question(
        "data",
        f"Saisissez-vous des données dans « {subject.application.name} » ?",
        choices=(YES, NO),
        about=(
            "oui : vous y écrivez quelque chose qui manquerait si cela s'effaçait",
            "non : vous y lisez seulement",
        ),
    )
    if form.answered.get("data") != YES:
        return
    yield Question(
        "data:kinds",
        "Lesquelles ?",
        "par exemple : transmissions, prescriptions, factures",
        about=("Quelques mots : ce que vous y écrivez le plus souvent.",),
    )
    yield Question(
        "data:entries",
        "Combien de saisies par jour, à peu près ?",
        "un nombre entier",
        about=(
            "Pour tout l'établissement, un jour ordinaire ; une saisie : une fiche, une transmission, une ligne.",
            "Par exemple : 40.",
        ),
    )
    yield Question(
        "data:paper",
        "Si une journée était perdue, pourriez-vous la ressaisir à partir de quelque chose (papier, autre logiciel) ?",
        choices=(YES, NO),
        about=(
            "oui : tout existe aussi ailleurs, il faut seulement le taper de nouveau",
            "non : ce qui serait perdu ne se retrouverait pas",
        ),
    )
    if form.answered.get("data:paper") == YES:
        yield Question(
            "data:hours",
            "En combien d'heures de travail pour ressaisir une journée ?",
            "par exemple : 3 ou 1,5",
            about=(
                "Pour une seule journée de saisies perdue, les heures de tous ceux qui la retapent, additionnées.",
                "Deux personnes pendant trois heures : 6.",
            ),
        )
    yield Question(
        "data:volume",
        "Quel volume de données, si vous le savez ? (Entrée : je ne sais pas)",
        "par exemple : 40 Go",
        default="",
        about=("La place que tout cela prend sur le serveur ; le service informatique le sait.",),
    )


def _of_criterion(
    subject: Subject, form: Form, criterion: Criterion, period: Period | None = None
) -> Iterator[Question]:
    """From when each level is reached: never earlier than the level below, and no further once it is never."""
    steps = [say_span(step) for step in subject.scale.ladder(subject.establishment.calendar)]
    lead = f"Pendant « {period.name} », {criterion.ask} : si" if period else "Si"
    asked = (
        f"{lead} « {subject.application.name} » s'arrête, au bout de combien de temps en arrive-t-on à ceci ?"
    )
    first = 0
    for level in range(2, LEVELS + 1):
        key = f"{period.id if period else USUAL}:{criterion.code}:{level}"
        yield Question(
            key,
            asked,
            f"→ {criterion.levels[level - 1]} (niveau {level} sur {LEVELS} : {LEVEL_NAMES[level]})",
            (*steps[first:], NEVER),
            about=_levels(criterion, level, steps[-1]),
        )
        given = form.answered.get(key)
        if given is None or given == NEVER:
            return
        first = steps.index(given)


def _levels(criterion: Criterion, asked: int, longest: str) -> tuple[str, ...]:
    """What a criterion means, and each of its levels with an example; the one that is asked stands out."""
    lines = [criterion.name, f"  c'est-à-dire {criterion.means}", f"Ses {LEVELS} niveaux :"]
    for level, (said, example) in enumerate(zip(criterion.levels, criterion.examples, strict=True), start=1):
        mark = "→" if level == asked else " "
        lines.append(f"{mark} {level}, {LEVEL_NAMES[level]} : {said}")
        lines.append(f"     par exemple : {example}")
    return (
        *lines,
        f"La question porte sur le niveau {asked} : le premier moment où l'on y est.",
        f"{NEVER} : même au bout de {longest}, on n'en arrive pas là",
    )


def _chosen(question: Question, given: str) -> str | None:
    if given.isdecimal() and len(given) < 4 and 1 <= int(given) <= len(question.choices):
        return question.choices[int(given) - 1]
    words = {choice.lower(): choice for choice in question.choices}
    return words.get(given.lower()) or _same_duration(question.choices, given)


def _same_duration(choices: tuple[str, ...], given: str) -> str | None:
    """The choice of the same length: "24 h" is the choice "1 j", and "4 h" is "4 h ouvrées" where only these are offered."""
    wanted = _amount(given)
    return next((choice for choice in choices if wanted is not None and _amount(choice) == wanted), None)


def _amount(text: str) -> tuple[float, int] | None:
    try:
        span = parse_span(text)
    except ValueError:
        return None
    return span.seconds, span.business_days


def _listed(choices: tuple[str, ...]) -> str:
    return ", ".join(f"{number} = {choice}" for number, choice in enumerate(choices, start=1))


def _wrong(key: str, given: str) -> Mistake | None:
    if not given.isprintable() or len(given) > LONGEST.get(key, ENOUGH):
        return Mistake("trop long, ou avec des caractères qui ne s'écrivent pas : une phrase courte suffit")
    try:
        match key:
            case "copes" if given:
                _positive(parse_span(given))
            case "data:entries":
                if not given.isdecimal() or len(given) > 10 or int(given) > 10**9:
                    return Mistake("un nombre entier est attendu, 0 s'il n'y en a pas")
            case "data:hours":
                hours = float(given.replace(",", "."))
                if not 0 <= hours <= 10_000:
                    return Mistake("un nombre d'heures entre 0 et 10 000 est attendu")
            case "data:volume" if given:
                parse_bytes(given)
            case _:
                pass
    except ValueError as error:
        said = str(error) if key != "data:hours" else f"« {given[:40]} » n'est pas un nombre d'heures"
        return Mistake(said)
    return None


def _positive(span: Span) -> None:
    if not span.seconds and not span.business_days:
        raise ValueError("une durée plus longue que zéro est attendue, ou rien")
