"""What the commands share: the plan, the house of a site, and how an order reaches the owner of runs."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from releve.app import House, house, relief
from releve.cycle.recover.conduct import relief_of
from releve.domain.errors import BadInput, Unreachable
from releve.domain.plan import Plan
from releve.domain.ports import Ledger
from releve.domain.runbook import RunRecord, RunState
from releve.entrypoints.cli.speech import talk

POLL = 0.05  # seconds between two looks at a run that goes on


@dataclass(frozen=True, slots=True)
class Orders:
    """Hands an order to the owner of runs. `resident`: it is the worker, and goes on without us."""

    give: Callable[[str, Mapping[str, object]], Mapping[str, object]]
    resident: bool

    def __call__(self, verb: str, /, **arguments: object) -> Mapping[str, object]:
        """Give `verb` with its arguments; returns the owner's answer."""
        return self.give(verb, arguments)


def plan_of(path: str) -> Plan:
    """The plan read from `path`. Raises `PlanError`."""
    from releve.cycle.plan.load import read_plan

    return read_plan(path)


def relief_house(path: str) -> House:
    """The house of the relief site, where incidents, runs and evidence are kept."""
    plan = plan_of(path)
    return house(plan, relief_of(plan))


def ledger_house(path: str) -> House:
    """The relief's house for what only reads or adds to its ledger: it must be on this machine already.

    A state folder made here would be a second ledger that nobody reads. Raises `Unreachable`.
    """
    plan = plan_of(path)
    site = plan.site(relief_of(plan))
    if site.worker is not None and not os.environ.get("DATABASE_URL") and _absent(site.worker.state):
        raise Unreachable(
            "ledger-elsewhere",
            f"le registre est au site de secours « {site.id} », et son dossier {site.worker.state} n'existe pas"
            " sur cette machine",
            hint="lancez la même commande sur la machine du secours ; si c'est celle-ci, faites d'abord ce dossier"
            f" (mkdir -p -m 700 {shlex.quote(site.worker.state)})",
        )
    return house(plan, site.id)


def kept(folder: Path) -> bool:
    """Whether a ledger is kept in that folder, or on PostgreSQL with its witness there: reading then makes nothing."""
    here = any((folder / name).is_file() for name in ("ledger.sqlite3", "evidence.head"))
    return here or bool(os.environ.get("DATABASE_URL") and folder.is_dir())


def _absent(folder: str) -> bool:
    """Whether nothing is there. What cannot be looked at is not absent: opening it says why."""
    try:
        Path(folder).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def ledger_here(plan: Plan) -> Ledger | None:
    """The relief's ledger when this machine has it; None elsewhere (nothing is made, and that is said)."""
    from releve.adapters.ledger.database import FILE

    try:
        site = plan.site(relief_of(plan))
    except BadInput:  # several: nothing says whose measures count
        talk("le plan n'a pas un site de secours et un seul : rien de mesuré n'est connu ici")
        return None
    here = site.worker is not None and (Path(site.worker.state) / FILE).exists()
    if not here and not os.environ.get("DATABASE_URL"):
        talk(
            f"le registre du secours n'est pas sur cette machine ({site.id}) : rien de mesuré n'est connu ici"
        )
        return None
    return house(plan, site.id).ledger


@contextmanager
def orders(home: House) -> Iterator[Orders]:
    """The way to the owner of runs: the resident worker, or this very command when none runs.

    When the command takes the worker's place it says so, and keeps the lock until the end.
    """
    from releve.entrypoints.worker.link import ask_local
    from releve.entrypoints.worker.verbs import verbs

    try:
        ask_local(home.socket, "ping", {}, timeout=5.0)
    except Unreachable:
        talk(f"aucun worker sur le site « {home.site.id} » : cette commande prend sa place")
        with relief(home) as owner:
            table = verbs(owner)

            yield Orders(lambda verb, arguments: table[verb](arguments), resident=False)
        return
    yield Orders(lambda verb, arguments: ask_local(home.socket, verb, arguments), resident=True)


def follow(home: House, run: str, timeout: float, *, tell: bool = True) -> RunRecord:
    """Watch a run until it ends or waits for a person; tell each step once. `timeout` in seconds."""
    from releve.entrypoints.cli.present import step_line

    told: dict[str, str] = {}
    deadline = time.monotonic() + timeout
    while True:
        record = home.ledger.runs.get(run)
        for task in record.runbook.tasks:
            written = record.record(task.id)
            if tell and written.outcome is not None and told.get(task.id) != written.state:
                told[task.id] = written.state
                talk(step_line(record, task))
        if record.state is not RunState.RUNNING:
            return record
        if time.monotonic() > deadline:
            raise Unreachable(
                "run-goes-on",
                f"le déroulé « {run} » n'est pas fini",
                hint=f"« releve run show {run} » montre où il en est",
            )
        time.sleep(POLL)
