"""`releve audit facts` and `list`: what was seen, and the audits that were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.domain.audit import Topic
from releve.domain.seen import kind_of
from releve.entrypoints.cli.audit_places import Page
from releve.entrypoints.cli.telling import Answer, columns

if TYPE_CHECKING:
    from releve.app import House


def facts(found: Page, topics: Sequence[str]) -> Answer:
    """The inventory: tables, or everything in JSON. Raises `BadInput` for an unknown topic."""
    from releve.cycle.audit.show.facts import fact_value, tables, told
    from releve.entrypoints.cli.audit_run import chosen_topics

    wanted = chosen_topics(topics, ())
    looks = [look for look in found.estate.looks if look.errand.topic in wanted]
    value = [
        {
            "topic": look.errand.topic.value,
            "subject": look.errand.subject,
            "site": look.errand.site,
            "at": look.at.isoformat(),
            "seconds": round(look.seconds, 3),
            "facts": [{"kind": kind_of(fact), "value": fact_value(fact)} for fact in look.facts],
            "not_seen": [{"code": gap.code, "what": gap.what, "why": gap.sentence} for gap in look.gaps],
        }
        for look in looks
    ]
    text = "\n\n".join(tables(found.estate, wanted, width=columns()))
    said = told(found.estate) if Topic.COPIES in wanted else ()
    by_hand = [
        {
            "subject": note.subject,
            "on": note.on.isoformat(),
            "by": note.by,
            "good": note.good,
            "label": note.label,
        }
        for note in said
    ]
    return Answer(
        {"audit": found.estate.audit.id, "looks": value, "restored_by_hand": by_hand},
        text or "rien n'a été vu de ces sujets",
    )


def audits(home: House) -> Answer:
    """Every audit, the newest first."""
    from releve.cycle.audit.estate import brought
    from releve.cycle.plan.grid import grid

    kept = home.ledger.audits.all()
    zone = ZoneInfo(home.plan.timezone)
    rows, values = [], []
    for audit in kept:
        looks = home.ledger.audits.looks(audit.id)
        seen = [look for look in looks if brought(look)]
        started, ended = (
            f"{at.astimezone(zone):%d/%m/%Y %H:%M}" if at else "pas fini"
            for at in (audit.started, audit.ended)
        )
        planned = len(audit.errands)
        rows.append((audit.id, started, ended, str(len(seen)), str(planned - len(seen)), audit.where))
        values.append(
            {
                "audit": audit.id,
                "started": audit.started.isoformat(),
                "ended": audit.ended.isoformat() if audit.ended else None,
                "looks": len(looks),
                "planned": planned,
                "seen": len(seen),
                "not_seen": sum(len(look.gaps) for look in looks),
                "parts_not_seen": sum(len(look.gaps) for look in seen),
                "where": audit.where,
            }
        )
    heads = ("audit", "commencé", "fini", "vu", "pas vu", "depuis")
    text = grid(heads, rows, right=frozenset({3, 4}), width=columns()) if rows else "aucun audit"
    return Answer({"audits": values}, text)
