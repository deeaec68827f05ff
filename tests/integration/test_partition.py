"""A cut link between two machines, in each direction, under both policies: never two sites that acknowledge.

Two network namespaces, a real PostgreSQL in each, a real guard on one side, the real owner of runs on
the other, and a writer on both sides that notes every acknowledgement.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from releve.app import House, house
from releve.cycle.plan.load import read_plan
from releve.domain.protection import ServerState
from releve.domain.runbook import TaskState
from tests.conftest import needs
from tests.integration import netns, pg
from tests.waiting import until

WRITER = Path(__file__).with_name("partition_writer.py")
DEGRADE = 3.0  # seconds of the plan's delay, short for the test


class Machine(pg.Server):
    """A PostgreSQL in a network namespace."""

    node: netns.Node

    def service(self) -> Any:
        """The same commands, run inside."""
        from dataclasses import replace

        plain = super().service()
        return replace(
            plain,
            start=tuple(self.node.argv(list(plain.start))),
            stop=tuple(self.node.argv(list(plain.stop))),
            status=tuple(self.node.argv(list(plain.status))),
        )

    def start(self) -> None:
        """By hand, inside."""
        done = subprocess.run(self.service().start, check=False, capture_output=True, cwd="/", timeout=60)
        assert done.returncode == 0, done


@dataclass
class Ground:
    """Two machines, the workers' commands, and the writers' logs."""

    pair: netns.Pair
    root: Path
    stack: ExitStack
    home: House

    def releve(self, node: netns.Node, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command on a machine; its exit code and its JSON."""
        argv = [sys.executable, "-P", "-m", "releve", *words, "--json"]
        done = node.run(argv, timeout=60, cwd="/")
        return done.returncode, json.loads(done.stdout)

    def acks(self, side: str) -> list[tuple[float, str]]:
        """What was acknowledged on a side: monotonic instant and value."""
        path = self.root / f"acks-{side}"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(float(at), value) for at, _, value in (line.partition(" ") for line in lines) if value]

    def lose_sight(self) -> None:
        """The relief cannot reach the primary's machine either (its way in crosses the same link)."""
        (self.root / "reach").rmdir()

    def see_again(self) -> None:
        """It can again."""
        (self.root / "reach").mkdir()


def plan_of(root: Path, machines: dict[str, Machine], *, wait: bool, seen_from: str) -> Path:
    """The plan, as the machine of `seen_from` has it (JSON is YAML)."""
    secrets = {}
    for name, value in pg.SECRETS.items():
        path = root / f"{name}.pw"
        path.write_text(value)
        path.chmod(0o600)
        secrets[name] = f"file:{path}"
    link = root / "link.key"
    link.write_text("a secret of this test")
    link.chmod(0o600)

    def end(site: str) -> dict[str, Any]:
        machine = machines[site]
        service = machine.service()
        return {
            "host": f"srv-{site}",
            "address": machine.node.address,
            "port": machine.port,
            "database": pg.DATABASE,
            "data_dir": str(machine.data),
            "bin_dir": str(machine.bin),
            "os_user": pg.server_account(),
            "admin": {"user": pg.ADMIN, "password": secrets["admin"]},
            "replication": {"user": "releve_replication", "password": secrets["replication"]},
            "service": {
                "manager": "command",
                "start": list(service.start),
                "stop": list(service.stop),
                "status": list(service.status),
            },
        }

    reach = str(root / "reach") if seen_from == "secours" else ""
    plan = {
        "version": 1,
        "association": {"name": "Association fictive"},
        "sites": [
            {
                "id": site,
                "name": site,
                "role": role,
                "worker": {
                    "listen": f"{machines[site].node.address}:7401",
                    "state": str(root / f"state-{site}"),
                    "secret": f"file:{link}",
                },
            }
            for site, role in (("principal", "primary"), ("secours", "relief"))
        ],
        "hosts": [
            {"id": "srv-principal", "site": "principal", "reach": "local", "root": reach},
            {"id": "srv-secours", "site": "secours", "reach": "local"},
        ],
        "contacts": [{"id": "directrice", "name": "Directrice"}],
        "data_sets": [
            {
                "id": "dossiers",
                "name": "Dossiers",
                "engine": "postgresql",
                "kind": "other",
                "sensitivity": "critical",
                "protection": {
                    "mode": "realtime",
                    "rpo": 0,
                    "transport": "clear",
                    "on_relief_lost": "wait" if wait else {"degrade_after": f"{DEGRADE:.0f} s"},
                },
                "primary": end("principal"),
                "relief": end("secours"),
            }
        ],
        "applications": [],
    }
    path = root / f"plan-{seen_from}.yaml"
    path.write_text(json.dumps(plan))
    return path


