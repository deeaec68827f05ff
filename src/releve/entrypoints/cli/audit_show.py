"""`releve audit show`: the weak points, as text, JSON, SARIF or a map."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

from releve.adapters.notes import replace
from releve.domain.errors import BadInput, Exit, Unreachable
from releve.domain.instants import say_instant
from releve.domain.names import nearest
from releve.domain.os_errors import reason
from releve.domain.units import say_count
from releve.entrypoints.cli.audit_places import Page
from releve.entrypoints.cli.telling import Answer, columns

if TYPE_CHECKING:
    from releve.cycle.audit.rule import WeakPoint
    from releve.cycle.audit.verdict import Verdict


def show(found: Page, *, accepted: bool, site: str, fail_on: str, sarif_file: str, map_file: str) -> Answer:
    """Judge the audit, write the files that are asked for, say the rest. Exit code 3 with `fail_on`."""
    from releve.cycle.audit.judge import blinded
    from releve.cycle.audit.show.points import changes, listing, summary, unverified
    from releve.cycle.plan.grid import folded

    grave = _severities(fail_on)
    if site and site not in (known := {item.id: item for item in found.estate.plan.sites}):
        raise BadInput("unknown-site", f"site inconnu : « {site} »", hint=nearest(site, known, ""))
    verdict = found.verdict().at(site)
    judged, since = verdict.judged, verdict.since
    written = []
    if sarif_file:
        written.append(_written(sarif_file, _sarif(found, verdict)))
    if map_file:
        written.append(_written(map_file, _map(found, verdict, site)))
    blocks = [summary(found.estate, found.audit, verdict)]
    if site:
        blocks[0] += f"\nseuls les points du site « {site} » sont montrés"
    if since is not None:
        blocks.append(changes(since, found.before[0].audit.id))
    blocks.append(
        listing(found.estate, judged.points, accepted=accepted) or "aucun point faible parmi ce qui a été vu"
    )
    if judged.unjudged:
        blocks.append("Non vérifié :\n" + unverified(judged.unjudged))
    blind = [rule.code for rule in blinded(judged, found.estate) if rule.severity in grave]
    if blind:
        blocks.append(
            f"--fail-on : {', '.join(blind)} n'ont pas pu être vérifiées, car ce qu'elles demandent de regarder"
            " n'a pas abouti ; rien ne dit que tout va bien"
        )
    text = folded("\n\n".join([*blocks, *written]), columns())
    bad = [point for point in verdict.live if point.rule.severity in grave]
    code = Exit.PROMISE_NOT_KEPT if bad or blind else Exit.DONE
    return Answer(_value(found, verdict), text, code)


def _severities(word: str) -> frozenset[str]:
    from releve.cycle.audit.rule import SEVERITY_FR, Severity
    from releve.domain.names import unaccented

    order = list(Severity)
    known = {unaccented(name): item for item in order for name in (item.value, SEVERITY_FR[item])}
    if not word:
        return frozenset()
    if (least := known.get(unaccented(word))) is None:
        either = [f"{item.value} ({SEVERITY_FR[item]})" for item in order]
        raise BadInput("severity-unknown", f"gravité inconnue : « {word} »", hint=", ".join(either))
    return frozenset(item.value for item in order[: order.index(least) + 1])


def _value(found: Page, verdict: Verdict) -> dict[str, object]:
    audit, since = found.audit, verdict.since
    trend = None
    if since is not None:
        trend = {
            "since": found.before[0].audit.id,
            **{item.name: [list(point.key) for point in getattr(since, item.name)] for item in fields(since)},
        }
    return {
        "audit": audit.id,
        "started": audit.started.isoformat(),
        "ended": audit.ended.isoformat() if audit.ended else None,
        "planned": len(found.estate.audit.errands) - len(found.estate.dropped),
        "looked": len(found.estate.looks) - len(found.estate.dropped),
        "no_longer_asked": [look.errand.key for look in found.estate.dropped],
        "not_seen": [
            {"topic": topic.value, "subject": subject, "what": gap.what, "why": gap.sentence}
            for topic, subject, _site, gap in found.estate.gaps()
        ],
        "weak_points": [point_value(point) for point in verdict.judged.points],
        "not_seen_again": [point_value(point) for point in (since.unseen if since else ())],
        "not_verified": [{"code": rule.code, "reason": why} for rule, why in verdict.judged.unjudged],
        "trend": trend,
    }


def point_value(point: WeakPoint) -> dict[str, object]:
    """A weak point as JSON."""
    said = point.acceptance
    return {
        "code": point.rule.code,
        "severity": point.rule.severity.value,
        "title": point.rule.title,
        "subject": point.weakness.subject,
        "site": point.weakness.site,
        "sentence": point.weakness.sentence,
        "stops": list(point.weakness.stops),
        "seen": point.weakness.seen.isoformat() if point.weakness.seen else None,
        "standing": point.standing.value,
        "accepted": None
        if said is None
        else {"by": said.by, "on": said.on.isoformat(), "until": said.until.isoformat(), "why": said.why},
    }


def _sarif(found: Page, verdict: Verdict) -> str:
    from releve import __version__
    from releve.cycle.audit.rules import RULES
    from releve.cycle.audit.show.sarif import sarif

    source = found.estate.plan.source
    gaps = [
        f"{subject} ({topic.value}) {gap.what} : {gap.sentence}"
        for topic, subject, _site, gap in found.estate.gaps()
    ]
    judged = verdict.judged
    log = sarif(
        judged.points,
        RULES,
        version=__version__,
        plan=quote(os.fsencode(Path(source).name), safe=""),
        lines=_lines(source),
        trend=verdict.since,
        unseen=[*gaps, *(f"{rule.code} non vérifiée : {why}" for rule, why in judged.unjudged)],
        finished=found.audit.ended is not None,
    )
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _lines(source: str) -> dict[str, int]:
    """The line of each identifier of the plan's file."""
    from releve.cycle.plan.source import read_source, scalars

    root = read_source(Path(source).read_bytes(), source).root
    if root is None:
        return {}
    return {
        scalar.text.strip(): scalar.mark.line
        for path, scalar in scalars(root)
        if path[-1] in {"id", "label"} and len(path) == 3
    }


def _map(found: Page, verdict: Verdict, site: str) -> str:
    from releve.cycle.audit.show.map import picture

    name = found.estate.plan.association.name
    caveats = []
    if site:
        caveats.append(f"seuls les points du site « {site} » sont montrés")
    if found.audit.ended is None:
        caveats.append("cet audit n'est pas fini")
    judged, again = verdict.judged, len(verdict.since.unseen) if verdict.since else 0
    if again:
        known = say_count(
            again, "point connu d'avant n'a pas été revu", "points connus d'avant n'ont pas été revus"
        )
        caveats.append(f"{known} et n'est pas montré" if again == 1 else f"{known} et ne sont pas montrés")
    if judged.unjudged:
        count = say_count(
            len(judged.unjudged), "règle n'a pas pu être vérifiée", "règles n'ont pas pu être vérifiées"
        )
        caveats.append(count)
    when = say_instant(found.audit.started, ZoneInfo(found.estate.plan.timezone))
    return picture(found.estate, judged.points, f"{name} : audit du {when}", caveats)


def _written(path: str, text: str) -> str:
    try:
        replace(Path(path), text.encode())
    except OSError as error:
        raise Unreachable("file-unwritable", f"{path} ne peut pas être écrit : {reason(error)}") from error
    return f"écrit dans {path}"
