"""`releve objectives ask`: the questionnaire, in the terminal.

Each answer is kept in a draft as soon as it is given: Ctrl-C, a closed window or a power cut loses none,
and the same command goes on where it was. The answers go to a file only when the last one is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from releve.domain.errors import BadInput
from releve.domain.names import nearest
from releve.domain.units import say_count
from releve.entrypoints.cli.objectives_files import Places, alone, load, places, replace_whole, today
from releve.entrypoints.cli.telling import Answer, Interrupted, talk

if TYPE_CHECKING:
    from releve.cycle.objectives.ask import Form, Place, Question, Subject
    from releve.cycle.objectives.need import Disagreement, Need
    from releve.domain.objectives import Objectives, Statement
    from releve.domain.plan import Plan

LONGEST_NAME = 200  # characters of a name in a file of answers
BACK, LATER, HELP = "<", "!", "?"
UNKNOWN = "je ne sais pas"  # what an empty answer says where one may be empty
_LEAD = " " * 6


def ask(
    where: Places,
    application: str,
    establishment: str,
    by: str,
    on: date,
    *,
    read: Callable[[], str] | None = None,
) -> Answer:
    """Ask every question that is left, then write the answer; nothing is written while some are. `read` gives the lines typed; "" at the end of them."""
    from releve.cycle.objectives.ask import next_question, statement
    from releve.cycle.objectives.impact import bearable
    from releve.cycle.objectives.need import Voice, needs, reason_of, say_step, step_span
    from releve.cycle.objectives.scale import proposed_scale
    from releve.cycle.objectives.written import HEAD, written

    where = _made_if_absent(where)
    plan, objectives = load(where)
    subject = _subject(plan, objectives, application, establishment, by, on)
    draft = where.answers / f".brouillon-{application}-{subject.establishment.id}-{_slug(subject.by)}.json"
    form = _taken_up(subject, draft)
    if form.answered:
        talk(
            f"reprise : {say_count(len(form.answered), 'réponse déjà donnée', 'réponses déjà données')} ({BACK} pour revenir en arrière)"
        )
    again = _same_command(where, subject)
    try:
        form = _dialogue(subject, form, draft, read or _typed, again)
    except KeyboardInterrupt as stop:
        talk("")  # what follows is no answer to the question
        raise Interrupted(f"ce qui a été répondu est gardé ; pour continuer : {again}") from stop
    if next_question(subject, form) is not None:  # put off: nothing went wrong
        return Answer(
            {"finished": False, "answered": len(form.answered), "again": again},
            f"{_kept(form)} ; pour continuer : {again}",
        )
    said = statement(subject, form)
    file = where.answers / f"{application}-{subject.establishment.id}.yaml"
    with alone(file):
        before = file.read_text(encoding="utf-8") if file.exists() else HEAD
        text = before.rstrip("\n") + "\n" + written([said])
        _must_read(text, file, where, plan)
        replace_whole(file, text)
    draft.unlink(missing_ok=True)
    _plan, whole = load(where)
    need = next(
        item
        for item in needs(plan, whole, proposed_scale(), year=on.year)
        if (item.application, item.establishment) == (application, subject.establishment.id)
    )
    scale = proposed_scale().settled(whole.thresholds)
    given = bearable(said.impact, scale)
    voice = Voice(
        replace(said, source=str(file)), "", given, step_span(given.threshold, subject.establishment, scale)
    )
    text = "\n".join(
        [
            f"écrit dans {file}",
            f"De cette réponse : on peut s'en passer {say_step(voice.bearable.threshold, subject.establishment, scale)}",
            f"  {reason_of(voice, scale, subject.establishment)}",
            *(line for item in need.disagreements for line in _told(need, item)),
        ]
    )
    return Answer({"finished": True, "file": str(file), "statement": _value(said)}, text)


def _made_if_absent(where: Places) -> Places:
    """The first answer makes the folder that was named, and says so: it may be a slip of the fingers."""
    if where.named and not where.recorded and not os.path.lexists(where.answers):
        talk(f"le dossier {where.answers} n'existe pas encore : il sera fait")
    return replace(where, named=False)


def _told(need: Need, item: Disagreement) -> Iterator[str]:
    """A disagreement, and what it takes to understand it beside the answers themselves."""
    yield f"{_standing(need, explained=item.explained)} : {item.sentence}"
    if item.kind != "people":
        yield f"  {item.reasons[-1]}"


def _standing(need: Need, *, explained: bool) -> str:
    """What is left to do about a disagreement: nothing where the person said why, or where somebody settled it."""
    if need.settled is not None:
        return f"Déjà tranché par {need.settled.by}"
    return "Écart expliqué" if explained else "À trancher"


def _subject(
    plan: Plan, objectives: Objectives, application: str, establishment: str, by: str, on: date
) -> Subject:
    from releve.cycle.objectives.ask import Subject
    from releve.cycle.objectives.scale import proposed_scale

    known = {item.id: item for item in plan.applications}
    if application not in known:
        raise BadInput(
            "application-unknown",
            f"application inconnue : « {application} »",
            hint=nearest(application, known, ""),
        )
    places = {item.id: item for item in objectives.establishments}
    if not establishment and len(places) == 1:
        establishment = next(iter(places))
    if establishment not in places:
        raise BadInput(
            "establishment-unknown",
            f"établissement inconnu : « {establishment} »"
            if establishment
            else "il y a plusieurs établissements",
            hint="--establishment : " + ", ".join(places),
        )
    if not places[establishment].uses(application):
        raise BadInput(
            "not-used",
            f"« {establishment} » ne se sert pas de « {application} »",
            hint="complétez « applications: » de cet établissement",
        )
    if not by.strip():
        raise BadInput(
            "by-missing", "il faut dire qui répond", hint='--by "infirmière coordinatrice" : une fonction'
        )
    if len(by.strip()) > LONGEST_NAME or not by.strip().isprintable():
        raise BadInput(
            "by-unusable",
            "cette fonction ne peut pas être écrite dans le fichier de réponses",
            hint=f"au plus {LONGEST_NAME} caractères, sur une ligne",
        )
    scale = proposed_scale().settled(objectives.thresholds)
    return Subject(known[application], places[establishment], scale, by.strip(), on, objectives.periods)


def _same_command(where: Places, subject: Subject) -> str:
    """What is typed to go on, from the same folder."""
    words = ["releve", "objectives", "ask", subject.application.id]
    words += ["--establishment", subject.establishment.id, "--by", subject.by]
    words += ["--on", subject.on.isoformat()] if subject.on != today() else []
    words += ["--plan", where.plan] if where.plan != "plan.yaml" else []
    usual = places(where.plan, "", "")
    words += ["--objectives", str(where.objectives)] if where.objectives != usual.objectives else []
    usual = places(where.plan, str(where.objectives), "")
    words += ["--answers", str(where.answers)] if where.answers != usual.answers else []
    return shlex.join(words)


def _dialogue(subject: Subject, form: Form, draft: Path, read: Callable[[], str], again: str) -> Form:
    """The form when every question is answered, or when the person puts the rest off."""
    from releve.cycle.objectives.ask import Mistake, answer, next_question, place

    while (question := next_question(subject, form)) is not None:
        _show(question, place(subject, form))
        try:
            line = read()
        except UnicodeDecodeError:
            talk("  ce qui a été tapé n'est pas lisible (UTF-8 est attendu)")
            continue
        text = line.strip()
        if not line:
            talk("")  # the end of the input leaves the cursor behind the question
            raise BadInput("not-finished", _kept(form), hint=f"pour continuer : {again}")
        if text == LATER:
            return form
        if text == HELP:
            _help(question)
            continue
        if text == BACK:
            form = form.back()
            _keep(draft, form)
            continue
        given = answer(subject, form, text)
        if isinstance(given, Mistake):
            talk(f"  {given.sentence}")
            continue
        form = given
        _keep(draft, form)
        if question.choices or not form.answered[question.key]:
            talk(f"  → {form.answered[question.key] or UNKNOWN}")  # a number is another answer elsewhere
    return form


def _kept(form: Form) -> str:
    return f"{say_count(len(form.answered), 'réponse gardée')}, il en manque encore"


def _show(question: Question, place: Place | None) -> None:
    talk("")
    if place is not None:
        most = f" ({place.most} au plus)" if place.most > 1 else ""
        talk(f"[thème {place.section} sur {place.sections}] {place.title} — question {place.question}{most}")
    talk(_LEAD + question.text)
    if question.help:
        talk(_LEAD + question.help)
    if question.choices:
        talk(
            _LEAD + "   ".join(f"{index} {choice}" for index, choice in enumerate(question.choices, start=1))
        )
    sys.stderr.write(f"{_LEAD}({HELP} aide, {BACK} revenir, {LATER} plus tard) > ")
    sys.stderr.flush()


def _help(question: Question) -> None:
    """What the question means, and everything that may be typed."""
    typed = "votre réponse, sur une ligne"
    if question.choices:
        typed = f"un numéro de la liste, ou la réponse en toutes lettres (« {question.choices[0]} »)"
    empty = "" if question.default is None else " ; Entrée seule : " + (question.default or UNKNOWN)
    lines = (
        *question.about,
        "",
        "Ce qui peut être tapé :",
        f"  {typed}{empty}",
        f"  {BACK}   revenir à la question d'avant",
        f"  {HELP}   cette aide",
        f"  {LATER}   s'arrêter là (ou Ctrl-C) : tout est gardé, la même commande reprend à cette question",
    )
    talk("")
    for line in lines:
        talk((_LEAD + line).rstrip())


def _typed() -> str:
    return sys.stdin.readline()


def _keep(draft: Path, form: Form) -> None:
    replace_whole(draft, json.dumps(dict(form.answered), ensure_ascii=False))


def _taken_up(subject: Subject, draft: Path) -> Form:
    """The form as it was left: each answer is given again, so that one that fits no more is asked again."""
    from releve.cycle.objectives.ask import Form, Mistake, answer, next_question

    form = Form()
    if not draft.exists():
        return form
    try:
        found = json.loads(draft.read_text(encoding="utf-8"))
        kept = {str(key): str(value) for key, value in found.items()}
    except (OSError, ValueError, AttributeError):
        talk(f"le brouillon {draft} est illisible : on recommence")
        return form
    while (question := next_question(subject, form)) is not None and question.key in kept:
        given = answer(subject, form, kept[question.key])
        if isinstance(given, Mistake):
            break
        form = given
    return form


def _must_read(text: str, file: Path, where: Places, plan: Plan) -> None:
    """A file that we could not read again is not written: it was changed by hand in a way that ours does not fit."""
    from releve.cycle.objectives.read import judge_answers_text
    from releve.domain.errors import PlanError

    faults = judge_answers_text(text.encode(), str(file), where.objectives, plan)
    if faults:
        raise PlanError(
            faults,
            noun="la réponse ne peut pas être ajoutée au fichier, qui contient",
            code="answers-invalid",
        )


def _slug(by: str) -> str:
    """A file name of one person's own: two functions that begin alike, or differ by a capital, share no draft."""
    return (
        "".join(_letters(by.lower()))[:40]
        + "-"
        + hashlib.sha256(by.encode("utf-8", "replace")).hexdigest()[:8]
    )


def _letters(text: str) -> Iterator[str]:
    for letter in text:
        yield letter if letter.isalnum() else "-"


def _value(said: Statement) -> dict[str, object]:
    return {
        "application": said.application,
        "establishment": said.establishment,
        "by": said.by,
        "on": said.on.isoformat(),
        "impact": {code: list(curve) for code, curve in said.impact.items()},
    }
