"""The weak points as text: what to do first at the top, each with its place, its reason and its remedy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import SEVERITY_FR, Rule, Severity, Standing, WeakPoint
from releve.cycle.audit.trend import Trend
from releve.cycle.audit.verdict import Verdict
from releve.domain.audit import Audit
from releve.domain.instants import say_instant
from releve.domain.terminal import printable
from releve.domain.units import say_count


def summary(estate: Estate, audit: Audit, verdict: Verdict) -> str:
    """The head of the page: which audit, how much is really known and since when, how many points of each severity.

    `audit`: as it was made; `estate` holds what is known, which older audits may have seen.
    """
    zone = ZoneInfo(estate.plan.timezone)
    gone = {look.errand for look in estate.dropped}
    planned = [errand for errand in estate.audit.errands if errand not in gone]
    whole = sum(1 for errand in planned if estate.looked(errand.topic, errand.subject))
    lines = [
        f"Audit {audit.id} de « {estate.plan.association.name} », commencé {say_instant(audit.started, zone)}",
        f"à regarder : {len(planned)} ; vu : {whole} ; pas vu : {len(planned) - whole}",
    ]
    older = [look for look in estate.looks if look.at < audit.started and look.errand not in gone]
    if older:
        oldest = min(look.at for look in older)
        lines.append(
            f"{say_count(len(older), 'regard date', 'regards datent')} d'un audit d'avant, le plus vieux du "
            f"{oldest.astimezone(zone):%d/%m/%Y}"
        )
    if gone:
        oldest = min(look.at for look in estate.dropped)
        lines.append(
            f"{say_count(len(gone), 'regard que le plan ne demande plus', 'regards que le plan ne demande plus')} :"
            f" ce qu'on y avait vu reste, tel que vu au plus tôt le {oldest.astimezone(zone):%d/%m/%Y}"
        )
    if audit.ended is None:
        lines.append(
            "cet audit n'est pas fini : « releve audit run », avec les mêmes options, le reprend pendant un jour"
        )
    live = verdict.live
    lines.append(f"{say_count(len(live), 'point faible', 'points faibles')} : {', '.join(_counts(live))}")
    again = [point for point in live if point not in verdict.judged.points]
    if again:
        known = say_count(len(again), "connu d'avant et pas revu", "connus d'avant et pas revus")
        lines.append(f"dont {known} : {', '.join(said for said in _counts(again) if said[0] != '0')}")
    accepted = len(verdict.points) - len(live)
    if accepted:
        lines.append(f"{say_count(accepted, 'autre est accepté', 'autres sont acceptés')} pour un temps")
    blind = len(verdict.judged.unjudged)
    if blind:
        rules = say_count(blind, "règle n'a pas pu être vérifiée", "règles n'ont pas pu être vérifiées")
        lines.append(f"{rules} : voir à la fin")
    return "\n".join(lines)


def _counts(points: Sequence[WeakPoint]) -> list[str]:
    """How many of each severity."""
    return [
        say_count(
            sum(1 for point in points if point.rule.severity is severity),
            SEVERITY_FR[severity],
            _plural(severity),
        )
        for severity in Severity
    ]


def _plural(severity: Severity) -> str:
    word = SEVERITY_FR[severity]
    return word if " " in word else f"{word}s"


def listing(estate: Estate, points: Sequence[WeakPoint], *, accepted: bool = False) -> str:
    """Each rule once, the gravest first, its weak points below it. `accepted`: those too."""
    shown = [point for point in points if accepted or point.standing is not Standing.ACCEPTED]
    blocks = []
    for rule in dict.fromkeys(point.rule for point in shown):
        mine = [point for point in shown if point.rule is rule]
        lines = [f"{rule.code}  {SEVERITY_FR[rule.severity]} : {rule.title}"]
        lines += [printable(line) for point in mine for line in _point(estate, point)]
        lines += [f"    pourquoi : {rule.why}", f"    remède : {rule.mend}"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _point(estate: Estate, point: WeakPoint) -> Iterator[str]:
    found = point.weakness
    where = f"{estate.name_of(found.site)} : " if found.site and found.site != found.subject else ""
    yield f"  • {where}{found.sentence} [{found.subject}]"
    if found.stops:
        names = ", ".join(estate.name_of(name) for name in found.stops)
        yield f"    arrête : {names}"
    said = point.acceptance
    if said is not None and point.standing is Standing.ACCEPTED:
        yield f"    accepté par {said.by} jusqu'au {said.until:%d/%m/%Y} : {said.why}"
    if said is not None and point.standing is Standing.EXPIRED:
        yield f"    accepté par {said.by} jusqu'au {said.until:%d/%m/%Y} : ce jour est passé, à revoir"


def changes(trend: Trend, before: str) -> str:
    """What became of the points since the audit `before`."""
    rows = [
        (("nouveau", "nouveaux"), trend.new),
        (("toujours là", "toujours là"), trend.kept),
        (("corrigé", "corrigés"), trend.mended),
        (
            (
                "pas revu" + (" : rien ne dit qu'il soit corrigé" if trend.unseen else ""),
                "pas revus : rien ne dit qu'ils soient corrigés",
            ),
            trend.unseen,
        ),
    ]
    if trend.left:  # rare: said when it happens
        word = "du plan, qui n'en demande plus rien"
        rows.append(((f"sorti {word}", f"sortis {word}"), trend.left))
    lines = [f"Depuis l'audit {before} :"]
    for (one, many), points in rows:
        lines.append(f"  {len(points):>3} {one if len(points) < 2 else many}")
        if points and points is not trend.kept:
            lines += [_brief(point, dated=points is trend.unseen) for point in points]
    return "\n".join(lines)


def _brief(point: WeakPoint, *, dated: bool) -> str:
    """A point in a line. `dated`: how grave it is and whether somebody lives with it as well, for it is nowhere else."""
    said = f"{point.rule.code} {point.weakness.sentence}"
    if dated:
        said += f" [{point.weakness.subject}] ({SEVERITY_FR[point.rule.severity]}"
        said += ", accepté)" if point.standing is Standing.ACCEPTED else ")"
    return printable(f"        {said}")


def unverified(unjudged: Sequence[tuple[Rule, str]]) -> str:
    """The rules that nothing could answer, and why."""
    return "\n".join(f"  {rule.code}  {rule.title} : {reason}" for rule, reason in unjudged)
