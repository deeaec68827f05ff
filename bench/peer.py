"""The peer: the same disaster on the same kind of estate, switched by `peer.sh`.

No worker of Relève runs there. Its standby keeps PostgreSQL's default `wal_retrieve_retry_interval`
(5 s). The copy is synchronous as ours is, else "lost" would not compare. After each disaster the
other side is made a standby again, so that one disaster goes one way and the next the other way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.figures import Row
from releve.app import House, house
from releve.cycle.plan.load import read_plan
from releve.demo import supctl
from releve.demo.estate import Estate
from releve.demo.judge import judge
from releve.demo.plan_text import APPLICATION
from releve.demo.programs import run_as
from releve.demo.witness import Witness
from releve.domain.errors import ReleveError, Unreachable

PRIMARY, RELIEF = "principal", "secours"
SCRIPT = Path(__file__).with_name("peer.sh")
WORK = 0.7  # seconds of writing before and after
PATIENCE = 60.0  # seconds for the script; a promotion that waits for WAL takes 5
DEFAULT_RETRY = "5s"


class Peer:
    """The peer's estate. `one` plays a disaster and repairs."""

    def __init__(self, estate: Estate, home: House, folder: Path) -> None:
        self._estate, self._home, self._folder = estate, home, folder
        self._open, self._standby = PRIMARY, RELIEF
        self._default_settings()

    def one(self, number: int) -> Row:
        """Strike, switch by the script, judge, rebuild. Raises `ReleveError`."""
        estate, left, entered = self._estate, self._open, self._standby
        index = 0 if entered == PRIMARY else 1
        load = os.getloadavg()[0]
        with Witness.start(estate.urls, self._folder / f"temoin-{number}") as witness:
            time.sleep(WORK)
            blow = estate.destroy_site(left)
            ordered_at, ordered = datetime.now(UTC), time.monotonic()
            steps = self._script(entered)
            _until(lambda: witness.live().by_url.get(estate.urls[index], 0) > 0, "une écriture confirmée")
            outage = witness.outage(blow.monotonic)
            time.sleep(WORK)
        content = judge(witness.journal, estate.dsn(entered))
        self._rebuild(left, entered)
        if outage.first_after is None:
            raise ReleveError("no-write-after", "aucune écriture n'a été confirmée après la bascule")
        return {
            "number": number,
            "at": ordered_at.isoformat(),
            "load": round(load, 2),
            "promotion_ms": steps[0]["seconds"] * 1000,
            "rto_seconds": outage.seconds,
            "blow_to_order_seconds": ordered - blow.monotonic,
            "order_to_ack_seconds": outage.first_after.monotonic - ordered,
            "acknowledged": content.acknowledged,
            "lost": content.lost,
            "duplicated": content.duplicated,
            "steps": steps,
        }

    def _script(self, site: str) -> list[Row]:
        layout, programs = self._estate.layout.site(site), self._estate.layout
        account = run_as(programs.os_user)
        names = {
            "AS": f"setpriv --reuid={account[0]} --regid={account[1]} --clear-groups" if account else "",
            "PG_CTL": f"{programs.bin_dir}/pg_ctl",
            "DATA": str(layout.data_dir),
            "PYTHON": sys.executable,
            "SUPCTL": str(Path(supctl.__file__)),
            "SOCKET": str(layout.supervisor),
            "GATE": str(layout.gate),
            "URL": f"{layout.url}/sante/ecriture",
        }
        steps: list[Row] = []
        before = time.monotonic()
        with subprocess.Popen(
            ["sh", str(SCRIPT)], stdout=subprocess.PIPE, text=True, cwd="/", env={**os.environ, **names}
        ) as script:
            assert script.stdout is not None  # noqa: S101 - it is a pipe, asked for above
            for line in script.stdout:
                now = time.monotonic()
                steps.append({"kind": line.strip(), "seconds": now - before})
                before = now
            code = script.wait(PATIENCE)
        if code != 0 or len(steps) != 4:
            raise Unreachable("peer-script", f"le script témoin a échoué (code {code}, {len(steps)} étapes)")
        return steps

    def _rebuild(self, lost: str, source: str) -> None:
        self._estate.repair_site(lost)
        for engine in self._home.engines.values():
            engine.rebuild(lost, source)
            engine.arm(source)
        self._open, self._standby = source, lost
        self._default_settings()

    def _default_settings(self) -> None:
        """Give the standby PostgreSQL's own default back, and see it there."""
        with psycopg.connect(self._estate.dsn(self._standby), autocommit=True) as link:
            link.execute("ALTER SYSTEM RESET wal_retrieve_retry_interval")
            link.execute("SELECT pg_reload_conf()")

            def shown() -> bool:
                row = link.execute("SHOW wal_retrieve_retry_interval").fetchone()
                return row is not None and row[0] == DEFAULT_RETRY

            _until(shown, "le réglage d'origine")


@contextmanager
def peer(folder: Path) -> Iterator[Peer]:
    """The peer's estate, made and removed."""
    with ExitStack() as stack:
        estate = Estate(folder / "estate")
        stack.callback(estate.cleanup)
        estate.create()
        home = house(read_plan(str(estate.plan)), RELIEF)
        estate.start_site(PRIMARY)
        estate.start_site(RELIEF)
        estate.init_database()
        for engine in home.engines.values():
            engine.prepare(PRIMARY)
            engine.rebuild(RELIEF, PRIMARY)
            engine.arm(PRIMARY)
        estate.start(PRIMARY, APPLICATION)
        estate.open_gate(PRIMARY)
        yield Peer(estate, home, folder)


def _until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise Unreachable("peer-late", f"{what} : toujours pas, après {PATIENCE:.0f} s")
        time.sleep(0.01)
