"""The main job, told on the demo estate: protect, lose a whole site, switch, return, prove.

Used by `releve demo` and by the bench. Everything in it goes the way a real incident goes: resident
workers, orders on the worker's socket, a witness outside the system that is the only judge.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.app import House, house, utc_now
from releve.cycle.plan.load import read_plan
from releve.cycle.protect.act import protect
from releve.demo import room
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.runbook import RunRecord, RunState
from releve.entrypoints.worker.link import READY, ask_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from releve.demo.estate import Estate
    from releve.demo.journal import Outage
    from releve.demo.witness import Witness

PRIMARY, RELIEF = "principal", "secours"
PERSON = "directrice"
STARTING = 60.0  # seconds that a worker may take to answer, on a busy machine
RUNNING = 120.0  # seconds that a run of the demo may take
LOOK = 0.05  # seconds between two looks at a run, each of which reads it whole

Say = Callable[[str], None]
Worker = Callable[[str, str], list[str]]  # plan, site -> argv of the resident process


def resident(plan: str, site: str) -> list[str]:
    """The worker as anybody would start it."""
    return [sys.executable, "-P", "-m", "releve", "worker", "--site", site, "--plan", plan]


@dataclass(frozen=True, slots=True)
class Disaster:
    """One disaster, as it was seen. The outages are the witnesses'; the rest comes from the ledger.

    `struck`: the instant of the blow, in seconds of `time.monotonic()`.
    """

    incident: str
    run: RunRecord
    struck_at: datetime
    struck: float
    declared_at: datetime
    outage: Outage
    promotion_ms: float
    documents: Outage | None = None

    @property
    def declared_to_ack_seconds(self) -> float:
        """From the declaration, as the worker recorded it, to the first write acknowledged again."""
        if self.outage.first_after is None:
            raise ReleveError("no-write-after", "aucune écriture n'a été confirmée après la bascule")
        return (self.outage.first_after.at - self.declared_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Return:
    """One planned return, as it was seen."""

    run: RunRecord
    outage: Outage
    documents: Outage | None = None


class Scene:
    """The estate with its workers running. Made by `on_stage`."""

    def __init__(self, estate: Estate, home: House, stack: ExitStack, say: Say, worker: Worker) -> None:
        self.estate, self.home, self._worker = estate, home, worker
        self._stack, self._say = stack, say
        self.tend: Callable[[], None] = lambda: None  # called while a run is waited for
        self.guard: subprocess.Popen[bytes] | None = None
        self.owner: subprocess.Popen[bytes] | None = None

    def start_owner(self) -> None:
        """Start the relief's worker and wait until it answers."""
        self.owner = self._spawn(RELIEF)
        self._until(lambda: bool(self.order("ping")), "le worker de secours")

    def start_guard(self) -> None:
        """Start the primary's guard and wait until it watches, as the guide asks before a return.

        It has no socket of its own: what its log says from now on is looked at.
        """
        log = self._log_of(PRIMARY)
        said = log.stat().st_size if log.exists() else 0
        self.guard = self._spawn(PRIMARY)
        self.wait_for(lambda: READY.encode() in log.read_bytes()[said:], "la garde du site principal")

    def order(self, verb: str, **arguments: object) -> Mapping[str, object]:
        """An order to the relief's worker."""
        return ask_local(self.home.socket, verb, arguments)

    def end_of(self, run: str) -> RunRecord:
        """The run once it ended. Raises when it did not end well."""
        deadline = time.monotonic() + RUNNING
        while time.monotonic() < deadline:
            self.tend()
            room.require(self.estate.disks, room.SPARE)
            record = self.home.ledger.runs.get(run)
            if record.state is not RunState.RUNNING:
                break
            time.sleep(LOOK)
        if record.state is not RunState.DONE:
            failed = [
                item.outcome.sentence for item in record.tasks if item.outcome and not item.outcome.goes_on
            ]
            raise ReleveError(
                "run-not-done", f"le déroulé {run} n'a pas abouti : {' ; '.join(failed) or record.state}"
            )
        return record

    def _spawn(self, site: str) -> subprocess.Popen[bytes]:
        log = self._log_of(site).open("ab")
        self._stack.callback(log.close)
        process = subprocess.Popen(
            self._worker(str(self.estate.plan), site),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **self.estate.environment(site)},
        )
        self._stack.callback(_end, process)
        return process

    def _log_of(self, site: str) -> Path:
        return self.estate.folder.parent / f"worker-{site}.log"

    def _until(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + STARTING
        while time.monotonic() < deadline:
            try:
                if ready():
                    return
            except Unreachable:
                room.require(self.estate.disks, room.SPARE)
                time.sleep(0.02)
        raise Unreachable(
            "demo-worker-silent",
            f"{what} ne répond pas",
            hint=f"lisez {self.estate.folder.parent}/worker-*.log",
        )

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until `ready`, looking often; a look that takes long leaves the processor to what is waited for."""
        deadline = time.monotonic() + STARTING
        while (began := time.monotonic()) < deadline:
            if ready():
                return
            room.require(self.estate.disks, room.SPARE)
            time.sleep(max(0.01, 2 * (time.monotonic() - began)))
        raise Unreachable("demo-late", f"{what} : toujours pas, après {STARTING:.0f} s")


@contextmanager
def on_stage(folder: Path, say: Say, worker: Worker = resident, *, share: bool = False) -> Iterator[Scene]:
    """Build the estate, protect it, start its workers; remove everything at the end.

    `share`: with shared documents too.
    """
    from releve.demo.estate import Estate

    with ExitStack() as stack:
        estate = Estate(folder, share=share)
        stack.callback(estate.cleanup)
        stack.enter_context(room.blamed(lambda: estate.disks))
        say("Deux sites se préparent : un serveur et une application dans chacun")
        estate.create()
        home = house(read_plan(str(estate.plan)), RELIEF)
        scene = Scene(estate, home, stack, say, worker)
        estate.start_site(PRIMARY)
        estate.start_site(RELIEF)
        estate.init_database()
        scene.start_owner()
        say("Mise en place de la copie en temps réel vers le site de secours")
        shares = [item for item in home.plan.data_sets if item.vault]
        for item in home.plan.data_sets:
            if item not in shares:
                protect(item, home.engines[item.id], home.ledger, utc_now, _untold)
        if share:
            estate.init_documents()
        scene.start_guard()
        for item in shares:  # their keepers run under the two workers
            protect(item, home.engines[item.id], home.ledger, utc_now, _untold)
        for app in home.plan.applications:
            if PRIMARY in app.ends:
                home.world.instances.start(app.id, PRIMARY)
                home.world.access.open(app.id, PRIMARY)
        scene.wait_for(lambda: _proven(home), "la première preuve de copie synchrone")
        say("Copie en place : chaque écriture confirmée est sur les deux sites")
        yield scene


def _untold(_reason: str) -> None:
    """Why each job is needed ("ne suit pas encore") would read as a failure in a demo."""


def _proven(home: House) -> bool:
    found = [home.ledger.facts.last_contact(item.id) for item in home.plan.data_sets]
    return all(item is not None and (item.synchronous or item.position) for item in found)


def strike(scene: Scene, witness: Witness, say: Say, documents: Witness | None = None) -> Disaster:
    """Kill the whole primary site, then declare and switch as people would.

    Not before a write was confirmed there: an outage with no last write before it cannot be measured.
    `documents`: the witness of the shared documents, when there are some.
    """
    _wait_for_write(scene, witness, scene.estate.urls[0])
    if documents is not None:
        _wait_for_write(scene, documents, scene.estate.documents_urls[0])
    say("SINISTRE : le site principal s'arrête net, son disque est perdu")
    blow = scene.estate.destroy_site(PRIMARY, [scene.guard.pid] if scene.guard else [])
    declared = scene.order(
        "declare",
        site=PRIMARY,
        by=PERSON,
        summary="Exercice fictif : le site principal est détruit",
        began_at=blow.at.isoformat(),
    )
    incident = str(declared["incident"])
    say("L'incident est déclaré, la bascule vers le site de secours commence")
    word = {
        "by": PERSON,
        "words": "Constaté sur place : le site principal est détruit",
        "answer": "stopped",
        "since": blow.at.isoformat(),
    }
    run = str(
        scene.order(
            "launch", direction="switch", target=RELIEF, incident=incident, words={"confirm-fence": word}
        )["run"]
    )
    record = scene.end_of(run)
    _wait_for_write(scene, witness, scene.estate.urls[1])
    outage = witness.outage(blow.monotonic)
    silence = None
    if documents is not None:
        _wait_for_write(scene, documents, scene.estate.documents_urls[1])
        silence = documents.outage(blow.monotonic)
    declared_at = datetime.fromisoformat(str(declared["declared_at"]))
    ms = _promotion_ms(scene, record)
    return Disaster(incident, record, blow.at, blow.monotonic, declared_at, outage, ms, silence)


def come_back(
    scene: Scene, witness: Witness, incident: str, say: Say, documents: Witness | None = None
) -> Return:
    """Repair the primary site (empty), bring its guard back, return."""
    say("Le site principal est réparé : il revient, vide")
    scene.estate.repair_site(PRIMARY)
    scene.start_guard()
    before = time.monotonic()
    run = str(scene.order("launch", direction="return", target=PRIMARY, incident=incident, words={})["run"])
    say("Retour prévu : recopie, puis le site principal reprend la main")
    record = scene.end_of(run)
    _wait_for_write(scene, witness, scene.estate.urls[0])
    if documents is None:
        return Return(record, witness.outage(before))
    _wait_for_write(scene, documents, scene.estate.documents_urls[0])
    return Return(record, witness.outage(before), documents.outage(before))


def _wait_for_write(scene: Scene, witness: Witness, url: str) -> None:
    """Wait until the witness got an acknowledgement from that address, after now."""
    before = witness.live().by_url.get(url, 0)
    scene.wait_for(lambda: witness.live().by_url.get(url, 0) > before, f"une écriture confirmée par {url}")


def _promotion_ms(scene: Scene, record: RunRecord) -> float:
    """Of the databases: a share is opened by another road."""
    shares = {item.id for item in scene.home.plan.data_sets if item.vault}
    found = [
        float(str(item.outcome.facts["promotion_ms"]))
        for item in record.tasks
        if item.outcome is not None
        and "promotion_ms" in item.outcome.facts
        and record.runbook.task(item.task).subject not in shares
    ]
    if not found:
        raise ReleveError("no-promotion", "aucune promotion dans ce déroulé")
    return max(found)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
