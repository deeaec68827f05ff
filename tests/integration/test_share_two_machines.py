"""A share between two machines: SSH, a REST vault in append-only mode, the commands and nothing else.

Two network namespaces stand for the machines. The relief holds the vault's disk, and a server that lets the
primary add to it and read it. The primary is reached by OpenSSH only; one plan serves both sides; people save
documents all the time, and each is remembered with the instant at which it was closed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.vault.repository import create
from releve.adapters.vault.store import FolderStore
from releve.adapters.vault.verify import verify
from tests.integration import netns
from tests.integration.sshd import PORT, Sshd, sshd
from tests.places import restic_server
from tests.shares import inside
from tests.vaults import CHEAP, PASSWORD, now, reopened

pytestmark = [pytest.mark.needs("root", "netns", "sshd"), pytest.mark.torture]

PRIMARY, RELIEF = "principal", "secours"
VAULT_PORT = 8000
RPO = 5  # seconds: what the plan says may be lost
PACE = 0.1  # seconds between two documents that somebody saves
PATIENCE = 60.0
PEOPLE = 65534  # the account of those who work
PRIMARY_END, RELIEF_END = "primary", "relief"


# An ordinary account: what is barred to people is not barred to root. Each line is written once a document is closed.
_SAVES = """
import os, sys, time
folder, name, pace = sys.argv[1], sys.argv[2], float(sys.argv[3])
os.chdir("/")
for number in range(10**6):
    path = f"{name}/{number // 20:03}/{number:05}.txt"
    os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
    with open(f"{folder}/{path}", "w") as file:
        file.write(f"{path} {time.time()}")
    print(path, time.time(), flush=True)
    time.sleep(pace)
"""


@dataclass
class People:
    """Somebody who saves one document after another, until the folder is barred or they are told to stop."""

    process: subprocess.Popen[bytes]
    log: Path

    def saved(self) -> Mapping[str, datetime]:
        """What they saved so far: each name, and when it was closed."""
        lines = [
            line.split() for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")
        ]
        return {name: datetime.fromtimestamp(float(at), UTC) for name, at in lines}

    def end(self) -> Mapping[str, datetime]:
        """They go home; what they saved."""
        self.process.terminate()
        self.process.wait()
        return self.saved()


@dataclass
class Machines:
    """Both machines, the plan and the way to the commands."""

    pair: netns.Pair
    ssh: Sshd
    base: Path
    stack: ExitStack

    @property
    def plan(self) -> Path:
        return self.base / "plan.yaml"

    def root(self, site: str) -> Path:
        return self.base / site / "documents"

    def releve(self, *words: str) -> tuple[int, dict[str, Any]]:
        """A command on the relief; exit code and JSON."""
        argv = [sys.executable, "-P", "-m", "releve", *words, "--plan", str(self.plan), "--json"]
        done = self.pair.left.run(argv, timeout=150, cwd=str(self.base))
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout)

    def done(self, *words: str) -> dict[str, Any]:
        """A command that must succeed, or a run that must end well."""
        code, said = self.releve(*words)
        assert code == 0, f"{words}: {json.dumps(said, indent=1, ensure_ascii=False)}\n{self.logs()}"
        return said

    def worker(self, site: str) -> None:
        """Start the resident process of a site, as its service does."""
        node = self.pair.left if site == RELIEF else self.pair.right
        log = self.stack.enter_context((self.base / f"worker-{site}.log").open("ab"))
        argv = [sys.executable, "-P", "-m", "releve", "worker", "--site", site, "--plan", str(self.plan)]
        process = node.start(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def logs(self) -> str:
        """The end of what both workers said."""
        return "\n".join(
            f"{path.name}: {path.read_text()[-1500:]}" for path in self.base.glob("worker-*.log")
        )

    def until(self, true: Callable[[], bool], what: str, pause: float = 0.1) -> None:
        """Wait for something that must come."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"{what} never came\n{self.logs()}"
            time.sleep(pause)

    def status(self) -> dict[str, Any]:
        """What `releve status` says of the share."""
        found: dict[str, Any] = self.releve("status")[1]["data_sets"][0]
        return found

    def held(self) -> datetime:
        """Wait until the promise is held; the instant up to which documents are safe, as the status says."""
        seen: dict[str, Any] = {}

        def holds() -> bool:
            seen.update(self.status())
            return seen["promise"] == "held"

        self.until(holds, "the promise", pause=1.0)  # each look is a program
        return datetime.fromisoformat(seen["since"])

    def people(self, site: str, name: str) -> People:
        """Somebody begins to work on that machine."""
        node = self.pair.left if site == RELIEF else self.pair.right
        log = self.base / f"{name}.log"
        account = ["setpriv", f"--reuid={PEOPLE}", f"--regid={PEOPLE}", "--clear-groups"]
        argv = [*account, "/usr/bin/python3", "-I", "-c", _SAVES, str(self.root(site)), name, str(PACE)]
        with log.open("wb") as out:
            made = People(
                node.start(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL), log
            )
        self.stack.callback(made.end)
        self.until(lambda: bool(made.saved()), "a first document")
        return made

    def documents(self, site: str) -> set[str]:
        """What stands there."""
        return {
            os.fsdecode(path).lstrip("/")
            for path in inside(self.root(site))
            if b"." in path.rpartition(b"/")[2]
        }

    def declare(self, began: datetime) -> str:
        """An incident at the primary."""
        words = ("--site", PRIMARY, "--by", "directrice", "--summary", "machine perdue")
        return str(self.done("incident", "declare", *words, "--began", began.isoformat())["incident"])

    def lose_primary(self) -> datetime:
        """The machine dies, all of it at once: worker, keepers, sshd; the last instant at which it may have written."""
        self.ssh.kill()
        return datetime.now(UTC)

    def start_primary(self) -> None:
        """It comes back with the disk that it had; the share's keeper is there again."""
        self.ssh.start()
        self.worker(PRIMARY)
        answer = self.base / PRIMARY / "releve/shares/documents/keeper.json"
        self.until(lambda: json.loads(answer.read_text())["pid"] in self.pair.right.pids(), "the keeper")