@contextmanager
def ground(root: Path, *, wait: bool) -> Iterator[Ground]:
    """Everything running and the promise proven."""
    needs("root", "netns", "setpriv")
    with ExitStack() as stack:
        pair = stack.enter_context(netns.pair())
        stack.callback(pg.remove_templates)
        base = Path(
            subprocess.run(
                ["mktemp", "-d", "-t", "rlv-XXXXXX"], capture_output=True, text=True, check=True
            ).stdout.strip()
        )
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        base.chmod(0o755)
        machines: dict[str, Machine] = {}
        for site, node in (("principal", pair.left), ("secours", pair.right)):
            conf = {
                "listen_addresses": "*"
            }  # a clone brings its source's: a fixed one would be the wrong one
            machine = Machine("wheel16", pg.own(base / site), pg.free_port(), conf)
            machine.node = node
            machines[site] = machine
            stack.callback(machine.kill)
        first = machines["principal"]
        pg.run(["cp", "-a", str(pg._template("wheel16")), str(first.data)])
        first._configure()
        with (first.data / "pg_hba.conf").open("a") as rules:
            rules.write(
                "host all all 10.99.0.0/30 scram-sha-256\nhost replication all 10.99.0.0/30 scram-sha-256\n"
            )
        first.start()
        (root / "reach").mkdir()
        plans = {site: plan_of(root, machines, wait=wait, seen_from=site) for site in machines}
        made = Ground(pair, root, stack, house(read_plan(str(plans["secours"])), "secours"))
        _start_worker(made, pair.right, "secours", plans["secours"])
        until(lambda: (root / "state-secours" / "worker.sock").exists(), 20, "the relief's worker")
        code, said = made.releve(pair.right, "protect", "--plan", str(plans["secours"]))
        assert code == 0, said
        _start_worker(made, pair.left, "principal", plans["principal"])
        for site, machine in machines.items():
            log = root / f"acks-{site}"
            writer = machine.node.start(
                [sys.executable, str(WRITER), machine.node.address, str(machine.port), str(log), site],
                cwd="/",
            )
            stack.callback(writer.wait)
            stack.callback(writer.kill)
        until(lambda: _proven(made), 20, "the promise proven from the relief")
        until(lambda: _adopted(root), 20, "the primary adopted by its guard")
        until(lambda: len(made.acks("principal")) > 20, 20, "writes acknowledged on the primary")
        try:
            yield made
        except BaseException:
            _tell(root, machines)
            raise


def _tell(root: Path, machines: dict[str, Machine]) -> None:
    """What the workers and the servers say of a failure; pytest shows it with the failure."""
    logs = [*sorted(root.glob("worker-*.log")), *(machine.folder / "log" for machine in machines.values())]
    for path in logs:
        sys.stderr.write("\n".join([f"--- {path}", *path.read_text().splitlines()[-60:], ""]))


def _start_worker(made: Ground, node: netns.Node, site: str, plan: Path) -> None:
    log = made.stack.enter_context((made.root / f"worker-{site}.log").open("wb"))
    process = node.start(
        [sys.executable, "-P", "-m", "releve", "worker", "--site", site, "--plan", str(plan)],
        stdout=log,
        stderr=log,
        cwd="/",
    )
    made.stack.callback(process.wait)
    made.stack.callback(process.kill)


def _proven(made: Ground) -> bool:
    contact = made.home.ledger.facts.last_contact("dossiers")
    return contact is not None and contact.synchronous


def _adopted(root: Path) -> bool:
    return "adopt" in (root / "worker-principal.log").read_text()


CUTS = ("both", "primary-mute", "relief-mute")


def _cuts(always: str) -> list[object]:
    """All of them, each of which takes half a minute: one in every run, the others in the long one."""
    return [one if one == always else pytest.param(one, marks=pytest.mark.torture) for one in CUTS]


def cut(made: Ground, which: str) -> float:
    """Cut the link; when."""
    left, right = made.pair.left, made.pair.right
    made.lose_sight()
    made.pair.cut(*{"both": (), "primary-mute": (left,), "relief-mute": (right,)}[which])
    return time.monotonic()


def never_two(made: Ground) -> None:
    """No acknowledgement on the primary after the first one on the relief."""
    there, here = made.acks("principal"), made.acks("secours")
    if here:
        late = [value for at, value in there if at > here[0][0]]
        assert late == [], f"two sites acknowledged: {late[:3]}"


