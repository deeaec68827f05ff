"""A share of the plan, with real workers: their keepers, their deaths, a switch and a return by run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.engines.files.orders import ANSWER, Answer, read
from releve.adapters.vault.keyfile import Cost
from releve.adapters.vault.repository import create
from releve.adapters.vault.store import FolderStore
from releve.app import House, house, utc_now
from releve.cycle.plan.load import read_plan
from releve.cycle.protect.act import protect
from releve.cycle.watch.decide import Promise, standing
from releve.demo.layout import free_ports
from releve.domain.errors import Unreachable
from releve.domain.protection import LossKind, ServerState, Tenure
from releve.domain.runbook import RunRecord, RunState
from releve.entrypoints.worker.link import ask_local

SITES = ("principal", "secours")
KEY = "une-clé-d-essai-assez-longue"
PLAN = """\
version: 1
association: {{name: "Association fictive Les Tilleuls"}}
sites:
  - {{id: principal, name: Siège, role: primary, worker: {{listen: "127.0.0.1:{first}", state: {base}/principal/releve, secret: "file:{base}/link.key"}}}}
  - {{id: secours, name: Foyer, role: relief, worker: {{listen: "127.0.0.1:{second}", state: {base}/secours/releve, secret: "file:{base}/link.key"}}}}
hosts:
  - {{id: srv1, site: principal, reach: local, root: {base}/principal}}
  - {{id: srv2, site: secours, reach: local, root: {base}/secours}}
contacts:
  - {{id: directrice, name: Directrice, phone: "00 00 00 00 01"}}
vaults:
  - id: coffre
    name: Coffre
    places:
      - {{site: principal, address: {base}/coffre, key: "file:{base}/coffre.cle"}}
      - {{site: secours, address: {base}/coffre, key: "file:{base}/coffre.cle"}}
data_sets:
  - id: documents
    name: Documents
    engine: files
    kind: office
    sensitivity: critical
    vault: coffre
    protection: {{mode: realtime, rpo: 5 s}}
    primary: {{host: srv1, path: {base}/principal/documents}}
    relief: {{host: srv2, path: {base}/secours/documents}}
applications:
  - id: partage
    name: Documents
    owner: directrice
    data: [documents]
    tolerance: {{rto: 4 h, rpo: 1 min}}
    without_it: Cahier
    do_not: [Rien]
