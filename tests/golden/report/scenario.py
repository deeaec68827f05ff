"""Fixed fictional incidents, for the tests of the report; `python -m tests.golden.report.scenario F.pdf` draws one."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from releve.cycle.report.decide import run_report
from releve.domain.calendars import Calendar
from releve.domain.document import Document
from releve.domain.incident import Incident
from releve.domain.measure import Measure
from releve.domain.plan import (
    AppEnd,
    Application,
    Association,
    Contact,
    DataKind,
    DataSet,
    HealthCheck,
    Manager,
    Plan,
    Protection,
    ProtectionMode,
    Sensitivity,
    ServerEnd,
    ServiceSpec,
    Site,
    SiteRole,
    Tolerance,
    Transport,
)
from releve.domain.protection import Suspension
from releve.domain.runbook import (
    Answer,
    Decision,
    Direction,
    Outcome,
    Question,
    Runbook,
    RunRecord,
    RunState,
    Task,
    TaskKind,
    TaskRecord,
    TaskState,
)
from releve.domain.units import parse_span

SERVICE = ServiceSpec(Manager.COMMAND, start=("start",), stop=("stop",), status=("status",))
BEGAN = datetime(2026, 9, 18, 15, 0, 2, 120_000, tzinfo=UTC)  # a Friday, 17:00:02 in Paris
DECLARED = BEGAN + timedelta(seconds=1.4)
NOW = BEGAN + timedelta(minutes=3)
HEAD = (57, "9f2c4e1ab07d5638" * 4)
OFFICE = Calendar("bureau", "Europe/Paris", {day: ((time(9), time(17)),) for day in range(5)}, "FR")


def after(seconds: float) -> datetime:
    """The instant that many seconds after the outage began."""
    return BEGAN + timedelta(seconds=seconds)


def data_set(name: str, title: str, mode: ProtectionMode = ProtectionMode.REALTIME) -> DataSet:
    """A data set on both sites."""
    ends = {
        site: ServerEnd(f"srv-{site}", "127.0.0.1", 5432, "/data", "/bin", SERVICE)
        for site in ("principal", "secours")
    }
    promise = Protection(
        mode, parse_span("0" if mode is ProtectionMode.REALTIME else "24 h"), transport=Transport.LOCAL
    )
    return DataSet(
        name,
        title,
        "postgresql",
        DataKind.HEALTH,
        Sensitivity.CRITICAL,
        promise,
        "principal",
        "secours",
        ends,
    )


def application(name: str, title: str, need: Tolerance, **more: object) -> Application:
    """An application with an instance on both sites."""
    ends = {site: AppEnd(f"srv-{site}", "http://127.0.0.1", SERVICE) for site in ("principal", "secours")}
    made = Application(name, title, "directrice", need, ends=ends, health=(HealthCheck("/sante"),))
    return replace(made, **more)  # type: ignore[arg-type]


def plan(*, small: bool = False) -> Plan:
    """Three applications (one of them not switched); with `small`, only the first."""
    applications = (
        application(
            "dui",
            "Dossier de l'usager informatisé",
            Tolerance(parse_span("4 h"), parse_span("0")),
            commitment=Tolerance(parse_span("1 min"), parse_span("0")),
            data=("dossiers",),
        ),
        application(
            "planning",
            "Planning des équipes",
            Tolerance(parse_span("8 h ouvrées"), parse_span("24 h"), "bureau"),
            data=("dossiers",),
            health=(),
        ),
        application(
            "paie",
            "Paie (hébergée)",
            Tolerance(parse_span("2 j ouvrés"), parse_span("24 h"), "bureau"),
            ends={},
        ),
    )
    return Plan(
        Association("Association fictive Les Tilleuls", "000000000"),
        (
            Site("principal", "Foyer principal", SiteRole.PRIMARY),
            Site("secours", "Salle de secours", SiteRole.RELIEF),
        ),
        (),
        (Contact("directrice", "Directrice"), Contact("technicien", "Technicien")),
        applications[:1] if small else applications,
        (data_set("dossiers", "Dossiers des usagers"),)
        if small
        else (
            data_set("dossiers", "Dossiers des usagers"),
            data_set("compta", "Comptabilité", ProtectionMode.DAILY),
        ),
        {"bureau": OFFICE},
        {},
        fingerprint="c0ffee0123456789" * 4,
    )


STOPPED = Answer("stopped", "Oui : il est arrêté et ne pourra pas repartir seul", goes_on=True)
NOT_SURE = Answer("not-sure", "Non, ou je n'en suis pas certain", goes_on=False)


def task(kind: TaskKind, subject: str, site: str, title: str, duration: float, **more: object) -> Task:
    """A task whose id is "kind:subject"."""
    made = Task(f"{kind}:{subject}", kind, subject, site, title, duration, "default")
    return replace(made, **more)  # type: ignore[arg-type]


def done(name: str, start: float, end: float, sentence: str = "", **facts: object) -> TaskRecord:
    """A task that ran from `start` to `end`, in seconds since the outage."""
    return TaskRecord(
        name, TaskState.DONE, after(start), after(end), Outcome(TaskState.DONE, sentence, facts)
    )


def skipped(name: str, at: float, sentence: str) -> TaskRecord:
    """A task found needless."""
    return TaskRecord(name, TaskState.SKIPPED, after(at), after(at), Outcome(TaskState.SKIPPED, sentence, {}))


def switch() -> RunRecord:
    """A switch that went well, with a person's word for the fence."""
    tasks = (
        task(
            TaskKind.CLOSE,
            "dui",
            "principal",
            "Fermer « Dossier de l'usager informatisé » sur le site quitté",
            1.0,
        ),
        task(TaskKind.FENCE, "dossiers", "principal", "Arrêter l'ancien serveur (Dossiers des usagers)", 5.0),
        task(
            TaskKind.CONFIRM_FENCE,
            "dossiers",
            "principal",
            "Confirmer que l'ancien serveur est arrêté (Dossiers des usagers)",
            600.0,
            who="person",
            question=Question("Est-il arrêté ?", (STOPPED, NOT_SURE), 3600.0, ("directrice",)),
        ),
        task(
            TaskKind.ASSESS, "dossiers", "secours", "Évaluer ce qui serait perdu (Dossiers des usagers)", 0.1
        ),
        task(
            TaskKind.ACCEPT_LOSS,
            "dossiers",
            "secours",
            "Accepter ou refuser la perte (Dossiers des usagers)",
            900.0,
        ),
        task(
            TaskKind.PROMOTE,
            "dossiers",
            "secours",
            "Ouvrir « Dossiers des usagers » sur le secours",
            0.11,
            basis="measured",
        ),
        task(
            TaskKind.START,
            "dui",
            "secours",
            "Démarrer « Dossier de l'usager informatisé », encore fermée",
            2.0,
        ),
        task(TaskKind.VERIFY, "dui", "secours", "Vérifier « Dossier de l'usager informatisé »", 1.0),
        task(
            TaskKind.OPEN,
            "dui",
            "secours",
            "Ouvrir « Dossier de l'usager informatisé » aux utilisateurs",
            0.1,
        ),
    )
    fence = {
        "data_set": "dossiers",
        "site": "principal",
        "kind": "person",
        "reason": "j'ai débranché la baie moi-même",
        "since": after(20).isoformat(),
        "by": "directrice",
        "final_position": None,
    }
    records = (
        skipped("close:dui", 2.0, "site injoignable : rien à fermer d'ici"),
        skipped("fence:dossiers", 2.2, "injoignable : l'arrêt n'a pas pu être vu d'ici"),
        done("confirm-fence:dossiers", 2.3, 31.0, "arrêt confirmé par une personne", fence=fence),
        done(
            "assess:dossiers",
            31.0,
            31.05,
            "la copie était à jour à la dernière preuve",
            loss={
                "kind": "none",
                "reason": "synchrone et sans retard à la dernière preuve",
                "since": None,
                "bytes": None,
            },
        ),
        skipped("accept-loss:dossiers", 31.1, "inutile : rien ne serait perdu"),
        done("promote:dossiers", 31.1, 31.21, "ouvert à l'écriture, époque 1", promotion_ms=94.0),
        done("start:dui", 31.21, 32.4, "démarrée"),
        done("verify:dui", 32.4, 32.6, "/sante a répondu 200"),
        done("open:dui", 32.6, 32.65, "ouverte aux utilisateurs"),
    )
    said = Decision(
        "run-1",
        "confirm-fence:dossiers",
        "stopped",
        "directrice",
        "j'ai débranché la baie moi-même",
        after(30.8),
        after(20),
    )
    runbook = Runbook("run-1", Direction.SWITCH, "inc-1", "principal", "secours", {"dossiers": 1}, tasks)
    return RunRecord(runbook, RunState.DONE, after(1.9), after(32.7), records, (said,))