def rows(made: Ground, node: netns.Node, site: str) -> set[str]:
    """What a site's database holds, asked on its own machine."""
    end = made.home.plan.data_set("dossiers").ends[site]
    done = node.run(
        [
            f"{end.bin_dir}/psql",
            "-XAtq",
            "-h",
            node.address,
            "-p",
            str(end.port),
            "-U",
            pg.ADMIN,
            "-d",
            pg.DATABASE,
            "-c",
            "SELECT valeur FROM ecrits",
        ],
        env={"PGPASSWORD": pg.SECRETS["admin"], "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("\n"))


@pytest.mark.parametrize("which", _cuts("both"))
def test_degrade_then_no_switch_without_a_fence(tmp_path: Path, which: str) -> None:
    """Policy degrade: production goes on alone, and the relief opens on no word that proves nothing.

    A switch waits for a person, an untrue word meets an unknown loss, the relief never acknowledges,
    and the promise comes back by itself with the link.
    """
    with ground(tmp_path, wait=False) as made:
        plan = ("--plan", str(tmp_path / "plan-secours.yaml"))
        at = cut(made, which)
        until(
            lambda: bool(made.acks("principal")) and made.acks("principal")[-1][0] > at + DEGRADE,
            25,
            "production goes on alone",
        )
        _, incident = made.releve(
            made.pair.right,
            "incident",
            "declare",
            "--site",
            "principal",
            "--by",
            "directrice",
            "--summary",
            "lien coupé",
            *plan,
        )
        code, run = made.releve(made.pair.right, "switch", "--incident", incident["incident"], *plan)
        assert (code, run["state"]) == (5, "waiting"), run
        assert [item["task"] for item in run["open_questions"]] == ["confirm-fence:dossiers"]
        code, run = made.releve(
            made.pair.right,
            "run",
            "approve",
            run["run"],
            "confirm-fence:dossiers",
            "--by",
            "directrice",
            "--words",
            "je le crois éteint",
            *plan,
        )
        until(
            lambda: (
                made.home.ledger.runs.get(run["run"]).record("accept-loss:dossiers").state
                is TaskState.WAITING
            ),
            20,
            "the loss is asked about",
        )
        loss = made.home.ledger.runs.get(run["run"]).record("assess:dossiers").outcome
        assert loss is not None
        assert loss.facts["loss"]["kind"] == "unknown"  # type: ignore[index]
        made.releve(
            made.pair.right,
            "run",
            "refuse",
            run["run"],
            "accept-loss:dossiers",
            "--by",
            "directrice",
            "--words",
            "pas sans preuve",
            *plan,
        )
        until(lambda: made.home.ledger.runs.get(run["run"]).ended_at is not None, 20, "the run stops")
        assert made.acks("secours") == []
        made.pair.mend()
        made.see_again()
        until(lambda: not made.home.ledger.tenures.claimed("dossiers"), 20, "the claim is given back")
        until(lambda: _proven(made), 40, "the promise is proven again")
        before = len(made.acks("principal"))
        until(lambda: len(made.acks("principal")) > before + 5, 20, "production still goes on")
        never_two(made)
        assert {value for _, value in made.acks("principal")} <= rows(made, made.pair.left, "principal")


@pytest.mark.parametrize("which", _cuts("primary-mute"))
def test_wait_then_switch_on_the_block(tmp_path: Path, which: str) -> None:
    """Policy wait: the primary acknowledges nothing alone, and its block is the fence.

    The relief opens with every acknowledged write; once the link is back, the guard closes the old side.
    """
    with ground(tmp_path, wait=True) as made:
        plan = ("--plan", str(tmp_path / "plan-secours.yaml"))
        at = cut(made, which)
        time.sleep(DEGRADE + 1.5)  # longer than any delay: under `wait` nothing may come of it
        assert [value for ack, value in made.acks("principal") if ack > at + 1.0] == []
        _, incident = made.releve(
            made.pair.right,
            "incident",
            "declare",
            "--site",
            "principal",
            "--by",
            "directrice",
            "--summary",
            "lien coupé",
            *plan,
        )
        code, run = made.releve(made.pair.right, "switch", "--incident", incident["incident"], *plan)
        assert (code, run["state"]) == (0, "done"), run
        until(lambda: len(made.acks("secours")) > 5, 20, "the relief acknowledges")
        made.pair.mend()
        made.see_again()
        engine = made.home.engines["dossiers"]
        closed = (ServerState.CLOSED, ServerState.STOPPED)
        with _inside(made):
            until(
                lambda: engine.facts("principal").state in closed, 30, "the old side is closed by its guard"
            )
        never_two(made)
        acknowledged = {value for side in ("principal", "secours") for _, value in made.acks(side)}
        assert acknowledged <= rows(made, made.pair.right, "secours")


@contextmanager
def _inside(made: Ground) -> Iterator[None]:
    """This thread enters the relief's network, to look as its worker does."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{made.pair.right.name}", os.O_RDONLY)
    try:
        assert libc.setns(there, 0) == 0
        yield
    finally:
        libc.setns(home, 0)
        os.close(home)
        os.close(there)
