"""ALI: UPS, their batteries, and what has none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.graph import single_points
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import names, percent, things, today
from releve.cycle.audit.rules.links import effects, isolated
from releve.domain.audit import Topic
from releve.domain.inventory import Device
from releve.domain.seen import Ups
from releve.domain.units import say_seconds

OLD = 4 * 365.25  # days; value of ours: lead batteries are given for three to five years
SHORT = 600.0  # seconds; value of ours: closing a database, its machine and its storage in order takes ten minutes
_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%y", "%Y%m%d")  # as makers write them, to NUT
_FED = frozenset({Device.SERVER, Device.SWITCH, Device.ROUTER, Device.FIREWALL, Device.NAS})

_IDLE = {  # NUT's letters of a UPS that feeds nothing, the surest first
    "OFF": "est arrêté et n'alimente rien",
    "FSD": "a reçu l'ordre de s'arrêter, et les machines qu'il alimente aussi",
}
_NAMED = frozenset({"OB", "RB", "LB", "DISCHRG", "BYPASS", *_IDLE})  # each is a rule below


def letters(fact: Ups) -> set[str]:
    """The states of a UPS, in NUT's letters."""
    return set(fact.status.split())


def battery_age(estate: Estate, fact: Ups) -> float | None:
    """Days since its battery was fitted; None when it does not say, or says what is no date."""
    for form in _FORMATS:
        try:
            fitted: date = datetime.strptime(fact.battery_date.strip(), form).date()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            continue
        return (today(estate) - fitted).days
    return None


def _found(estate: Estate, fact: Ups, sentence: str, stops: tuple[str, ...] = ()) -> Weakness:
    return Weakness(
        fact.device,
        f"{estate.name_of(fact.device)} : {sentence}",
        estate.site_of(fact.device),
        stops,
        estate.seen_at(fact),
    )


