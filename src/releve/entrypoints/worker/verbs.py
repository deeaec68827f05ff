"""What may be asked of the owner of runs: the same table for the resident worker and for a command."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from releve.app import Relief, utc_now
from releve.cycle.recover.conduct import Word
from releve.domain.errors import BadInput
from releve.domain.instants import read_instant
from releve.domain.runbook import Direction, TaskKind
from releve.entrypoints.worker.link import Verbs

_Args = Mapping[str, object]


def verbs(owner: Relief) -> Verbs:
    """The orders, each taking and giving JSON-ready mappings."""
    conductor = owner.conductor

    def ping(_args: _Args) -> Mapping[str, object]:
        return {"site": owner.house.site.id, "plan": owner.house.plan.fingerprint}

    def declare(args: _Args) -> Mapping[str, object]:
        incident = conductor.declare(
            _text(args, "site"), _text(args, "summary"), _text(args, "by"), _instant(args, "began_at")
        )
        return {"incident": incident.id, "declared_at": incident.declared_at.isoformat()}

    def close(args: _Args) -> Mapping[str, object]:
        incident = conductor.close(_text(args, "incident"), _text(args, "by"))
        return {"incident": incident.id, "closed_at": str(incident.closed_at)}

    def launch(args: _Args) -> Mapping[str, object]:
        given = args.get("words")
        words = {
            TaskKind(kind): _word(item)
            for kind, item in (given.items() if isinstance(given, Mapping) else ())
        }
        runbook = conductor.launch(
            Direction(_text(args, "direction")), _text(args, "target"), str(args.get("incident") or ""), words
        )
        return {"run": runbook.run}

    def decide(args: _Args) -> Mapping[str, object]:
        decision = conductor.decide(_text(args, "run"), _text(args, "task"), _word(args))
        return {"run": decision.run, "task": decision.task, "answer": decision.answer}

    def abort(args: _Args) -> Mapping[str, object]:
        record = conductor.abort(_text(args, "run"), _text(args, "by"), _text(args, "words"))
        return {"run": record.runbook.run, "state": record.state, "said": conductor.settle()}

    return {
        "ping": ping,
        "declare": declare,
        "close": close,
        "launch": launch,
        "decide": decide,
        "abort": abort,
    }


def _text(args: _Args, name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput("missing-argument", f"il manque « {name} »")
    return value


def _instant(args: _Args, name: str) -> datetime | None:
    value = args.get(name)
    if not value:
        return None
    try:
        found = read_instant(str(value), None)  # without a zone: the clock of this machine
    except ValueError as error:
        raise BadInput(
            "bad-instant", str(error), hint="écrivez par exemple 2026-11-23T14:02, ou 23/11/2026 14:02"
        ) from error
    if found > utc_now():
        raise BadInput("instant-in-future", f"« {value} » est dans le futur")
    return found


def _word(item: object) -> Word:
    if not isinstance(item, Mapping):
        raise BadInput("bad-request", "réponse illisible")
    return Word(
        _text(item, "by"), _text(item, "words"), str(item.get("answer") or ""), _instant(item, "since")
    )