def back() -> RunRecord:
    """A return that went well, and put something aside."""
    tasks = (
        task(
            TaskKind.SURVEY,
            "dossiers",
            "principal",
            "Chercher ce que seul ce site avait (Dossiers des usagers)",
            5.0,
        ),
        task(
            TaskKind.REBUILD,
            "dossiers",
            "principal",
            "Remettre « Dossiers des usagers » à la suite de l'autre site",
            60.0,
        ),
        task(
            TaskKind.DRAIN,
            "dossiers",
            "principal",
            "Vérifier que tout est arrivé (Dossiers des usagers)",
            1.0,
        ),
        task(
            TaskKind.OPEN,
            "dui",
            "principal",
            "Ouvrir « Dossier de l'usager informatisé » aux utilisateurs",
            0.1,
        ),
    )
    divergence = {
        "data_set": "dossiers",
        "site": "principal",
        "transactions": 2,
        "rows": [["transmissions", 3]],
        "folder": "/var/lib/releve/mis-de-cote/2026-09-18",
        "whole": True,
        "note": "",
    }
    records = (
        done(
            "survey:dossiers",
            121,
            122,
            "2 transactions que l'autre site n'a jamais reçues",
            divergence=divergence,
        ),
        done("rebuild:dossiers", 122, 127.5, "recopié en entier", how="clone"),
        done("drain:dossiers", 127.5, 127.6, "tout est arrivé"),
        done("open:dui", 127.7, 127.8, "ouverte aux utilisateurs"),
    )
    runbook = Runbook("run-2", Direction.RETURN, "", "secours", "principal", {"dossiers": 2}, tasks)
    return RunRecord(runbook, RunState.DONE, after(120), after(128), records, ())


INCIDENT = Incident(
    "inc-1",
    "principal",
    "incendie dans le local technique",
    "directrice",
    BEGAN,
    DECLARED,
    NOW,
    {"dui": after(32.65)},
)
SUSPENSION = Suspension(
    "dossiers", 1, after(31.1), "aucun autre site derrière le site de secours", after(127.6)
)
WITNESS = Measure(
    "dui", 33.1, 0, 1204, "témoin extérieur : liste durable des écritures confirmées, relues une à une"
)


def full() -> Document:
    """Three applications, a person's word, a return: something of everything."""
    return run_report(plan(), INCIDENT, (back(), switch()), (SUSPENSION,), (WITNESS,), HEAD, NOW)


def green() -> Document:
    """One application, everything measured and kept."""
    return run_report(plan(small=True), INCIDENT, (switch(), back()), (SUSPENSION,), (WITNESS,), HEAD, NOW)


if __name__ == "__main__":
    from releve.adapters.render import to_pdf

    to_pdf(full(), Path(sys.argv[1]))
