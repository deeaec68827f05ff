"""What audits saw and what people said of it: one row an audit, one a look, one a note."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import Q

from releve.adapters.ledger import models
from releve.adapters.ledger.codec import dump, load, of_plain, utc
from releve.adapters.ledger.database import Database, put
from releve.domain.audit import Acceptance, Answer, Audit, Errand, Gap, Look, Topic
from releve.domain.errors import BadInput, Unheld
from releve.domain.seen import KINDS, kind_of

_NOTES: Mapping[str, type[Answer | Acceptance]] = {"answer": Answer, "acceptance": Acceptance}


class DjangoAudits:
    """Implements `domain.ports.Audits`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, audit: Audit) -> None:
        """Insert; nothing when it is there already."""
        with self._database.writing() as alias:
            before = models.Audit.objects.using(alias).order_by("-seq").first()
            said = models.AuditNote.objects.using(alias).order_by("-id").first()
            models.Audit.objects.using(alias).get_or_create(
                id=audit.id,
                defaults={
                    "seq": before.seq + 1 if before else 1,
                    "said": said.pk if said else 0,
                    "started_at": utc(audit.started),
                    "ended_at": utc(audit.ended) if audit.ended else None,
                    "value": dump(audit),
                },
            )

    def keep(self, audit: str, look: Look) -> None:
        """Insert or replace, keyed by (audit, errand)."""
        with self._database.writing() as alias:
            _known(alias, audit)
            row = models.AuditLook(
                audit=audit, errand=look.errand.key, at=utc(look.at), value=_look_text(look)
            )
            put(alias, row, by=("audit", "errand"))

    def end(self, audit: str, at: datetime) -> None:
        """Mark it ended; the first end stands."""
        with self._database.writing() as alias:
            row = _known(alias, audit)
            if row.ended_at is None:
                models.Audit.objects.using(alias).filter(id=audit).update(ended_at=utc(at))

    def all(self) -> list[Audit]:
        """The last begun first."""
        with self._database.reading() as alias:
            rows = list(models.Audit.objects.using(alias).order_by("-seq"))
        return [replace(load(Audit, row.value), ended=row.ended_at) for row in rows]

    def looks(self, audit: str, topics: Collection[Topic] = ()) -> list[Look]:
        """In the order of its errands; what is no longer an errand of it comes last."""
        with self._database.reading() as alias:
            errands = load(Audit, _known(alias, audit).value).errands
            found = models.AuditLook.objects.using(alias).filter(audit=audit).order_by("at", "id")
            if topics:
                found = found.filter(reduce(or_, (Q(errand__startswith=f"{topic}:") for topic in topics)))
            rows = list(found)
        place = {errand.key: number for number, errand in enumerate(errands)}
        return sorted(
            (_look(row.value) for row in rows),
            key=lambda look: place.get(look.errand.key, len(place)),
        )

    def note(self, note: Answer | Acceptance, at: datetime) -> bool:
        """Insert; False when these very words are already the last on their subject."""
        value = dump(note)
        kind, code = ("answer", note.question) if isinstance(note, Answer) else ("acceptance", note.code)
        with self._database.writing() as alias:
            said = models.AuditNote.objects.using(alias).filter(kind=kind, code=code, subject=note.subject)
            last = said.order_by("-id").first()
            if last is not None and last.value == value:
                return False
            models.AuditNote.objects.using(alias).create(
                kind=kind, code=code, subject=note.subject, recorded_at=utc(at), value=value
            )
        return True

    def notes(self, before: str = "") -> list[Answer | Acceptance]:
        """In the order in which they were recorded, those recorded before the audit `before` was begun."""
        with self._database.reading() as alias:
            said = models.AuditNote.objects.using(alias).order_by("id")
            rows = list(said.filter(id__lte=_known(alias, before).said) if before else said)
        return [load(_NOTES[row.kind], row.value) for row in rows]


def _known(alias: str, audit: str) -> models.Audit:
    row = models.Audit.objects.using(alias).filter(id=audit).first()
    if row is None:
        raise BadInput("audit-unknown", f"aucun audit « {audit} »", hint="releve audit list les montre")
    return row


def _look_text(look: Look) -> str:
    """Facts carry their kind: a look holds values of many types. Raises `Unheld`."""
    value = {
        "errand": look.errand,
        "at": look.at,
        "seconds": look.seconds,
        "facts": [{"kind": kind_of(fact), "value": fact} for fact in look.facts],
        "gaps": look.gaps,
    }
    try:
        return dump(value)
    except (ValueError, TypeError) as error:
        raise Unheld("look-unheld", "ce qui a été répondu ne peut pas être gardé au registre") from error


def _look(text: str) -> Look:
    plain = json.loads(text)
    return Look(
        of_plain(Errand, plain["errand"]),
        of_plain(datetime, plain["at"]),
        of_plain(float, plain["seconds"]),
        tuple(of_plain(KINDS[item["kind"]], item["value"]) for item in plain["facts"]),
        tuple(of_plain(Gap, item) for item in plain["gaps"]),
    )
