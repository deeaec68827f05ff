"""The check, as a person reads it from the gravest down, and as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from releve.cycle.objectives.check import Checked, Clash
from releve.cycle.objectives.choice.arbitration import say_arbitration
from releve.domain.errors import Fault
from releve.domain.units import say_count

# The codes in the order of their weight, each with what it says of all its cases.
TITLES: Mapping[str, str] = {
    "no-time-left": "ce qui se remet en route plus lentement qu'il ne faut",
    "promise-too-slow": "des fournisseurs promettent plus lentement qu'il ne faut",
    "way-up-too-slow": "des promesses retiennent ce qui en dépend",
    "promise-loses-more": "des fournisseurs peuvent perdre plus qu'il n'est admis",
    "need-differs": "le plan n'écrit pas le délai que les gens demandent",
    "loss-differs": "le plan admet plus de perte que les gens",
    "no-restore-promise": "des fournisseurs ne promettent aucun rétablissement",
    "rate-too-low": "des taux de disponibilité permettent plus d'arrêt qu'il n'est admis",
}


def check_text(checked: Checked) -> str:
    """What is grave, group by group; then the gaps accepted, then what is to look at."""
    clashes = sorted(checked.clashes, key=lambda clash: list(TITLES).index(clash.found.code))
    grave = [clash for clash in clashes if clash.found.grave]
    light = [clash for clash in clashes if not clash.found.grave]
    lines = [_headline(checked, grave, light)]
    if checked.beyond:
        lines += ["", f"Hors d'atteinte, quoi qu'on achète ({len(checked.beyond)})", *_faults(checked.beyond)]
    if grave:
        lines += ["", f"Ce qui se contredit ({len(grave)})", *_groups(grave)]
    if checked.accepted:
        lines += [
            "",
            f"Écarts acceptés ({len(checked.accepted)}) : ils ne sont plus demandés tant qu'ils courent",
        ]
        lines += [f"  {item.subject} : {say_arbitration(item)}" for item in checked.accepted]
    if light or checked.remarks:
        lines += [
            "",
            f"À regarder ({len(light) + len(checked.remarks)})",
            *_faults(checked.remarks),
            *_groups(light),
        ]
    return "\n".join(lines)


def _headline(checked: Checked, grave: list[Clash], light: list[Clash]) -> str:
    answered = [need for need in checked.needs if need.answered or need.settled]
    opened = [need for need in checked.needs if need.open]
    said = f"objectifs lisibles : {say_count(len(checked.needs), 'besoin')}"
    if not answered:
        said += ", tous repris du plan : personne n'a encore répondu"
    else:
        said += f", {say_count(len(checked.objectives.statements), 'réponse')}"
        if len(answered) < len(checked.needs):
            said += f" ; {len(checked.needs) - len(answered)} repris du plan, faute de réponse"
        if opened:
            said += f" ; {len(opened)} à trancher"
    found = [
        say_count(len(items), one, many)
        for items, one, many in (
            (checked.beyond, "besoin hors d'atteinte", "besoins hors d'atteinte"),
            (grave, "contradiction", ""),
            (checked.accepted, "écart accepté", "écarts acceptés"),
            ([*light, *checked.remarks], "point à regarder", "points à regarder"),
        )
        if items
    ]
    return said + ("\n" + ", ".join(found) if found else "")


def _groups(clashes: Iterable[Clash]) -> Iterator[str]:
    """The cases of each code together; a hint that holds for all of them is said once."""
    groups: dict[str, list[Clash]] = {}
    for clash in clashes:
        groups.setdefault(clash.found.code, []).append(clash)
    for code, cases in groups.items():
        yield f"{code}: {TITLES[code]} ({len(cases)})"
        hints = {case.found.hint for case in cases}
        for case in cases:
            where = f"{_where(case)}: " if _where(case) else ""
            own = f" — {case.found.hint}" if len(hints) > 1 else ""
            yield f"  {where}{case.found.sentence}{own}"
        if len(hints) == 1:
            yield f"  conseil : {cases[0].found.hint}"
        yield from (f"  source: {source}" for source in dict.fromkeys(case.found.source for case in cases))


def _where(clash: Clash) -> str:
    place = clash.place
    if place is None:
        return ""
    return f"{place.file}:{place.line}:{place.column}" if place.line else place.file


def _faults(faults: Iterable[Fault]) -> Iterator[str]:
    for fault in faults:
        where = f"{fault.file}:{fault.line}:{fault.column}" if fault.line else fault.file
        yield f"{where}: {fault.code}: {fault.sentence}"
        if fault.hint:
            yield f"  conseil : {fault.hint}"


def check_value(checked: Checked) -> dict[str, object]:
    """The check, JSON-ready."""
    return {
        "valid": True,
        "statements": len(checked.objectives.statements),
        "needs": len(checked.needs),
        "answered": sum(1 for need in checked.needs if need.answered),
        "open": [
            {"application": need.application, "establishment": need.establishment}
            for need in checked.needs
            if need.open
        ],
        "remarks": [remark.as_json() for remark in checked.remarks],
        "unreachable": [fault.as_json() for fault in checked.beyond],
        "contradictions": [clash_value(item) for item in checked.clashes],
        "accepted": [say_arbitration(item) for item in checked.accepted],
    }


def clash_value(clash: Clash) -> dict[str, object]:
    """A contradiction, JSON-ready."""
    item, place = clash.found, clash.place
    return {
        "code": item.code,
        "on": item.node,
        "sentence": item.sentence,
        "hint": item.hint,
        "source": item.source,
        "grave": item.grave,
        "file": place.file if place else None,
        "line": place.line if place and place.line else None,
    }
