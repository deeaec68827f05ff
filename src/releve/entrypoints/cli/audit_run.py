"""`releve audit run`: look at what is really there, told as it goes."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.domain.audit import Audit, Errand, Topic
from releve.domain.errors import BadInput, Exit, Refused, Unreachable
from releve.domain.instants import say_instant
from releve.domain.names import among
from releve.domain.os_errors import reason
from releve.domain.units import say_count
from releve.entrypoints.cli.audit_progress import shown
from releve.entrypoints.cli.telling import Answer, Interrupted, talk

if TYPE_CHECKING:
    from releve.app import House
    from releve.domain.plan import Plan

LATE_FAULTS = (
    "des regards ont échoué par la faute de Relève : gardez les traces ci-dessus et ouvrez un ticket"
)


def foreseen(
    plan: Plan, here: str, holding: Mapping[str, str], only: Sequence[str], without: Sequence[str]
) -> Answer:
    """What an audit made from the site `here` would look at, data where `holding` says. Raises `BadInput`."""
    planned = _planned(plan, here, holding, only, without)
    return Answer({"errands": [_errand_value(item) for item in planned]}, _told(planned))


def _planned(
    plan: Plan, here: str, holding: Mapping[str, str], only: Sequence[str], without: Sequence[str]
) -> tuple[Errand, ...]:
    """Every look of these topics that the plan calls for. Raises `BadInput` when there is none."""
    from releve.cycle.audit.errands import errands

    wanted = chosen_topics(only, without)
    planned = tuple(item for item in errands(plan, here, holding) if item.topic in wanted)
    if not planned:
        raise BadInput(
            "audit-nothing",
            "le plan ne déclare rien à regarder" + (" de ces sujets" if only or without else ""),
            hint="déclarez des réseaux (networks), des machines (hosts), des données (data_sets, holdings)",
        )
    return planned


def run(home: House, only: Sequence[str], without: Sequence[str], *, anew: bool) -> Answer:
    """Begin an audit, or take up the last one; look; say what is left. Raises `BadInput`, `Refused`, `Unreachable`."""
    from releve.app import holders, surveyor, utc_now
    from releve.cycle.audit.act import conduct, left, unfinished
    from releve.cycle.audit.errands import scan_opens
    from releve.cycle.audit.estate import brought

    holding = holders(home.plan, home.ledger)
    planned = _planned(home.plan, home.site.id, holding, only, without)
    with _alone(home):
        audits, now = home.ledger.audits, utc_now()
        opens = scan_opens(home.plan, now)
        held = () if opens == now else tuple(item for item in planned if item.topic is Topic.NETWORK)
        if held:
            talk(_held(home, held, opens))
            planned = tuple(item for item in planned if item not in held)
        if not planned:
            return Answer(
                {"audit": None, "held_until": opens.isoformat() if opens else None}, "rien d'autre à regarder"
            )
        audit = _begun(home, planned, now)
        before = None if anew else unfinished(audits, audit)
        todo: tuple[Errand, ...] = planned
        if before is not None:
            audit, todo = before, left(audits, before)
            done = len(planned) - len(todo)
            was = "était déjà porté" if done < 2 else "étaient déjà portés"
            talk(f"l'audit {audit.id} est repris : {_of(done, len(planned))} {was}")
        elif (last := next(iter(audits.all()), None)) is not None and last.ended is None:
            talk(
                f"l'audit {last.id} n'est pas fini ; celui-ci est neuf, car {_why_new(last, audit, anew=anew)}"
            )
        faults: list[Errand] = []
        try:
            with shown(todo, faults) as watcher:
                audit = conduct(
                    audit,
                    todo,
                    surveyor(home, _tried(home), utc_now),
                    audits,
                    utc_now,
                    at_once=home.plan.inventory.audit.at_once,
                    watcher=watcher,
                )
        except KeyboardInterrupt as stop:
            raise Interrupted(
                "ce qui a été vu est gardé ; la même commande reprend l'audit où il en est"
            ) from stop
        looks = audits.looks(audit.id)
        seen = [look for look in looks if brought(look)]
        gaps = sum(len(look.gaps) for look in looks)
        _prove(home)
    value = {
        "audit": audit.id,
        "ended": audit.ended.isoformat() if audit.ended else None,
        "looks": len(looks),
        "planned": len(planned),
        "facts": sum(len(look.facts) for look in looks),
        "seen": len(seen),
        "not_seen": gaps,
        "parts_not_seen": sum(len(look.gaps) for look in seen),
        "held_until": opens.isoformat() if held and opens else None,
    }
    return Answer(value, _end(audit, value, len(faults)), Exit.OUR_FAULT if faults else Exit.DONE)


@contextmanager
def _alone(home: House) -> Iterator[None]:
    """One audit at a time in one folder. Raises `Refused` with since when the other one looks."""
    from releve.adapters.hosts.lock import hold

    with ExitStack() as held:
        try:
            held.enter_context(hold(home.state / "audit.lock", "releve audit"))
        except Refused as other:
            raise _taken(other, ZoneInfo(home.plan.timezone)) from other
        yield


def _taken(other: Refused, zone: ZoneInfo) -> Refused:
    """The lock's refusal in the words of an audit, at the hour of the plan."""
    facts, sentence = dict(other.context), "un autre audit vient de commencer dans ce dossier"
    if "since" in facts:  # who took it this very moment has not signed yet
        since = datetime.fromisoformat(facts["since"]).astimezone(zone)
        facts["since"] = since.isoformat()
        sentence = f"un audit tourne déjà (processus {facts['pid']}, depuis le {since:%d/%m/%Y à %H:%M:%S})"
    return Refused(
        other.code,
        sentence,
        hint="attendez sa fin ; ou Ctrl-C là où il tourne : ce qu'il a vu est gardé, et « releve audit run » le reprend",
        context=facts,
        retryable=True,
    )


