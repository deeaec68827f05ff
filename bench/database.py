"""`python -m bench.database`: PostgreSQL's WAL into a vault, and back; beside pg_receivewal and restic in a loop.

lag      100 commits a second: from the instant at which a commit is acknowledged to the one at which it is said, or
         known, to be in a durable snapshot; what the vault grew by; processor time of the archiver.
idle     processor time of an archiver beside a server to which nothing happens.
back     a base of some 680 MB, a minute of pgbench, the restore to the latest, step by step.

Raw values go to bench/results/database/. One round: read ratios.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.figures import machine
from tests.archives import Archive, archive
from tests.integration import pg
from tests.vaults import PASSWORD, fresh

RESULTS = Path(__file__).parent / "results" / "database"
SECONDS = 40.0
IDLE = 30.0
SCALE = 40  # pgbench: 15 MB each
CONF = {"shared_buffers": "128MB", "max_wal_size": "1GB", "min_wal_size": "80MB", "fsync": "on"}
Row = dict[str, Any]


def main() -> None:
    """Measure, print, write down."""
    rows: list[Row] = []
    with archive() as rig:
        ordinary(rig)
        rows.append(idle(rig))
        rows += [ours(rig, every) for every in (2.0, 0.5)]
        rows.append(peer(rig))
        rows += back(rig)
    pg.remove_templates()
    at = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    whole = {"at": at.isoformat(), "machine": machine(), "rows": rows}
    path = RESULTS / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(json.dumps(row))


def ordinary(rig: Archive) -> None:
    """A server as it is installed: segments of 16 MiB, fsync on."""
    rig.server.destroy()
    big = rig.server = rig.another("mesure", CONF)
    secret = big.folder / "pw"
    secret.write_text(pg.SECRETS["admin"] + "\n")
    secret.chmod(0o644)
    how = ["-U", pg.ADMIN, "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8", "--locale=C"]
    pg.run([str(big.bin / "initdb"), "-D", str(big.data), *how])
    big._configure()  # noqa: SLF001
    big.start()
    with big.connect("postgres") as link:
        link.execute(f"CREATE DATABASE {pg.DATABASE}".encode())
    big.sql("CREATE TABLE ecrits (valeur text PRIMARY KEY, auteur text)")


@contextmanager
def running(rig: Archive, every: float) -> Iterator[int]:
    """An archiver that has caught up; its process."""
    process = rig.start(every=every)
    pg.until(lambda: rig.said().get("pid") == process.pid and bool(rig.said().get("safe_until")), 30)
    yield process.pid
    process.terminate()
    process.wait()


def idle(rig: Archive) -> Row:
    """Nothing happens."""
    with running(rig, 2.0) as pid:
        begun = _cpu(pid)
        time.sleep(IDLE)
        return {"what": "idle", "every": 2.0, "cpu": round((_cpu(pid) - begun) / IDLE, 4)}


class Commits:
    """About a hundred a second, each with the instant at which it was acknowledged."""

    def __init__(self, rig: Archive, name: str) -> None:
        self._rig = rig
        self._name = name
        self.waiting: list[datetime] = []
        self.lags: list[float] = []

    def write(self) -> int:
        """For SECONDS."""
        count, end = 0, time.monotonic() + SECONDS
        with self._rig.server.connect() as link:
            while time.monotonic() < end:
                value = f"{self._name}-{count}", os.urandom(40).hex() * 5
                link.execute("INSERT INTO ecrits VALUES (%s, %s)", value)
                self.waiting.append(datetime.now(UTC))
                count += 1
                time.sleep(0.008)
        return count

    def safe(self, until: datetime) -> None:
        """All before that instant is known to be kept, now."""
        at = datetime.now(UTC)
        while self.waiting and self.waiting[0] <= until:
            self.lags.append((at - self.waiting.pop(0)).total_seconds())

    def row(self) -> Row:
        """p50, p99 and the slowest, in seconds."""
        return {
            "commits": len(self.lags),
            "p50": round(median(self.lags), 3),
            "p99": round(quantiles(self.lags, n=100)[98], 3),
            "slowest": round(max(self.lags), 3),
        }


def ours(rig: Archive, every: float) -> Row:
    """The archiver's own word."""
    commits, done = Commits(rig, f"e{every}"), threading.Event()

    def listen() -> None:
        while not done.wait(0.01):
            if until := rig.said().get("safe_until"):
                commits.safe(datetime.fromisoformat(until))

    with running(rig, every) as pid:
        before, lsn, begun = _size(rig.vault), _lsn(rig), _cpu(pid)
        listener = threading.Thread(target=listen)
        listener.start()
        commits.write()
        cpu = (_cpu(pid) - begun) / SECONDS
        pg.until(lambda: not commits.waiting, 30)
        done.set()
        listener.join()
        grown = {"wal_bytes": _lsn(rig) - lsn, "vault_bytes": _size(rig.vault) - before}
    return {"what": "lag", "who": "releve", "every": every, **commits.row(), **grown, "cpu": round(cpu, 4)}


