"""The database behind the ledger: addresses, locks, full disks, several processes."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from releve.adapters.ledger import database, open_ledger
from releve.domain.audit import Answer as Said
from releve.domain.audit import Audit, Errand, Look, Topic
from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable
from releve.domain.evidence import verify
from releve.domain.objectives import Statement
from releve.domain.protection import Tenure

if TYPE_CHECKING:
    from releve.adapters.ledger.store import DjangoLedger

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[DjangoLedger]:
    """A ledger on SQLite."""
    opened = open_ledger(tmp_path)
    yield opened
    opened.close()


def pragma(tmp_path: Path, name: str) -> object:
    """A setting of the file as any program finds it."""
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as link:
        return link.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p@h:5433/n",
            {"USER": "u", "PASSWORD": "p", "HOST": "h", "PORT": "5433", "NAME": "n"},
        ),
        ("postgres://h/n", {"USER": "", "HOST": "h", "PORT": "", "NAME": "n"}),
        ("postgresql://u:p%40%2F%3A@h/n%20m", {"PASSWORD": "p@/:", "NAME": "n m"}),
        ("postgresql:///n?host=/run/pg&port=5444&user=u", {"HOST": "/run/pg", "PORT": "5444", "USER": "u"}),
        ("postgresql://u@[::1]:5432/n", {"HOST": "::1", "PORT": "5432"}),
    ],
)
def test_an_address_is_read(url: str, expected: dict[str, str]) -> None:
    """Every part of the address reaches the setting that it is for, percent signs decoded."""
    found = database.parse_url(url)
    assert {name: found[name] for name in expected} == expected


def test_options_of_an_address_are_kept() -> None:
    """`sslmode` and its like go to the driver."""
    assert database.parse_url("postgresql://h/n?sslmode=verify-full")["OPTIONS"]["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    "url", ["mysql://h/n", "postgresql://h", "postgresql://h:port/n", "dossiers", "postgresql://[/n"]
)
def test_a_wrong_address_is_bad_input(url: str, tmp_path: Path) -> None:
    """The person is told how to write it, and the password is not repeated."""
    with pytest.raises(BadInput) as caught:
        open_ledger(tmp_path, url)
    assert caught.value.code == "database-url"
    assert caught.value.hint


def test_a_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    """Exit code 6, not a trace."""
    with pytest.raises(Unreachable) as caught:
        open_ledger(tmp_path, "postgresql://u:secret@127.0.0.1:1/n")
    assert caught.value.code == "ledger-unreachable"
    assert "secret" not in str(caught.value.as_json())


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a ledger that was closed, as its medium shows it once nobody can write there."""
    opened = open_ledger(tmp_path)
    opened.facts.put("daily", "dossiers", NOW, {})
    opened.close()
    for lock in tmp_path.glob("*.lock"):
        lock.unlink()
    seen = os.statvfs(tmp_path)
    closed = os.statvfs_result((*seen[:8], seen.f_flag | os.ST_RDONLY, *seen[9:]))
    monkeypatch.setattr(database.os, "statvfs", lambda _path: closed)
    return tmp_path


def test_a_ledger_on_a_read_only_medium_is_read(frozen: Path) -> None:
    """Nothing is made beside it; who writes is told in French what to do."""
    before = {path.name for path in frozen.iterdir()}
    opened = open_ledger(frozen)
    try:
        assert opened.facts.fetch("daily", "dossiers") == (NOW, {})
        assert {path.name for path in frozen.iterdir()} == before
        with pytest.raises(Unreachable, match="lecture seule") as caught:
            opened.facts.put("daily", "paie", NOW, {})
        assert (caught.value.code, caught.value.context) == ("ledger-frozen", {})
        assert "copiez" in caught.value.hint
    finally:
        opened.close()


def test_a_read_only_ledger_whose_last_lines_wait_is_refused(frozen: Path) -> None:
    """Read without its journal it would show what was before: that is no ledger."""
    (frozen / "ledger.sqlite3-wal").write_bytes(b"lignes")
    with pytest.raises(Refused) as caught:
        open_ledger(frozen)
    assert caught.value.code == "ledger-frozen"
    assert str(frozen) in caught.value.hint


@pytest.mark.parametrize(
    ("number", "code", "cause"),
    [
        (errno.EROFS, "ledger-frozen", None),
        (errno.ENOSPC, "ledger-full", None),
        (errno.EACCES, "ledger-unreachable", "/x : droits insuffisants"),
    ],
)
def test_what_the_disk_refused_is_told_in_french(number: int, code: str, cause: str | None) -> None:
    """No word of the system's own stands on the screen."""
    told = database.ours(OSError(number, os.strerror(number), "/x"))
    assert (told.code, told.context.get("cause")) == (code, cause)