"""


class Two:
    """Two sites on this machine, each with its worker."""

    def __init__(self, base: Path) -> None:
        self.base = base
        first, second = free_ports(2)
        for site in SITES:
            (base / site).mkdir()
        self.roots = {site: base / site / "documents" for site in SITES}
        self.roots["principal"].mkdir()
        self.roots["principal"].chmod(0o775)
        for name, secret in (("link.key", "secret-de-liaison-d-essai"), ("coffre.cle", KEY)):
            (base / name).touch(mode=0o600)
            (base / name).write_text(secret)
        create(FolderStore(base / "coffre"), KEY, utc_now(), Cost(2, 8, 1))
        self.plan = base / "plan.yaml"
        self.plan.write_text(PLAN.format(base=base, first=first, second=second))
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.home: House = house(read_plan(str(self.plan)), "secours")

    def start(self, site: str) -> None:
        argv = [sys.executable, "-P", "-m", "releve", "worker", "--site", site, "--plan", str(self.plan)]
        with (self.base / f"worker-{site}.log").open("ab") as log:
            self.workers[site] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log)

    def close(self) -> None:
        for worker in self.workers.values():
            worker.terminate()
        for worker in self.workers.values():
            worker.wait(60)

    def answer(self, site: str) -> Answer:
        """What the keeper of a site says."""
        path = self.base / site / "releve" / "shares" / "documents" / ANSWER
        raw = path.read_bytes() if path.exists() else None
        return read(Answer, raw, "") or Answer()

    def until(self, seen: object, what: str, seconds: float = 60.0) -> None:
        """Wait for it, and say what never came."""
        limit = time.monotonic() + seconds
        while not seen():  # type: ignore[operator]
            logs = "\n".join(path.read_text()[-1500:] for path in self.base.glob("worker-*.log"))
            assert time.monotonic() < limit, f"{what} never came\n{logs}"
            time.sleep(0.05)

    def run(self, **order: object) -> RunRecord:
        """Order a run and wait for its end."""
        run = str(ask_local(self.home.socket, "launch", {"words": {}, **order})["run"])
        self.until(lambda: self.home.ledger.runs.get(run).state is not RunState.RUNNING, "the end of the run")
        return self.home.ledger.runs.get(run)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    """Both workers run."""
    made = Two(tmp_path)
    try:
        for site in SITES:
            made.start(site)
        for site in SITES:
            made.until(lambda site=site: made.answer(site).beat > 0, f"the keeper of {site}")
        yield made
    finally:
        made.close()


def alive(pid: int) -> bool:
    """Whether that process runs (a dead one that nobody has reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_share_of_the_plan_from_protection_to_return(two: Two) -> None:
    """Protected, its keeper and its worker killed, switched and brought back by runs: every document is there."""
    here, there = two.roots["principal"], two.roots["secours"]
    item, engine = two.home.plan.data_set("documents"), two.home.engines["documents"]
    (here / "un").write_text("1")
    protect(item, engine, two.home.ledger, utc_now, lambda _said: None)
    assert (there / "un").read_text() == "1"

    os.kill(two.answer("principal").pid, signal.SIGKILL)
    (here / "deux").write_text("2")
    two.until((there / "deux").exists, "what was written while the keeper was dead")

    first = two.answer("principal").pid
    two.workers["principal"].kill()
    two.workers["principal"].wait()
    two.until(lambda: not alive(first), "the end of a keeper whose worker is dead")
    (here / "trois").write_text("3")
    two.start("principal")
    two.until((there / "trois").exists, "what was written while the worker was dead")
    two.until(
        lambda: (
            standing(item, two.home.ledger.facts.last_contact("documents"), None, utc_now()).promise
            is Promise.HELD
        ),
        "the promise",
    )

    (here / "quatre").write_text("4")
    switched = two.run(direction="switch", target="secours", incident=declare(two))
    assert switched.state is RunState.DONE, switched
    assessed = switched.record("assess:documents").outcome
    assert assessed is not None
    assert assessed.facts["loss"]["kind"] == LossKind.NONE, (
        "the old side was seen closed: nothing can be missing"
    )
    assert sorted(path.name for path in there.iterdir()) == ["deux", "quatre", "trois", "un"]
    assert there.stat().st_mode & 0o777 == 0o775
    assert here.stat().st_mode & 0o777 == 0o700
    (there / "cinq").write_text("5")

    returned = two.run(direction="return", target="principal", incident="")
    assert returned.state is RunState.DONE, returned
    assert sorted(path.name for path in here.iterdir()) == ["cinq", "deux", "quatre", "trois", "un"]
    assert engine.facts("secours").state is ServerState.CLOSED


def declare(two: Two) -> str:
    """An incident at the first site."""
    given = {"site": "principal", "by": "directrice", "summary": "exercice fictif"}
    return str(ask_local(two.home.socket, "declare", given)["incident"])


def test_a_lost_site_asks_nobody_when_the_loss_is_admitted(two: Two) -> None:
    """The site burnt down: a person says so, and what may be missing is within what the plan lets be lost."""
    item, engine = two.home.plan.data_set("documents"), two.home.engines["documents"]
    (two.roots["principal"] / "un").write_text("1")
    protect(item, engine, two.home.ledger, utc_now, lambda _said: None)
    contact = lambda: two.home.ledger.facts.last_contact("documents")
    two.until(lambda: (found := contact()) is not None and found.position > 0, "a contact")
    keeper = two.answer("principal").pid
    two.workers.pop("principal").kill()
    os.kill(keeper, signal.SIGKILL)
    since = utc_now()
    (two.base / "principal").rename(two.base / "brûlé")
    with pytest.raises(Unreachable):
        engine.fence("principal")
    word = {"by": "directrice", "words": "vu de mes yeux", "answer": "stopped", "since": since.isoformat()}
    run = two.run(direction="switch", target="secours", incident=declare(two), words={"confirm-fence": word})
    assert run.state is RunState.DONE, [item.outcome for item in run.tasks]
    assessed = run.record("assess:documents").outcome
    assert assessed is not None
    assert (assessed.facts["loss"]["kind"], assessed.facts["loss"]["allowed"]) == (LossKind.BOUNDED, True)
    assert (two.roots["secours"] / "un").read_text() == "1"


@pytest.mark.torture
def test_a_vault_that_hangs_holds_up_no_switch(two: Two) -> None:
    """The vault's server takes the question and never answers: the keeper gives way, the copy opens as it is."""
    item, engine = two.home.plan.data_set("documents"), two.home.engines["documents"]
    (two.roots["principal"] / "un").write_text("1")
    protect(item, engine, two.home.ledger, utc_now, lambda _said: None)
    hung = two.base / "coffre" / "snapshots"
    hung.rename(two.base / "snapshots")
    hung.mkdir()
    for name in range(3):  # an ordinary file is opened at once; a pipe waits for a writer that never comes
        os.mkfifo(hung / f"{name:064x}")
    two.workers.pop("principal").kill()
    first = two.answer("secours").pid
    begun = time.monotonic()
    engine.promote("secours", Tenure("documents", 1, "secours", "bascule-1"))
    assert time.monotonic() - begun < 60
    assert two.answer("secours").pid != first
    assert engine.facts("secours").state is ServerState.OPEN
    assert (two.roots["secours"] / "un").read_text() == "1"
    shutil.rmtree(hung)