def _on_battery(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        if "OB" in letters(fact):
            left = f", il reste {say_seconds(fact.runtime)}" if fact.runtime is not None else ""
            charge = f", charge {percent(fact.charge / 100)}" if fact.charge is not None else ""
            yield _found(estate, fact, f"sur batterie{charge}{left}")


def _replace(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        if "RB" in letters(fact):
            yield _found(estate, fact, "demande le changement de sa batterie")


def _aged(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        age = battery_age(estate, fact)
        if age is not None and age > OLD and "RB" not in letters(fact):
            yield _found(estate, fact, f"sa batterie a {int(age / 365.25)} ans")


def _brief(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        # Drained, or feeding nothing: what is left then says nothing of what it holds when full.
        if fact.runtime is not None and fact.runtime < SHORT and not letters(fact) & _NAMED:
            yield _found(estate, fact, f"tiendrait {say_seconds(fact.runtime)} seulement")


def _overload(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        if "OVER" in letters(fact):
            yield _found(estate, fact, "est en surcharge")


def _drained(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        said = letters(fact)
        draining = "DISCHRG" in said and "CAL" not in said  # a calibration drains it on purpose
        if (draining or "LB" in said) and not said & {"OB", "RB", *_IDLE}:
            charge = f" ({percent(fact.charge / 100)})" if fact.charge is not None else ""
            how = "se vide" if draining else "est presque vide"
            there = " alors que le courant est là" if "OL" in said else ""
            yield _found(estate, fact, f"sa batterie {how}{charge}{there}")


def _idle(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        found = [words for letter, words in _IDLE.items() if letter in letters(fact)]
        if found:
            yield _found(estate, fact, found[0])


def _bypassed(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        if "BYPASS" in letters(fact) and not letters(fact) & {"OB", *_IDLE}:
            yield _found(estate, fact, "laisse passer le courant de la prise, sa batterie hors circuit")


def _alarm(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Ups):
        # Most alarms come with the state that explains them, which has its own name.
        if "ALARM" in letters(fact) and not letters(fact) & {*_NAMED, "OVER"}:
            yield _found(estate, fact, "signale une alarme")


def _unfed(estate: Estate) -> Iterator[Weakness]:
    fed = {item.id for item in things(estate) if item.ups}
    for site in estate.plan.sites:
        if site.third_party:
            continue  # the power of who hosts us is in its contract
        bare = [
            item.id
            for item in things(estate)
            if item.site == site.id and item.kind in _FED and not item.ups and not fed & set(item.behind)
        ]
        if bare:
            yield Weakness(
                site.id, f"à {site.name}, aucun onduleur n'est déclaré pour {names(estate, bare)}", site.id
            )


def _unasked(estate: Estate) -> Iterator[Weakness]:
    for item in estate.plan.inventory.equipment:
        if item.kind is Device.UPS and not item.nut:
            yield Weakness(
                item.id, f"{item.name} n'est interrogé par personne : sa batterie n'est pas connue", item.site
            )


def _single(estate: Estate) -> Iterator[Weakness]:
    upses = {item.id for item in estate.plan.inventory.equipment if item.kind is Device.UPS}
    for point in single_points(estate.plan):
        cut = isolated(estate, point)
        if point.thing in upses and (point.stops or cut):
            yield Weakness(
                point.thing,
                f"la panne de « {estate.name_of(point.thing)} » {effects(estate, point.stops, cut)}",
                estate.site_of(point.thing),
                stops=point.stops,
            )


_POWER = (src.PGSSI_POWER, src.ELECTRICITY)
RULES = (
    Rule(
        "ALI-01",
        Severity.CRITICAL,
        "un onduleur est sur batterie",
        "le courant manque en ce moment : tout ce qu'il porte s'arrêtera dans quelques minutes",
        _POWER,
        "cherchez la coupure ; si elle dure, arrêtez les machines dans l'ordre",
        _on_battery,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-02",
        Severity.MAJOR,
        "un onduleur demande une batterie neuve",
        "à la prochaine coupure il ne tiendra pas",
        (src.PGSSI_POWER,),
        "changez la batterie ; notez la date dessus",
        _replace,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-03",
        Severity.MINOR,
        "la batterie d'un onduleur est vieille",
        "passé quatre ans, une batterie au plomb peut lâcher sans prévenir",
        (src.PGSSI_POWER, src.OURS),
        "prévoyez son changement cette année ; essayez son autonomie",
        _aged,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-04",
        Severity.MAJOR,
        "un onduleur ne laisse pas le temps d'arrêter les machines",
        "une base coupée net peut revenir abîmée, et la remise en route prend des heures",
        (src.PGSSI_POWER, src.OURS),
        "débranchez-en ce qui n'est pas vital, ou prenez plus grand ; réglez l'arrêt automatique",
        _brief,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-05",
        Severity.MAJOR,
        "un onduleur est en surcharge",
        "il se coupera de lui-même, sans panne de courant",
        (src.PGSSI_POWER,),
        "débranchez-en ce qui n'est pas vital (imprimantes, chauffage d'appoint)",
        _overload,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-06",
        Severity.MAJOR,
        "des machines n'ont pas d'onduleur",
        "une coupure d'une seconde les arrête net, et les commutateurs coupent le téléphone et l'appel malade avec eux",
        _POWER,
        "mettez serveurs et commutateurs sur onduleur, et notez-le dans le plan (« ups »)",
        _unfed,
    ),
    Rule(
        "ALI-07",
        Severity.MINOR,
        "un onduleur n'est interrogé par personne",
        "on apprend que sa batterie est morte le jour de la coupure",
        (src.PGSSI_POWER,),
        "branchez son câble à un serveur, installez NUT et notez « nut » dans le plan",
        _unasked,
    ),
    Rule(
        "ALI-08",
        Severity.MAJOR,
        "un seul onduleur arrête des applications",
        "quand il tombe en panne lui-même, il coupe ce qu'il devait protéger",
        (src.PGSSI_POWER, src.CASES_SHARED),
        "répartissez les alimentations doubles sur deux onduleurs, ou préparez un secours sur l'autre site",
        _single,
    ),
    Rule(
        "ALI-09",
        Severity.MAJOR,
        "la batterie d'un onduleur est vide ou se vide, sans coupure",
        "à la prochaine coupure, même brève, il s'arrête aussitôt",
        (src.PGSSI_POWER, src.NUT_STATES),
        "s'il n'est pas en train de se recharger, sa batterie ou son chargeur est en panne : faites-le voir",
        _drained,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-10",
        Severity.CRITICAL,
        "un onduleur n'alimente rien, ou va s'arrêter",
        "ce qui est branché dessus est éteint, va l'être, ou se croit protégé et ne l'est pas",
        (*_POWER, src.NUT_STATES),
        "rallumez-le, et trouvez qui l'a arrêté ; si c'est voulu, ôtez-le du plan",
        _idle,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-11",
        Severity.MAJOR,
        "un onduleur est en dérivation (bypass)",
        "à la moindre coupure il ne prend pas le relais : les machines s'arrêtent net",
        (src.PGSSI_POWER, src.NUT_STATES),
        "remettez-le en service normal ; s'il y revient seul, il est en panne ou en surcharge",
        _bypassed,
        (Topic.UPS,),
        reads=(Ups,),
    ),
    Rule(
        "ALI-12",
        Severity.MAJOR,
        "un onduleur signale une alarme",
        "il dit lui-même que quelque chose ne va pas, et NUT ne sait pas le ranger",
        (src.PGSSI_POWER, src.NUT_STATES),
        "lisez l'alarme sur son écran, ou demandez « ups.alarm » à NUT (upsc)",
        _alarm,
        (Topic.UPS,),
        reads=(Ups,),
    ),
)