def _prove(home: House) -> None:
    """Every audit that ended has its entry in the chain of evidence: what a crash kept from it is put there now."""
    known = {entry.body.get("audit") for entry in home.ledger.evidence.entries() if entry.kind == "audit"}
    for audit in home.ledger.audits.all()[::-1]:
        if audit.ended is None or audit.id in known:
            continue
        looks = home.ledger.audits.looks(audit.id)
        home.ledger.evidence.append(
            "audit",
            {
                "audit": audit.id,
                "plan": audit.fingerprint,
                "looks": len(looks),
                "not_seen": sum(len(look.gaps) for look in looks),
            },
            audit.ended,
            key=f"audit:{audit.id}",
        )


def _begun(home: House, planned: tuple[Errand, ...], now: datetime) -> Audit:
    """A new audit, under a name that no other has.

    Raises `Refused` when the plan is no longer what was read, `Unreachable` when it is no longer there.
    """
    source = Path(home.plan.source)
    try:
        text = source.read_bytes()
    except OSError as error:
        raise Unreachable("plan-unreadable", f"{source} ne peut plus être lu : {reason(error)}") from error
    if hashlib.sha256(text).hexdigest() != home.plan.fingerprint:
        raise Refused("plan-changed", f"{source} vient de changer : relancez la commande", retryable=True)
    known = {audit.id for audit in home.ledger.audits.all()}
    stem = f"{now:%Y%m%dT%H%M%SZ}"
    name = next(
        item for number in count(1) if (item := stem if number == 1 else f"{stem}-{number}") not in known
    )
    return Audit(
        name,
        now,
        home.plan.fingerprint,
        socket.gethostname(),
        planned,
        site=home.site.id,
        plan=text.decode(),
    )


def _why_new(last: Audit, audit: Audit, *, anew: bool) -> str:
    """Why an interrupted audit is not taken up."""
    if anew:
        return "--new le demande"
    if last.fingerprint != audit.fingerprint:
        return "le plan a changé"
    if (last.errands, last.site) != (audit.errands, audit.site):
        return "il ne regarde pas la même chose"
    return "l'autre est daté de plus tard" if last.started > audit.started else "l'autre a plus d'un jour"


def _tried(home: House) -> Callable[[str], datetime | None]:
    """When a database of the plan was last brought back apart (`releve database try`), as this site's worker notes it."""
    from releve.entrypoints.worker.database import last_trial
    from releve.entrypoints.worker.history import folder_of

    worker = home.site.worker
    return lambda name: last_trial(folder_of(worker.state, name)) if worker is not None else None


def chosen_topics(only: Sequence[str], without: Sequence[str]) -> frozenset[Topic]:
    """The topics of these words, all of them without any. Raises `BadInput`."""
    known = {topic.value: topic for topic in Topic}
    for word in (*only, *without):
        if word not in known:
            raise BadInput("topic-unknown", f"sujet inconnu : « {word} »", hint=among(tuple(known)))
    chosen = {known[word] for word in only} or set(known.values())
    return frozenset(chosen - {known[word] for word in without})


def _errand_value(errand: Errand) -> dict[str, object]:
    return {"topic": errand.topic.value, "subject": errand.subject, "site": errand.site}


def _told(planned: Sequence[Errand]) -> str:
    from releve.cycle.audit.errands import TOPIC_FR

    lines = [f"{say_count(len(planned), 'regard', 'regards')}, sans rien changer nulle part :"]
    for topic in dict.fromkeys(item.topic for item in planned):
        names = [item.subject for item in planned if item.topic is topic]
        lines.append(f"  {topic.value:<12} {TOPIC_FR[topic]} : {', '.join(names)}")
    return "\n".join(lines)


def _held(home: House, held: Sequence[Errand], opens: datetime | None) -> str:
    names = ", ".join(item.subject for item in held)
    if opens is None:
        return f"le calendrier « {home.plan.inventory.audit.window} » n'ouvre jamais : non balayés : {names}"
    at = say_instant(opens, ZoneInfo(home.plan.timezone))
    return (
        f"hors des heures permises (audit: window: {home.plan.inventory.audit.window}), les réseaux ne sont pas "
        f"balayés : {names} ; à partir du {at} : releve audit run --only network"
    )


def _of(done: int, planned: int) -> str:
    return f"{say_count(done, 'regard', 'regards')} sur {planned}"


def _end(audit: Audit, value: Mapping[str, object], faults: int) -> str:
    number = {name: int(str(value[name])) for name in ("looks", "planned", "seen", "facts", "parts_not_seen")}
    facts = say_count(number["facts"], "fait noté", "faits notés")
    lines = [
        f"audit {audit.id} : {_of(number['looks'], number['planned'])}, {facts}",
        f"vu : {number['seen']} ; pas vu : {number['planned'] - number['seen']}",
    ]
    if number["parts_not_seen"]:
        lines[-1] += f" ; parties non vues : {number['parts_not_seen']}"
    if audit.ended is None:
        lines.append("il n'est pas fini : la même commande le reprend")
    if faults:
        lines.append(LATE_FAULTS)
    lines.append("releve audit show : les points faibles")
    return "\n".join(lines)