def task(run: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A task of a run as the command shows it."""
    found: Mapping[str, Any] = next(item for item in run["tasks"] if item["id"] == name)
    return found


def _write_plan(made: Machines) -> None:
    nodes = {PRIMARY: made.pair.right, RELIEF: made.pair.left}
    for name, secret in (("link.key", "secret-de-liaison-d-essai"), ("coffre.cle", PASSWORD)):
        (made.base / name).touch(mode=0o600)
        (made.base / name).write_text(secret)
    ssh = {
        "port": PORT,
        "user": "root",
        "key": str(made.base / "client"),
        "known_hosts": str(made.ssh.known_hosts),
        "connect_timeout": "3 s",
    }
    key = f"file:{made.base}/coffre.cle"
    plan = {
        "version": 1,
        "association": {"name": "Association fictive Les Tilleuls"},
        "sites": [
            {
                "id": site,
                "name": site,
                "role": role,
                "worker": {
                    "listen": f"{nodes[site].address}:7401",
                    "state": str(made.base / site / "releve"),
                    "secret": f"file:{made.base}/link.key",
                },
            }
            for site, role in ((PRIMARY, "primary"), (RELIEF, "relief"))
        ],
        "hosts": [
            {"id": f"srv-{site}", "site": site, "reach": "ssh", "ssh": {**ssh, "address": node.address}}
            for site, node in nodes.items()
        ],
        "contacts": [{"id": "directrice", "name": "Directrice"}],
        "vaults": [
            {
                "id": "coffre",
                "name": "Coffre du secours",
                "places": [
                    {
                        "site": PRIMARY,
                        "address": f"rest:http://{made.pair.left.address}:{VAULT_PORT}/",
                        "key": key,
                    },
                    {"site": RELIEF, "address": str(made.base / "coffre"), "key": key},
                ],
            }
        ],
        "data_sets": [
            {
                "id": "documents",
                "name": "Documents",
                "engine": "files",
                "kind": "office",
                "sensitivity": "critical",
                "vault": "coffre",
                "protection": {"mode": "realtime", "rpo": f"{RPO} s"},
                PRIMARY_END: {"host": f"srv-{PRIMARY}", "path": str(made.root(PRIMARY))},
                RELIEF_END: {"host": f"srv-{RELIEF}", "path": str(made.root(RELIEF))},
            }
        ],
        "applications": [],
    }
    made.plan.write_text(json.dumps(plan, indent=1))


@pytest.fixture
def machines() -> Iterator[Machines]:
    """Two machines ready for the guide, their workers running: nothing is protected yet."""
    with ExitStack() as stack:
        base = Path(tempfile.mkdtemp(prefix="rlv-two-"))
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        base.chmod(0o755)
        pair = stack.enter_context(netns.pair())
        stack.callback(pair.right.kill_all)
        stack.callback(pair.left.kill_all)
        made = Machines(pair, stack.enter_context(sshd(pair, base)), base, stack)
        for site in (PRIMARY, RELIEF):
            (base / site).mkdir()
        made.root(PRIMARY).mkdir()
        made.root(PRIMARY).chmod(0o775)
        os.chown(made.root(PRIMARY), PEOPLE, PEOPLE)
        create(FolderStore(base / "coffre"), PASSWORD, now(), CHEAP)
        at = f"{pair.left.address}:{VAULT_PORT}"
        server = pair.left.start(
            restic_server(base / "coffre", at, "--append-only"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(server.wait)
        stack.callback(server.kill)
        _write_plan(made)
        for site in (PRIMARY, RELIEF):
            made.worker(site)
        yield made


def protected(made: Machines) -> People:
    """The share is protected while somebody works in it; they go on."""
    made.until((made.base / RELIEF / "releve/worker.sock").exists, "the relief's worker")
    someone = made.people(PRIMARY, "avant")
    made.done("protect")
    made.held()
    return someone


@pytest.mark.torture  # the longer of the two
def test_a_machine_that_answers_is_closed_over_ssh_and_nothing_at_all_is_lost(machines: Machines) -> None:
    """Protect, switch, work on the relief, return: each document that anybody saved is there, none is put aside."""
    made = machines
    someone = protected(made)
    made.done("plan", "check")
    safe = made.held()
    early = {name for name, at in someone.saved().items() if at < safe}
    assert early
    assert early <= made.documents(RELIEF)
    made.declare(datetime.now(UTC))
    run = made.done("switch")
    before = someone.end()
    assert run["state"] == "done", run
    assert task(run, "fence:documents")["facts"]["fence"]["kind"] == "seen-stopped"
    assert task(run, "assess:documents")["facts"]["loss"]["kind"] == "none"
    barred, opened = (made.root(site).stat().st_mode & 0o777 for site in (PRIMARY, RELIEF))
    assert (barred, opened) == (0o700, 0o775)

    assert set(before) <= made.documents(RELIEF)

    other = made.people(RELIEF, "pendant")
    made.held()
    back = made.done("return")
    during = other.end()
    assert back["state"] == "done", back
    assert {*before, *during} <= made.documents(PRIMARY)
    assert not list((made.base / PRIMARY).glob("releve-mis-de-cote/*"))
    made.held()
    made.until(lambda: inside(made.root(RELIEF)) == inside(made.root(PRIMARY)), "the relief's copy")
    assert verify(reopened(made.base / "coffre")).sound
    report = made.base / "compte-rendu.pdf"
    made.done("report", "--output", str(report))
    assert report.read_bytes().startswith(b"%PDF")
    made.done("evidence", "verify")


def test_a_machine_that_is_lost_comes_back_with_what_only_it_had_put_aside(machines: Machines) -> None:
    """Cut off, then dead: nothing of before is lost; what was saved behind the cut is put aside, listed, reported."""
    made = machines
    someone = protected(made)
    made.pair.cut()
    cut = datetime.now(UTC)
    time.sleep(2.0)  # people go on behind the dead line
    dead = made.lose_primary()
    before = someone.end()
    made.pair.mend()
    incident = made.declare(cut)
    run = made.done(
        "switch",
        "--incident",
        incident,
        "--by",
        "directrice",
        "--stopped",
        "vue éteinte",
        "--since",
        dead.isoformat(),
    )
    assert run["state"] == "done", run
    loss = task(run, "assess:documents")["facts"]["loss"]
    assert (loss["kind"], loss["allowed"]) == ("bounded", True), loss
    kept = made.documents(RELIEF)
    lost = {name for name in before if name not in kept}
    assert lost, "something was saved behind the cut"
    assert min(before[name] for name in lost) > dead - timedelta(seconds=RPO)

    other = made.people(RELIEF, "pendant")
    made.start_primary()
    back = made.done("return")
    during = other.end()
    assert back["state"] == "done", back
    here = made.documents(PRIMARY)
    assert here >= {*kept, *during}
    assert not here & lost, "what nobody decided about stays out of the share"
    said = task(back, "survey:documents")["facts"]["divergence"]
    aside = Path(said["folder"])
    assert {str(path.relative_to(aside)) for path in aside.rglob("*.txt")} == lost
    assert said["transactions"] == len(lost)
    assert all((aside / name).read_text().startswith(name) for name in lost)
    made.held()
    made.until(lambda: inside(made.root(RELIEF)) == inside(made.root(PRIMARY)), "the relief's copy")
    assert verify(reopened(made.base / "coffre")).sound
