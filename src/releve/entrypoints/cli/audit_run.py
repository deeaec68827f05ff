"""`releve audit run`: look at what is really there, told as it goes."""

from __future__ import annotations

import hashlib
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.domain.audit import Audit, Errand, Look, Topic
from releve.domain.errors import BadInput, Exit, Refused, Unreachable
from releve.domain.instants import say_instant
from releve.domain.names import among
from releve.domain.os_errors import reason
from releve.domain.terminal import printable
from releve.domain.units import say_count, say_seconds
from releve.entrypoints.cli.telling import Answer, Interrupted, talk

if TYPE_CHECKING:
    from releve.app import House
    from releve.cycle.audit.act import Watcher

LATE_FAULTS = (
    "des regards ont échoué par la faute de Relève : gardez les traces ci-dessus et ouvrez un ticket"
)


def run(home: House, only: Sequence[str], without: Sequence[str], *, anew: bool, dry: bool) -> Answer:
    """Begin an audit, or take up the last one; look; say what is left. `dry`: only say what would be looked at."""
    from releve.adapters.hosts.lock import hold
    from releve.app import surveyor, utc_now
    from releve.cycle.audit.act import conduct, left, unfinished
    from releve.cycle.audit.errands import errands, scan_opens

    wanted = chosen_topics(only, without)
    planned = tuple(item for item in errands(home.plan, home.site.id) if item.topic in wanted)
    if not planned:
        raise BadInput(
            "audit-nothing",
            "le plan ne déclare rien à regarder" + (" de ces sujets" if only or without else ""),
            hint="déclarez des réseaux (networks), des machines (hosts), des données (data_sets, holdings)",
        )
    if dry:
        return Answer({"errands": [_errand_value(item) for item in planned]}, _told(planned))
    with hold(home.state / "audit.lock", "releve audit"):
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
            with _shown(todo, faults) as watcher:
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
        gaps = sum(len(look.gaps) for look in looks)
        if audit.ended is not None:
            home.ledger.evidence.append(
                "audit",
                {"audit": audit.id, "plan": audit.fingerprint, "looks": len(looks), "not_seen": gaps},
                audit.ended,
                key=f"audit:{audit.id}",
            )
    value = {
        "audit": audit.id,
        "ended": audit.ended.isoformat() if audit.ended else None,
        "looks": len(looks),
        "planned": len(planned),
        "facts": sum(len(look.facts) for look in looks),
        "not_seen": gaps,
        "held_until": opens.isoformat() if held and opens else None,
    }
    return Answer(value, _end(audit, value, len(faults)), Exit.OUR_FAULT if faults else Exit.DONE)


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
    return "l'autre a plus d'un jour"


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
    unseen = say_count(int(str(value["not_seen"])), "chose non vue", "choses non vues")
    facts = say_count(int(str(value["facts"])), "fait noté", "faits notés")
    seen = f"{_of(int(str(value['looks'])), int(str(value['planned'])))}, {facts}"
    lines = [f"audit {audit.id} : {seen}, {unseen}"]
    if audit.ended is None:
        lines.append("il n'est pas fini : la même commande le reprend")
    if faults:
        lines.append(LATE_FAULTS)
    lines.append("releve audit show : les points faibles")
    return "\n".join(lines)


@contextmanager
def _shown(todo: Sequence[Errand], faults: list[Errand]) -> Iterator[Watcher]:
    """A progress bar on a screen; one line a look elsewhere."""
    from releve.cycle.audit.act import Watcher
    from releve.cycle.audit.errands import TOPIC_FR

    def fault(errand: Errand, error: Exception) -> None:
        faults.append(errand)
        _frames(error)

    if not sys.stderr.isatty():
        yield Watcher(done=_line(len(todo)), fault=fault)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(todo))
        going: dict[str, str] = {}

        def say() -> None:
            names = list(going.values())
            bar.update(task, description="; ".join(names[:2]) + (" …" if len(names) > 2 else ""))

        def begun(errand: Errand) -> None:
            going[errand.key] = f"{errand.subject} : {TOPIC_FR[errand.topic]}"
            say()

        def done(look: Look) -> None:
            going.pop(look.errand.key, None)
            bar.advance(task)
            for gap in look.gaps:
                if not gap.what:
                    bar.console.print(_gap_line(look, gap.sentence), markup=False, highlight=False)
            say()

        yield Watcher(begun, done, fault)


def _frames(error: BaseException) -> None:
    """Where it broke and what it was, and before it what led to it; never its message, which may hold what was read."""
    before = error.__cause__ or error.__context__
    if before is not None:
        _frames(before)
    traceback.print_tb(error.__traceback__, file=sys.stderr)
    sys.stderr.write(f"{type(error).__name__}\n")


def _line(total: int) -> Callable[[Look], None]:
    number = count(1)

    def done(look: Look) -> None:
        whole = [gap for gap in look.gaps if not gap.what]
        end = f"non vu : {whole[0].sentence}" if whole else say_count(len(look.facts), "fait")
        unseen = say_count(len(look.gaps), "partie non vue", "parties non vues")
        parts = f", {unseen}" if look.gaps and not whole else ""
        talk(
            printable(
                f"{next(number):>3}/{total} {look.errand.topic.value:<12} {look.errand.subject} : {end}{parts} "
                f"({say_seconds(look.seconds)})"
            )
        )

    return done


def _gap_line(look: Look, sentence: str) -> str:
    return printable(f"non vu : {look.errand.subject} ({look.errand.topic.value}) : {sentence}")