def peer(rig: Archive) -> Row:
    """pg_receivewal into a folder, and stock restic on that folder, one run after the other."""
    folder, vault = rig.root / "pair", rig.root / "pair-vault"
    folder.mkdir()
    fresh(vault)
    server = rig.server
    env = {**rig.environment(), "PGPASSWORD": pg.SECRETS["admin"], "RESTIC_PASSWORD": PASSWORD}
    where = f"host=127.0.0.1 port={server.port} user={pg.ADMIN}"
    receiver = subprocess.Popen(
        [str(server.bin / "pg_receivewal"), "-D", str(folder), "-d", where, "--synchronous"], env=env
    )
    commits = Commits(rig, "pair")
    writer = threading.Thread(target=commits.write)
    before, lsn, runs, cpu = _size(vault), _lsn(rig), 0, 0.0
    try:
        writer.start()
        while writer.is_alive() or commits.waiting:
            begun, used = datetime.now(UTC), os.times().children_user + os.times().children_system
            argv = ["restic", "--no-cache", "-r", str(vault), "backup", "-q", str(folder)]
            subprocess.run(argv, env=env, check=True, capture_output=True)
            cpu += os.times().children_user + os.times().children_system - used
            commits.safe(begun)
            runs += 1
    finally:
        receiver.terminate()
        receiver.wait()
    grown = {"wal_bytes": _lsn(rig) - lsn, "vault_bytes": _size(vault) - before}
    return {
        "what": "lag",
        "who": "restic in a loop, key derivation free",
        "runs": runs,
        **commits.row(),
        **grown,
        "cpu": round(cpu / SECONDS, 4),
    }


def back(rig: Archive) -> list[Row]:
    """A base, a minute of load, and all of it back."""
    server = rig.server
    env = {**rig.environment(), "PGPASSWORD": pg.SECRETS["admin"]}
    where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", pg.ADMIN, pg.DATABASE]
    bench = str(server.bin / "pgbench")
    with running(rig, 2.0) as pid:
        subprocess.run(
            [bench, "-i", "-q", "-s", str(SCALE), *where], env=env, check=True, capture_output=True
        )
        begun = time.monotonic()
        base = rig.base()
        took = time.monotonic() - begun
        before, lsn = _size(rig.vault), _lsn(rig)
        subprocess.run([bench, "-T", "60", "-c", "2", *where], env=env, check=True, capture_output=True)
        at = rig.instant()
        rig.until_safe(at)
        late = (datetime.now(UTC) - at).total_seconds()
        load = {"wal_bytes": _lsn(rig) - lsn, "vault_bytes": _size(rig.vault) - before}
        peak = Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]
    begun = time.monotonic()
    code, said = rig.restore("latest")
    whole = time.monotonic() - begun
    return [
        {"what": "base", "seconds": round(took, 2), "bytes": base["bytes"], "stored": base["stored_bytes"]},
        {"what": "load", **load, "late": round(late, 2), "peak_kb": int(peak)},
        {
            "what": "restore",
            "code": code,
            "seconds": round(whole, 2),
            "steps": said["seconds"],
            "wal_bytes": said["wal_bytes"],
        },
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _lsn(rig: Archive) -> int:
    return int(rig.server.sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")[0][0])


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
