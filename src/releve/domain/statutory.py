"""What the law asks to be told, to whom and how fast, once an incident is known.

Dated data, shown "à jour au": texts change. `checked` is False where the article was not found again
in a source and stands from memory: it is shown "à vérifier". The tool prepares; a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from releve.domain.calendars import Calendar, due_at
from releve.domain.units import Clock, Span

AS_OF = date(2026, 11, 26)
_HOUR = 3600.0


class Event(StrEnum):
    """What happened, as far as the law is concerned. One incident may be several of them."""

    MAJOR_INCIDENT = "major-incident"  # a serious or significant incident of the information system
    DATA_BREACH = "data-breach"  # personal data lost, changed or disclosed
    UNAVAILABLE = "unavailable"  # personal data out of reach for a time, and nothing else known of them
    ATTACK = "attack"  # malicious
    DYSFUNCTION = "dysfunction"  # the care or the support of people suffers, or their safety


EVENT_FR = {
    Event.MAJOR_INCIDENT: "incident grave ou significatif de sécurité du système d'information",
    Event.DATA_BREACH: "violation de données personnelles",
    Event.UNAVAILABLE: "données personnelles hors d'atteinte",
    Event.ATTACK: "attaque malveillante",
    Event.DYSFUNCTION: "dysfonctionnement grave qui touche les personnes accompagnées",
}


@dataclass(frozen=True, slots=True)
class Duty:
    """A statutory countdown. It starts when the association comes to know of one of `events`.

    `delay`: None when the text gives no figure ("sans délai"): `words` says it. `condition`: when it
    applies, if not always. `checked`: False when the source is quoted from memory.
    """

    code: str
    name: str
    events: frozenset[Event]
    delay: Span | None
    words: str
    source: str
    condition: str = ""
    checked: bool = True


def deadlines(
    events: Iterable[Event], known_at: datetime, calendar: Calendar | None = None
) -> tuple[tuple[Duty, datetime | None], ...]:
    """The duties that these events start, the most pressing first, each with its last instant (UTC).

    Hours run in calendar time, by day and by night: 72 h are 72 × 60 minutes, also when the clocks
    change. None where the text has no figure, and for business days without `calendar` (the one of the
    administration). Raises ValueError when `known_at` is naive or the calendar is wrong.
    """
    happened = frozenset(events)
    return tuple((duty, _due(duty, known_at, calendar)) for duty in DUTIES if duty.events & happened)


def _due(duty: Duty, known_at: datetime, calendar: Calendar | None) -> datetime | None:
    start = due_at(known_at, Span(), None)  # judges the instant, whatever the duty
    if duty.delay is None or (duty.delay.clock is Clock.BUSINESS and calendar is None):
        return None
    return due_at(start, duty.delay, calendar)


# In order of urgency. Règlement 1182/71 would leave out the hour in which the event became known: counted
# from the very instant, a delay is never said to be longer than it is.
DUTIES: tuple[Duty, ...] = (
    Duty(
        "cert-sante",
        "Signaler l'incident au CERT Santé (portail signalement.social-sante.gouv.fr)",
        frozenset({Event.MAJOR_INCIDENT}),
        None,
        "sans délai",
        "CSP L1111-8-2, décret 2022-715",
        "établissements médico-sociaux ; structure purement sociale : vérifier le champ",
    ),
    Duty(
        "dysfonctionnement",
        "Informer l'ARS, le département ou l'autorité qui a autorisé l'établissement",
        frozenset({Event.DYSFUNCTION}),
        None,
        "sans délai",
        "CASF L331-8-1, décret 2016-1813",
    ),
    Duty(
        "nis2-alerte",
        "Donner l'alerte précoce à l'autorité nationale",
        frozenset({Event.MAJOR_INCIDENT}),
        Span(24 * _HOUR),
        "24 h",
        "directive (UE) 2022/2555, art. 23",
        "seulement si l'association est une entité soumise à NIS2",
        checked=False,
    ),
    Duty(
        "cnil",
        "Notifier la violation à la CNIL, quitte à compléter ensuite ; passé ce délai, dire pourquoi",
        frozenset({Event.DATA_BREACH}),
        Span(72 * _HOUR),
        "72 h",
        "RGPD, art. 33(1) et 33(4)",
        "sauf si un risque pour les personnes est improbable : alors, le registre suffit",
    ),
    # Guidelines 9/2022, v2.0 of 28/03/2023: a loss of availability, even for a time, is a breach, written down in
    # any case; a planned stop is none. Without access to patients' data, a risk is likely.
    Duty(
        "cnil-disponibilite",
        "À examiner : des données de santé hors d'atteinte sont une violation, à notifier à la CNIL si elle fait courir un risque",
        frozenset({Event.UNAVAILABLE}),
        Span(72 * _HOUR),
        "72 h",
        "RGPD, art. 4(12), 33(1) et 33(5) ; CEPD, lignes directrices 9/2022",
        "au registre des violations dans tous les cas ; à notifier sauf si un risque pour les personnes est improbable",
    ),
    Duty(
        "plainte",
        "Porter plainte, pour être indemnisé par l'assurance cyber",
        frozenset({Event.ATTACK}),
        Span(72 * _HOUR),
        "72 h",
        "C. assur. L12-10-1 (depuis le 24/04/2023)",
        "si un contrat couvre ce risque ; vaut aussi quand le système est hébergé ailleurs",
    ),
    Duty(
        "nis2-notification",
        "Notifier l'incident à l'autorité nationale",
        frozenset({Event.MAJOR_INCIDENT}),
        Span(72 * _HOUR),
        "72 h",
        "directive (UE) 2022/2555, art. 23",
        "seulement si l'association est une entité soumise à NIS2",
        checked=False,
    ),
    Duty(
        "assurance",
        "Déclarer le sinistre à l'assureur",
        frozenset({Event.MAJOR_INCIDENT, Event.ATTACK}),
        Span(0.0, Clock.BUSINESS, 5),
        "5 j ouvrés le plus souvent, 2 pour un vol : selon le contrat",
        "C. assur. L113-2",
        "si un contrat couvre ce risque",
        checked=False,
    ),
    Duty(
        "personnes",
        "Prévenir les personnes concernées, en termes clairs",
        frozenset({Event.DATA_BREACH}),
        None,
        "dans les meilleurs délais",
        "RGPD, art. 34",
        "si le risque pour elles est élevé",
    ),
    Duty(
        "responsable",
        "Prévenir le responsable du traitement",
        frozenset({Event.DATA_BREACH}),
        None,
        "dans les meilleurs délais",
        "RGPD, art. 33(2)",
        "si l'association traite ces données pour le compte d'un autre",
    ),
    Duty(
        "nis2-rapport",
        "Remettre le rapport final à l'autorité nationale",
        frozenset({Event.MAJOR_INCIDENT}),
        None,
        "un mois après la notification",
        "directive (UE) 2022/2555, art. 23",
        "seulement si l'association est une entité soumise à NIS2",
        checked=False,
    ),
)
