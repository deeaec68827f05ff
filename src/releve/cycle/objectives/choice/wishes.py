"""What a choice must keep: what people asked (wishes), and what the rules impose (duties). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from releve.cycle.objectives.choice.prices import Kind, Medium, Offer
from releve.domain.errors import BadInput
from releve.domain.plan import DataKind, Sensitivity
from releve.domain.units import say_seconds

REALTIME_RPO = 15 * 60  # seconds; what "temps réel" is worth for critical data: valeur proposée
DAILY_RPO = 24 * 3600  # seconds; "chaque jour"


class SubjectKind(StrEnum):
    """What is protected."""

    APPLICATION = "application"
    DATA_SET = "data-set"


class Objective(StrEnum):
    """What a wish bounds."""

    RTO = "rto"
    RPO = "rpo"


class Loss(StrEnum):
    """Against what a wish must hold. The loss of the site counts only what stands elsewhere."""

    SITE = "site"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Subject:
    """An application or a data set. Ids are unique over both kinds.

    `volume`: bytes (data sets). `uses`: data set ids, `needs`: application ids (applications).
    `site`: where it works on an ordinary day. `medium`: on what the data lies there. `bound`: it has no
    sense away from there (heating, nurse call): a relief that stands elsewhere relieves nothing.
    """

    id: str
    name: str
    kind: SubjectKind
    site: str = ""
    data: DataKind = DataKind.OTHER
    sensitivity: Sensitivity = Sensitivity.STANDARD
    volume: int = 0
    uses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    medium: Medium = Medium.DISK
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """At most `seconds` (wall clock, worst case, ≥ 0) without it (RTO) or of data lost (RPO).

    `said_by`: who asked; `source`: where it was said (an interview, a contract). The RPO of an
    application bounds every data set that it uses.
    """

    id: str
    subject: str
    objective: Objective
    seconds: int
    said_by: str = ""
    source: str = ""
    loss: Loss = Loss.SITE


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the law or of prudence: what it asks, in French, and where it is written."""

    code: str
    sentence: str
    source: str


RULES: Mapping[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            "critical-elsewhere",
            "données critiques copiées en temps réel sur un autre site (perte de 15 min au plus, valeur proposée)",
            "Direction[s], dossier « Tous connectés » (2013)",
        ),
        Rule(
            "daily-offsite",
            "copie sur un autre site au moins chaque jour",
            "Direction[s], dossier « Tous connectés » (2013)",
        ),
        Rule(
            "hds",
            "données de santé chez un tiers : hébergeur certifié HDS",
            "code de la santé publique, art. L1111-8",
        ),
        Rule(
            "three-two-one",
            "trois exemplaires, sur deux supports, dont un hors ligne",
            "ANSSI, MonServiceSécurisé (à vérifier)",
        ),
        Rule(
            "offline-copy",
            "une copie hors ligne, qu'une attaque ne peut pas atteindre",
            "ReCyF 13.3 (document de travail) ; ANSSI (à vérifier)",
        ),
        Rule(
            "replication-is-not-backup",
            "une sauvegarde en plus de la réplication, qui copie aussi les erreurs et les rançongiciels",
            "ReCyF 13.3 ; usage de la profession (à vérifier)",
        ),
    )
}
_EVERY_DATA_SET = ("three-two-one", "offline-copy", "replication-is-not-backup")


@dataclass(frozen=True, slots=True)
class Duty:
    """A rule that one subject falls under."""

    rule: str
    subject: str

    @property
    def id(self) -> str:
        """A stable name: "hds:dui"."""
        return f"{self.rule}:{self.subject}"


Demand = Wish | Duty


def duties(subjects: Iterable[Subject], rules: Iterable[str] = tuple(RULES)) -> Iterator[Duty]:
    """The rules that apply, subject by subject. Raises BadInput on an unknown rule."""
    asked = list(rules)
    for code in asked:
        if code not in RULES:
            raise BadInput(
                "rule-unknown", f"règle inconnue : « {code} »", hint="règles connues : " + ", ".join(RULES)
            )
    everything = list(subjects)
    health = {s.id for s in everything if s.kind is SubjectKind.DATA_SET and s.data is DataKind.HEALTH}
    for subject in everything:
        for code in asked:
            if _falls_under(code, subject, health):
                yield Duty(code, subject.id)


