"""`releve audit accept`, `answer`, `checklist`: what people say of an audit, kept with its date and its author."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.domain.audit import RESTORED, Acceptance, in_force
from releve.domain.audit import Answer as Said
from releve.domain.errors import BadInput
from releve.domain.instants import read_day
from releve.domain.names import nearest, unaccented
from releve.domain.terminal import orders, printable
from releve.domain.units import say_count
from releve.entrypoints.cli import audit_photo
from releve.entrypoints.cli.audit_places import Page
from releve.entrypoints.cli.telling import Answer, Interrupted, columns, talk

if TYPE_CHECKING:
    from releve.app import House
    from releve.cycle.audit.checklist import Question

YES, NO, NOT_CONCERNED = "oui", "non", "sans-objet"
LEAVE = "!"
_ACCEPTED, _ANSWERED = "audit-acceptance", "audit-answer"  # kinds of evidence
_SHORT = {"o": True, "oui": True, "n": False, "non": False, "s": None, "sans-objet": None}
_CHOICE = f"o (oui), n (non), s (sans objet), Entrée (plus tard), {LEAVE} (arrêter)"


def accept(home: House, found: Page, code: str, subject: str, by: str, why: str, until: str) -> Answer:
    """A named role lives with a weak point of the last audit until a day, a year at most. Raises `BadInput`."""
    from releve.app import utc_now

    missing = [
        option
        for option, word in (("--by QUI", by), ("--why POURQUOI", why), ("--until JOUR", until))
        if not word.strip()
    ]
    if missing:
        raise BadInput(
            "accept-bare",
            "une acceptation dit qui (--by), pourquoi (--why) et jusqu'à quel jour (--until)",
            hint=f"il manque {', '.join(missing)}",
        )
    on, end = _today(home), _day(until)
    points = found.verdict().points
    mine = [point for point in points if point.rule.code == code.upper()]
    chosen = next((point for point in mine if point.weakness.subject == subject), None)
    if chosen is None:
        known = {point.weakness.subject if mine else point.rule.code: point for point in mine or points}
        what = f"{code} sur « {subject} »" if mine else f"{code}"
        raise BadInput(
            "point-unknown",
            f"l'audit {found.estate.audit.id} ne nomme pas {what}",
            hint=nearest(subject if mine else code.upper(), known, "releve audit show les montre"),
        )
    if end < on:
        raise BadInput(
            "until-past",
            f"le {end:%d/%m/%Y} est déjà passé",
            hint="une acceptation vaut jusqu'à un jour à venir",
        )
    last = year_after(on)
    if end > last:
        raise BadInput(
            "until-far",
            "une acceptation vaut un an au plus",
            hint=f"jusqu'au {last:%d/%m/%Y} ; elle se redit chaque année, avec le plan",
        )
    note = Acceptance(chosen.rule.code, subject, _signed(home, by), on, _line("--why", why), end)
    made = _keep(home, note, utc_now())
    text = f"{note.code} sur {subject} : accepté par {note.by} jusqu'au {end:%d/%m/%Y}"
    return Answer(_acceptance(note, made=made), text if made else f"{text} (déjà noté)")


def withdraw(home: House, code: str, subject: str, by: str) -> Answer:
    """The acceptance in force ends today; what was said stays written. Raises `BadInput`."""
    from releve.app import utc_now

    if not by.strip():
        raise BadInput("accept-bare", "qui retire une acceptation le dit (--by)")
    _prove(home, utc_now())  # a withdrawal that a crash cut is not made twice
    kept = [
        note
        for note in home.ledger.audits.notes()
        if isinstance(note, Acceptance) and (note.code, note.subject) == (code.upper(), subject)
    ]
    if not kept or kept[-1].withdrawn:
        raise BadInput("not-accepted", f"{code} sur « {subject} » n'est pas accepté : rien à retirer")
    last = kept[-1]
    note = Acceptance(
        last.code, subject, _signed(home, by), _today(home), last.why, last.until, withdrawn=True
    )
    _keep(home, note, utc_now())
    return Answer(_acceptance(note, made=True), f"{note.code} sur {subject} : l'acceptation est retirée")


def answer_question(
    home: House,
    question: str,
    subject: str,
    given: str,
    by: str,
    *,
    label: str,
    photo: str,
    until: str,
    on: str,
) -> Answer:
    """Keep the answer of a person to a question of the checklist. Raises `BadInput`, `Unreachable`."""
    from releve.app import utc_now
    from releve.cycle.audit.checklist import QUESTIONS, subjects

    known = {item.code: item for item in QUESTIONS}
    question = question.upper()
    if question not in known:
        raise BadInput(
            "question-unknown",
            f"question inconnue : « {question} »",
            hint=nearest(question, known, "releve audit checklist les montre"),
        )
    asked = known[question]
    allowed = subjects(home.plan, asked)
    if subject not in allowed:
        raise BadInput(
            "subject-unknown",
            f"« {question} » se demande pour : {', '.join(allowed) or 'rien de ce plan'}",
            hint="" if not allowed else nearest(subject, dict.fromkeys(allowed), ""),
        )
    good = _good(given)
    if not by.strip():
        raise BadInput("answer-bare", "une réponse dit qui la donne (--by)")
    said_on = _past(home, on)
    end = _again(home, asked, said_on, until)
    note = Said(question, subject, good, _signed(home, by), said_on, _line("--label", label), "", end)
    if photo:
        note = replace(note, photo=audit_photo.kept(home.state / "photos", photo))
    made = _keep(home, note, utc_now())
    word = {True: YES, False: NO, None: "sans objet"}[good]
    where = f" ({subject})" if subject else ""
    text = f"{asked.text}{where} : {word}, par {note.by} ; à redemander après le {end:%d/%m/%Y}"
    if end < _today(home):
        text += ", un jour déjà passé : la question reste posée"
    return _told(home, note, text, made=made)


def restoration(home: House, data: str, by: str, on: str, label: str, *, good: bool) -> Answer:
    """Somebody brought data back, or tried to. Raises `BadInput`."""
    from releve.app import utc_now

    known = {item.id: item.name for item in home.plan.data_sets}
    known |= {item.id: item.name for item in home.plan.inventory.holdings}
    if data not in known:
        raise BadInput("data-unknown", f"données inconnues : « {data} »", hint=nearest(data, known, ""))
    if not by.strip():
        raise BadInput("answer-bare", "une restauration dit qui l'a faite (--by)")
    day = _past(home, on)
    note = Said(RESTORED, data, good, _signed(home, by), day, _line("--label", label))
    made = _keep(home, note, utc_now())
    word = "réussie" if good else "échouée"
    text = f"{known[data]} : restauration {word} le {day:%d/%m/%Y}, par {note.by}"
    return _told(home, note, text, made=made)


def _told(home: House, note: Said, text: str, *, made: bool) -> Answer:
    """What was kept, and whether something that is known of a later day stands before it."""
    stands = in_force(home.ledger.audits.notes())[note.question, note.subject]
    if stands.on > note.on:
        text += f" ; ce qui a été dit le {stands.on:%d/%m/%Y} reste en vigueur"
    return Answer(_said(note, made=made), text if made else f"{text} (déjà noté)")


def ask(home: House, about: str, by: str, *, read: Callable[[], str] | None = None) -> Answer:
    """Put every question that has no answer in force, one after the other; each answer is kept at once.

    `about`: one subject only. `read` gives the lines typed, "" at their end. Raises `BadInput`.
    """
    from releve.app import utc_now
    from releve.cycle.audit.checklist import QUESTIONS, subjects

    if not by.strip():
        raise BadInput("answer-bare", "une réponse dit qui la donne (--by)")
    today, read = _today(home), read or sys.stdin.readline
    last = in_force(home.ledger.audits.notes())
    every = [(item, subject) for item in QUESTIONS for subject in subjects(home.plan, item)]
    if about and about not in {subject for _item, subject in every}:
        known = dict.fromkeys(subject for _item, subject in every if subject)
        raise BadInput(
            "subject-unknown", f"rien ne se demande pour « {about} »", hint=nearest(about, known, "")
        )
    open_ones = [
        (item, subject)
        for item, subject in every
        if about in {"", subject} and not _holds(last.get((item.code, subject)), today)
    ]
    kept, signed = 0, _signed(home, by)
    try:
        for number, (question, subject) in enumerate(open_ones, 1):
            where = f" [{subject}]" if subject else ""
            talk(f"\n{number}/{len(open_ones)}{where}  {question.text}\n  {_CHOICE} > ", end="")
            while (word := _word(read())) not in {*_SHORT, "", LEAVE}:
                talk(f"  « {printable(word)} » n'a pas été compris : {_CHOICE} > ", end="")
            if word == LEAVE:
                break
            if word:
                until = today + timedelta(days=question.days)
                note = Said(question.code, subject, _SHORT[word], signed, today, until=until)
                kept += _keep(home, note, utc_now())
    except KeyboardInterrupt as stop:
        talk("")
        raise Interrupted(f"{_counted(kept, len(open_ones))} ; la même commande reprend") from stop
    talk("")
    return Answer({"answered": kept, "left": len(open_ones) - kept}, _counted(kept, len(open_ones)))


def _counted(kept: int, asked: int) -> str:
    left = asked - kept
    return f"{say_count(kept, 'réponse gardée', 'réponses gardées')}, {say_count(left, 'question reste', 'questions restent')}"


def _word(line: str) -> str:
    """What was typed; the end of the input is a wish to leave."""
    return line.strip().lower() if line else LEAVE


def _holds(note: Said | None, today: date) -> bool:
    return note is not None and (note.until is None or note.until >= today)


def checklist(home: House) -> Answer:
    """The questions with what was answered, to be filled in on paper or in the terminal."""
    from releve.cycle.audit.checklist import QUESTIONS, subjects
    from releve.cycle.plan.grid import folded

    last = in_force(home.ledger.audits.notes())
    today = _today(home)
    lines, values = [], []
    for question in QUESTIONS:
        for subject in subjects(home.plan, question):
            note = last.get((question.code, subject))
            state = _state(note, today)
            where = f" [{subject}]" if subject else ""
            lines += [
                f"{'☑' if note and state.startswith(('oui', 'sans')) else '☐'} {question.code}{where}  {question.text}",
                f"    {state}",
            ]
            values.append(
                {
                    "question": question.code,
                    "subject": subject,
                    "text": question.text,
                    "answer": _said(note, made=False) if note else None,
                    "state": state,
                }
            )
    text = folded("\n".join(lines), columns())
    return Answer({"questions": values}, text or "ce plan n'appelle aucune question")


def _state(note: Said | None, today: date) -> str:
    if note is None:
        return "pas encore répondu"
    word = {True: YES, False: NO, None: "sans objet"}[note.good]
    said = printable(
        f"{word}, par {note.by} le {note.on:%d/%m/%Y}" + (f" ({note.label})" if note.label else "")
    )
    if note.until is not None and note.until < today:
        return f"à redemander : {said}"
    return said


def _good(given: str) -> bool | None:
    words = {YES: True, NO: False, NOT_CONCERNED: None}
    word = "-".join(unaccented(given).split())
    if word not in words:
        raise BadInput(
            "answer-word", f"« {given} » n'est pas une réponse", hint=f"{YES}, {NO} ou {NOT_CONCERNED}"
        )
    return words[word]


def _again(home: House, asked: Question, said_on: date, until: str) -> date:
    """The day after which a question is put again: never later than its own length allows. Raises `BadInput`."""
    longest = said_on + timedelta(days=asked.days)
    if not until:
        return longest
    end = _day(until)
    if end < _today(home):
        raise BadInput(
            "until-past",
            f"le {end:%d/%m/%Y} est déjà passé",
            hint="une réponse vaut jusqu'à un jour à venir",
        )
    if end > longest:
        raise BadInput(
            "until-far",
            f"« {asked.code} » se redemande au plus tard le {longest:%d/%m/%Y}",
            hint=f"{say_count(asked.days, 'jour', 'jours')} après la réponse ; sans --until, c'est ce jour-là",
        )
    return end


def _line(option: str, text: str) -> str:
    """What was typed, kept and shown again as it is. Raises `BadInput` for what a terminal would obey."""
    if orders(text.strip()):
        raise BadInput(
            "text-control",
            f"{option} contient un caractère de commande (fin de ligne, échappement…)",
            hint="écrivez une ligne de texte",
        )
    return text.strip()


def _signed(home: House, by: str) -> str:
    """Who says it, as typed. Somebody whom the plan does not name may speak: that is told, not refused."""
    name = _line("--by", by)
    contacts = home.plan.contacts
    known = {unaccented(word) for item in contacts for word in (item.id, item.name, item.role)}
    if contacts and unaccented(name) not in known:
        talk(f"« {name} » n'est pas un contact du plan")
    return name


def _keep(home: House, note: Acceptance | Said, at: datetime) -> bool:
    """In the ledger, and in the chain of evidence; whether it is new."""
    made = home.ledger.audits.note(note, at)
    _prove(home, at)
    return made


def _prove(home: House, at: datetime) -> None:
    """Every note has its entry in the chain of evidence: what a crash kept from it is put there now.

    Notes are told apart by their words, and the same words said again by their count: two people at once, whose
    notes come in either order, leave one entry each.
    """
    entries = home.ledger.evidence.entries()
    known = Counter(_words(entry.body) for entry in entries if entry.kind in {_ACCEPTED, _ANSWERED})
    said: Counter[str] = Counter()
    for note in home.ledger.audits.notes():
        kind, body = (
            (_ACCEPTED, _acceptance(note, made=True))
            if isinstance(note, Acceptance)
            else (_ANSWERED, _said(note, made=True))
        )
        words = _words(body)
        said[words] += 1
        if said[words] > known[words]:
            key = f"audit-note:{hashlib.sha256(words.encode()).hexdigest()}:{said[words]}"
            home.ledger.evidence.append(kind, body, at, key=key)


def _words(body: Mapping[str, object]) -> str:
    return json.dumps(body, sort_keys=True)


def _acceptance(note: Acceptance, *, made: bool) -> dict[str, object]:
    return {
        "code": note.code,
        "subject": note.subject,
        "by": note.by,
        "on": note.on.isoformat(),
        "why": note.why,
        "until": note.until.isoformat(),
        "withdrawn": note.withdrawn,
        "new": made,
    }


def _said(note: Said, *, made: bool) -> dict[str, object]:
    return {
        "question": note.question,
        "subject": note.subject,
        "good": note.good,
        "by": note.by,
        "on": note.on.isoformat(),
        "label": note.label,
        "photo": note.photo,
        "until": note.until.isoformat() if note.until else None,
        "new": made,
    }


def _today(home: House) -> date:
    from releve.app import utc_now

    return utc_now().astimezone(ZoneInfo(home.plan.timezone)).date()


def _past(home: House, text: str) -> date:
    """The day that was typed, or today. Raises `BadInput` for one to come."""
    day = _day(text) if text else _today(home)
    if day > _today(home):
        raise BadInput("future", f"le {day:%d/%m/%Y} n'est pas encore passé")
    return day


def year_after(day: date) -> date:
    """The same day a year later: the plan is gone through once a year, an acceptance too (value of ours)."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, day=28)


def _day(text: str) -> date:
    try:
        return read_day(text)
    except ValueError as error:
        raise BadInput("day", str(error), hint="écrivez 2027-03-31 ou 31/03/2027") from error
