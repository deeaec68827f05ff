"""Who answers, who owns, what people do meanwhile; and the hours they work. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from releve.cycle.plan.blocks import Placed
from releve.cycle.plan.fields import quote
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.schema import CalendarBlock
from releve.cycle.plan.shape import Draft
from releve.domain.calendars import holiday_zones
from releve.domain.names import among, did_you_mean
from releve.domain.school import SCHOOL_ZONES
from releve.domain.units import say_count

LONGEST_CLOSURE = timedelta(days=366)  # beyond, it is a slip on the year (value of ours)
QUESTIONS = ("fence", "accept-loss")  # what a switch may ask of a person


def people(draft: Draft) -> Iterator[Finding]:
    """Approvals, owners, contacts, and what users are told to do during an outage."""
    yield from _approvals(draft)
    for contact in draft.contacts:
        if not contact.item.phone and not contact.item.email:
            yield Finding(
                contact.path,
                "contact-unreachable",
                f"« {contact.item.name} » n'a ni téléphone ni courriel",
                "en pleine panne, c'est le numéro qui compte",
                grave=False,
            )
    used = set()
    for application in draft.applications:
        item = application.item
        used.update(item.data)
        if not item.owner:
            yield Finding(
                (*application.path, "owner"),
                "owner-missing",
                f"personne ne répond de « {item.name} »",
                "nommez un contact : c'est lui qui dit combien de temps on peut s'en passer",
            )
        if not item.do_not:
            yield Finding(
                application.path,
                "do-not-missing",
                f"« {item.name} » ne dit pas ce qu'il ne faut pas faire pendant une panne",
                'ajoutez « do_not: ["…"] » : ce bloc est obligatoire dans la fiche réflexe',
                grave=False,
            )
        if not item.without_it:
            yield Finding(
                application.path,
                "without-it-missing",
                f"« {item.name} » ne dit pas comment travailler sans elle",
                'ajoutez « without_it: "…" » (papier, téléphone…)',
                grave=False,
            )
    if draft.whole("applications"):
        for data in draft.data_sets:
            if data.item.id not in used:
                yield Finding(
                    data.path,
                    "data-unused",
                    f"aucune application ne se sert de « {data.item.name} »",
                    f"ajoutez « data: [{data.item.id}] » à celles qui s'en servent",
                    grave=False,
                )


def _approvals(draft: Draft) -> Iterator[Finding]:
    for question, approval in draft.approvals.items():
        item = approval.item
        able = len(set(item.who)) if item.who else len(draft.contacts)
        if item.people > able and (item.who or draft.whole("contacts")):
            yield Finding(
                (*approval.path, "people"),
                "approval-people",
                f"{say_count(item.people, 'personne doit', 'personnes doivent')} répondre, la liste n'en compte que {able}",
                "ajoutez des personnes à « who », ou demandez-en moins",
            )
        if question not in QUESTIONS:
            near = did_you_mean(question, QUESTIONS)
            yield Finding(
                approval.path,
                "approval-unknown",
                f"Relève ne pose pas de question « {question} » : cette règle ne servira pas",
                f"vouliez-vous dire « {near} » ?" if near else among(QUESTIONS),
                key=True,
                grave=False,
            )


def calendars(draft: Draft) -> Iterator[Finding]:
    """Time zones, holidays, closures, opening hours that overlap or are none."""
    for calendar in draft.calendars:
        if not _zone_exists(calendar.item.timezone):
            yield Finding(
                (*calendar.path, "timezone"),
                "timezone",
                f"fuseau horaire inconnu : « {calendar.item.timezone} »",
                "écrivez Europe/Paris, Indian/Reunion, America/Guadeloupe…",
            )
        holidays = calendar.item.holidays
        if holidays not in holiday_zones():
            yield Finding(
                (*calendar.path, "holidays"),
                "holidays",
                f"jours fériés inconnus : « {holidays} »",
                "écrivez FR, FR-57 (Moselle), FR-6AE (Alsace), FR-974 (La Réunion)…, ou rien",
            )
        if calendar.item.school and calendar.item.school not in SCHOOL_ZONES:
            yield Finding(
                (*calendar.path, "school"),
                "school",
                f"zone scolaire inconnue : « {quote(calendar.item.school)} »",
                "écrivez A, B ou C ; en Corse et outre-mer, les vacances s'écrivent en dates dans « closed »",
            )
        yield from _closures(calendar)
        if not any(slots for _, slots in calendar.item.open):
            yield Finding(
                (*calendar.path, "open"),
                "calendar-empty",
                f"le calendrier « {calendar.item.id} » n'ouvre jamais : aucun délai n'y finirait",
                'ajoutez des plages horaires : open: {mon: ["09:00-12:30", "13:30-17:00"], …}',
            )
        for day, slots in calendar.item.open:
            for index in range(1, len(slots)):
                closing = slots[index - 1][1]
                if closing == time(0, 0) or slots[index][0] < closing:
                    yield Finding(
                        (*calendar.path, "open", day, index),
                        "slots-overlap",
                        f"la plage qui ouvre à {slots[index][0]:%H:%M} commence avant la fin de la précédente"
                        f" ({_hour(closing)})",
                        "écrivez les plages du jour dans l'ordre, sans chevauchement",
                    )


def _closures(calendar: Placed[CalendarBlock]) -> Iterator[Finding]:
    for index, closure in enumerate(calendar.item.closed):
        path = (*calendar.path, "closed", index, "to")
        if closure.last < closure.first:
            yield Finding(
                path,
                "closed-order",
                f"la fermeture finit le {closure.last:%d/%m/%Y}, avant de commencer ({closure.first:%d/%m/%Y})",
                "« from » est le premier jour fermé, « to » le dernier",
            )
        elif closure.last - closure.first > LONGEST_CLOSURE:
            yield Finding(
                path,
                "closed-long",
                "cette fermeture dure plus d'un an",
                "vérifiez l'année ; un lieu fermé pour de bon n'a pas besoin de calendrier",
            )


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder, an OSError
        return False
    return True


def _hour(closing: time) -> str:
    return "24:00" if closing == time(0, 0) else f"{closing:%H:%M}"