def _falls_under(code: str, subject: Subject, health: set[str]) -> bool:
    if subject.kind is SubjectKind.APPLICATION:
        return code == "hds" and not health.isdisjoint(subject.uses)
    critical = subject.sensitivity is Sensitivity.CRITICAL
    match code:
        case "critical-elsewhere":
            return critical
        case "daily-offsite":
            return not critical
        case "hds":
            return subject.id in health
        case _:
            return code in _EVERY_DATA_SET


def elsewhere(offer: Offer, subject: Subject) -> bool:
    """Whether it stands on another site. A third party without a site is elsewhere; no site at all is here."""
    return offer.site != subject.site if offer.site else bool(offer.third_party)


def counts(offer: Offer, subject: Subject, loss: Loss) -> bool:
    """Whether it is still there after the loss."""
    return loss is Loss.MACHINE or elsewhere(offer, subject)


def forbids(offer: Offer) -> bool:
    """Whether the rule on health data refuses it: a third party that is not certified holds the data.

    A link carries data and hosts none (L1111-8 speaks of hosting).
    """
    return bool(offer.third_party) and not offer.hds and offer.kind is not Kind.SECOND_LINK


def respected(code: str, subject: Subject, chosen: Iterable[Offer]) -> bool:
    """Whether the copies and reliefs chosen for a subject follow a rule.

    The original counts as one of the three exemplaires, its medium as one of the two.
    """
    offers = list(chosen)
    if code == "hds":
        return not any(forbids(offer) for offer in offers)
    return all(any(test(offer, subject) for offer in offers) for test in WANTED[code]) and (
        code != "three-two-one" or len([o for o in offers if o.rpo is not None]) >= 2
    )


def _realtime_elsewhere(offer: Offer, subject: Subject) -> bool:
    return offer.replica and elsewhere(offer, subject) and (offer.rpo or 0) <= REALTIME_RPO


def _daily_elsewhere(offer: Offer, subject: Subject) -> bool:
    return offer.rpo is not None and elsewhere(offer, subject) and offer.rpo <= DAILY_RPO


def _offline(offer: Offer, _: Subject) -> bool:
    return offer.rpo is not None and offer.offline


def _other_medium(offer: Offer, subject: Subject) -> bool:
    return offer.rpo is not None and offer.medium is not subject.medium


def _backup(offer: Offer, _: Subject) -> bool:
    return offer.rpo is not None and not offer.replica


# What at least one chosen copy must be, rule by rule (three-two-one also asks for two copies).
WANTED = {
    "critical-elsewhere": (_realtime_elsewhere,),
    "daily-offsite": (_daily_elsewhere,),
    "three-two-one": (_offline, _other_medium),
    "offline-copy": (_offline,),
    "replication-is-not-backup": (_backup,),
}


def say_rule(code: str) -> str:
    """A rule in French, with where it is written."""
    return f"{RULES[code].sentence} ({RULES[code].source})"


def say_demand(demand: Demand, subjects: Mapping[str, Subject]) -> str:
    """A wish or a rule in French, with who said it or where it is written."""
    name = subjects[demand.subject].name
    if isinstance(demand, Duty):
        return f"{name} : {say_rule(demand.rule)}"
    if demand.objective is Objective.RTO:
        asked = f"repris en {say_seconds(demand.seconds)} au plus" if demand.seconds else "jamais arrêté"
    else:
        asked = (
            f"{say_seconds(demand.seconds)} de données perdues au plus"
            if demand.seconds
            else "aucune donnée perdue"
        )
    told = ", ".join(part for part in (demand.said_by and f"dit par {demand.said_by}", demand.source) if part)
    return f"{name} : {asked} ({told or 'personne ne dit de qui cela vient'})"