def test_a_commit_is_on_the_disk(ledger: DjangoLedger, tmp_path: Path) -> None:
    """WAL in the file, and full synchronisation in our own connections."""
    from django.db import connections

    assert pragma(tmp_path, "journal_mode") == "wal"
    with ledger._database.reading() as alias, connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (2,)


def test_only_the_owner_reads_the_files(ledger: DjangoLedger, tmp_path: Path) -> None:
    """What stands in a ledger concerns people."""
    ledger.evidence.append("fait", {}, NOW)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


BRIMFUL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from releve.adapters.ledger import open_ledger
from releve.domain.errors import Unreachable
folder = Path(sys.argv[1])
open_ledger(folder).close()
try:
    (folder / "poids").write_bytes(bytes(1 << 22))
except OSError:
    pass
try:
    ledger = open_ledger(folder)
    ledger.evidence.append("fait", {"n": "x" * 9999}, datetime.now(UTC))
except Unreachable as error:
    print(error.code, error.exit_code, "DATABASE_URL" in error.hint)
"""


@pytest.mark.needs("mount-namespace")
def test_a_disk_without_any_room_is_not_called_a_server_that_is_silent(tmp_path: Path) -> None:
    """On a real file system of 1 MB, full before the ledger is opened: the person is sent to the disk."""
    command = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c", command, "sh"]
    done = subprocess.run([*unshare, str(tmp_path), sys.executable, BRIMFUL], capture_output=True, check=True)
    code, number, sent_elsewhere = done.stdout.decode().split()
    assert (code in {"ledger-full", "ledger-disk"}, number, sent_elsewhere) == (True, "6", "False")


def test_a_full_disk_is_said_and_nothing_is_half_written(ledger: DjangoLedger) -> None:
    """A database that may not grow refuses the write in our words; what stood there is whole, and goes on after."""
    from django.db import connections

    ledger.evidence.append("fait", {"n": 1}, NOW)
    with ledger._database.reading() as alias, connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
    with pytest.raises(ReleveError) as caught:
        ledger.evidence.append("fait", {"long": "x" * 100_000}, NOW)
    assert caught.value.code == "ledger-full"
    assert caught.value.hint
    assert caught.value.retryable
    entries, head = ledger.evidence.snapshot()
    assert len(entries) == 1
    assert verify(entries, head=head) == []
    with ledger._database.reading() as alias, connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA max_page_count = 1000000")
    ledger.evidence.append("fait", {"long": "x" * 100_000}, NOW)
    entries, head = ledger.evidence.snapshot()
    assert len(entries) == 2
    assert verify(entries, head=head) == []


def test_a_ledger_held_too_long_is_unreachable(ledger: DjangoLedger, tmp_path: Path) -> None:
    """Another program that keeps the write lock makes us give up in our words, and only for that time."""
    from django.db import connections

    with ledger._database.reading() as alias, connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    tenure = Tenure("dossiers", 1, "principal", "r", NOW)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable) as caught:
            ledger.tenures.take(tenure)
        assert caught.value.code == "ledger-busy"
        assert ledger.tenures.current("dossiers") is None  # readers are not held up
        other.execute("ROLLBACK")
    ledger.tenures.take(tenure)
    assert ledger.tenures.current("dossiers") == tenure


def test_a_ledger_from_before_statements_is_carried_over(tmp_path: Path) -> None:
    """A file that only knows the first migration gains the tables of statements and audits and keeps what it held."""
    old = open_ledger(tmp_path)
    old.evidence.append("fait", {"n": 1}, NOW)
    old.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as link, link:
        for table in ("statement", "audit", "auditlook", "auditnote"):
            link.execute(f"DROP TABLE ledger_{table}")
        gone = link.execute("DELETE FROM django_migrations WHERE app = 'ledger' AND name > '0001_initial'")
        assert gone.rowcount >= 1
    said = Statement("dui", "ehpad", "infirmière", date(2026, 10, 5), "", {"SECU": (1, 2)})
    carried = open_ledger(tmp_path)
    assert carried.statements.all() == []
    assert carried.audits.all() == []
    assert carried.statements.record(said, NOW)
    carried.close()
    again = open_ledger(tmp_path)
    entries, head = again.evidence.snapshot()
    assert again.statements.all() == [said]
    assert [entry.body for entry in entries] == [{"n": 1}]
    assert verify(entries, head=head) == []
    again.close()


def test_audits_from_before_their_order_are_carried_over(tmp_path: Path) -> None:
    """As their looks came in; one without a look where its date puts it; notes by then as their dates say."""
    dates = {
        "a": NOW + timedelta(days=400),
        "b": NOW,
        "c": NOW + timedelta(hours=1),
        "d": NOW + timedelta(hours=2),
    }
    errand = Errand(Topic.MACHINE, "poste", "siege")
    old = open_ledger(tmp_path)
    for name, started in dates.items():
        old.audits.begin(Audit(name, started, "f", "tour", (errand,)))
        if name != "c":
            old.audits.keep(name, Look(errand, started, 0.1))
    note = Said("QUE-10", "siege", good=True, by="directrice", on=date(2026, 10, 5))
    old.audits.note(note, NOW + timedelta(minutes=90))
    old.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as link, link:
        link.execute("CREATE TABLE kept AS SELECT id, started_at, ended_at, value FROM ledger_audit")
        link.execute("DROP TABLE ledger_audit")
        link.execute(
            "CREATE TABLE ledger_audit (id varchar(200) PRIMARY KEY NOT NULL, started_at datetime NOT NULL,"
            " ended_at datetime NULL, value text NOT NULL)"
        )
        link.execute("INSERT INTO ledger_audit SELECT * FROM kept")
        link.execute("DROP TABLE kept")
        link.execute("DELETE FROM django_migrations WHERE app = 'ledger' AND name > '0003_audit'")
    carried = open_ledger(tmp_path)
    assert [audit.id for audit in carried.audits.all()] == ["d", "b", "c", "a"]
    assert {name: len(carried.audits.notes(name)) for name in dates} == {"a": 0, "b": 0, "c": 0, "d": 1}
    carried.audits.begin(Audit("e", NOW, "f", "tour", (errand,)))
    assert carried.audits.all()[0].id == "e"
    carried.close()


def test_a_ledger_of_a_newer_program_is_refused(ledger: DjangoLedger, tmp_path: Path) -> None:
    """An older program does not guess what a newer one meant."""
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as link, link:
        link.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('ledger', '9999_later', '2099-01-01')"
        )
    with pytest.raises(Refused) as caught:
        open_ledger(tmp_path)
    assert caught.value.code == "ledger-newer"


def test_a_broken_file_is_said(tmp_path: Path) -> None:
    """A file that is not a ledger is not overwritten."""
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database at all" * 300)
    with pytest.raises(Unreachable) as caught:
        open_ledger(tmp_path)
    assert caught.value.code == "ledger-broken"
    assert (tmp_path / "ledger.sqlite3").read_bytes().startswith(b"not a database")


def test_a_folder_that_cannot_be_made_is_unreachable(tmp_path: Path) -> None:
    """A state folder under a file cannot exist: said, not traced."""
    (tmp_path / "etat").write_text("")
    with pytest.raises(Unreachable):
        open_ledger(tmp_path / "etat" / "ici")


def test_opening_twice_is_one_ledger(ledger: DjangoLedger, tmp_path: Path) -> None:
    """What one handle wrote the other reads; another folder is another ledger."""
    again, elsewhere = open_ledger(tmp_path), open_ledger(tmp_path / "autre")
    ledger.tenures.take(Tenure("dossiers", 1, "principal"))
    assert again.tenures.current("dossiers") is not None
    assert elsewhere.tenures.current("dossiers") is None
    again.close()
    elsewhere.close()


def test_the_connection_of_a_thread_ends_with_it(ledger: DjangoLedger, tmp_path: Path) -> None:
    """A worker that makes a thread a task does not run out of files."""

    def files() -> int:
        links = [Path(item) for item in Path("/proc/self/fd").iterdir()]
        return sum(str(tmp_path) in str(link.readlink()) for link in links if link.is_symlink())

    ledger.tenures.current("dossiers")
    before = files()
    for _ in range(20):
        thread = threading.Thread(target=ledger.tenures.current, args=("dossiers",))
        thread.start()
        thread.join()
    assert files() <= before + 1  # SQLite keeps one handle for later while another connection holds a lock


def test_two_processes_write_one_chain(ledger: DjangoLedger, tmp_path: Path) -> None:
    """A command that writes beside the worker leaves no gap and no fork."""
    program = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from releve.adapters.ledger import open_ledger\n"
        "ledger = open_ledger(Path(sys.argv[1]))\n"
        "for n in range(15): ledger.evidence.append('fait', {'n': n}, datetime.now(UTC))\n"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    try:
        for number in range(15):
            ledger.evidence.append("fait", {"n": number}, NOW)
    finally:
        assert other.wait(60) == 0
    entries, head = ledger.evidence.snapshot()
    assert len(entries) == 30
    assert verify(entries, head=head) == []
