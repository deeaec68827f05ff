"""The history of a database, thinned every few minutes beside the archiver that adds to it: nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from releve.adapters.engines.files.marks import Mark
from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, Chapter, bases
from releve.adapters.engines.postgresql.archive.marks import BaseMark
from releve.adapters.engines.postgresql.archive.restore import Means, restore
from releve.adapters.engines.postgresql.archive.segments import wal_of
from releve.adapters.engines.postgresql.archive.source import Server
from releve.adapters.engines.postgresql.archive.windows import LATEST
from releve.adapters.vault import merging
from releve.adapters.vault.saving import save
from releve.adapters.vault.store import Absent, Kind
from releve.adapters.vault.verify import verify
from releve.cycle.protect import archive as decision
from releve.cycle.protect.retention import Policy
from releve.domain.errors import PromiseBroken, Refused
from releve.entrypoints.cli.root import command_line
from releve.entrypoints.worker import expiry, history
from releve.entrypoints.worker import thinner as thinner_room
from releve.entrypoints.worker.database import DatabasePost, note_base, note_trial, open_gaps
from releve.entrypoints.worker.expiry import expire_database
from releve.entrypoints.worker.history import HistoryPost, _Bases
from releve.entrypoints.worker.register import Watch, database_scope, head_of, of_scope, read_roll
from releve.entrypoints.worker.thinning import thin_share
from tests.archives import NAME, SEGMENT, Archive, archive
from tests.integration import pg
from tests.integration.pg import no_templates_left  # noqa: F401
from tests.integration.test_vault_stores import Rclone
from tests.unit.adapters.engines.test_archive_wal import Writing
from tests.vaults import PASSWORD, fresh, now, reopened
from tests.waiting import until

# An archiver whose locks and looks at the vault's list are renewed in a second instead of five minutes and ten seconds.
_HASTY = """
from releve.adapters.engines.postgresql.archive import keeping
from releve.adapters.vault import locks
from releve.entrypoints.cli import main
keeping._LOOK_AGAIN = locks.RENEW = 0.5
main()
"""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """A server and a vault in a folder; minutes are seconds."""
    monkeypatch.setattr(decision, "ALL_FOR", timedelta(seconds=2))
    monkeypatch.setattr(decision, "HOURLY_FOR", timedelta(0))
    for name in ("YOUNG", "GRACE", "MARGIN"):
        monkeypatch.setattr(merging, name, timedelta(seconds=2))
    monkeypatch.setattr(merging, "_FEW", 2)
    with archive() as made:
        made.releve = [sys.executable, "-P", "-c", _HASTY]
        yield made


@pytest.fixture(params=[pytest.param("folder", marks=pytest.mark.torture), "rest"])
def rig(request: pytest.FixtureRequest, hasty: Archive) -> Iterator[Archive]:
    """The same, in a folder or behind a REST server."""
    with ExitStack() as stack:
        if request.param == "rest":
            server = Rclone(hasty.vault)
            stack.callback(server.stop)
            hasty.address = server.where
        yield hasty


def _live(rig: Archive) -> int:
    return sum(isinstance(one, Chapter) for one in Catalogue(reopened(rig.vault), NAME).look())


def test_thinning_beside_an_archiver_at_work_loses_nothing(rig: Archive) -> None:
    """Superseded snapshots go while more come, packs are merged and removed; any instant still comes back."""
    archiver = rig.start()
    rig.base()
    forget = ["--state", str(rig.root / "ménage"), "--yes"]
    code, said = rig.run("forget", *forget)
    assert code == 0, said
    assert all(one["keep"] for one in said["rulings"]), "what was seen for the first time stays"
    written: list[str] = []
    between = datetime.now(UTC)
    gone = freed = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (len(written) >= 40 and gone and freed):
        for _ in range(4):
            written.append(f"{len(written):04}")
            rig.until_safe(rig.write(written[-1]))
        if len(written) == 20:
            between = rig.instant()
        if len(written) % 12 == 0:
            rig.server.sql("SELECT pg_switch_wal()")
        code, said = rig.run("forget", *forget)
        assert code == 0, said
        gone += sum(not one["keep"] for one in said["rulings"])
        freed += said["freed_bytes"]
    assert freed, "no pack left the store"
    assert gone + _live(rig) >= len(written)
    assert _live(rig) < len(written) / 2
    archiver.send_signal(signal.SIGKILL)
    archiver.wait()
    assert verify(reopened(rig.vault)).sound
    rig.server.destroy()
    code, said = rig.restore(between.isoformat())
    assert code == 0, said
    assert rig.values() == written[:20]
    code, said = rig.restore("latest", "fin")
    assert code == 0, said
    assert rig.values("fin") == written


def test_a_restore_that_takes_hours_has_its_wal_before_the_thinning_comes(hasty: Archive) -> None:
    """While the base comes back, the snapshot that the restore reads is superseded and its last bytes leave the store."""
    rig = hasty
    rig.start()
    rig.base()
    rig.until_safe(rig.write("a"))
    forget = ["--state", str(rig.root / "ménage"), "--yes"]
    vault = reopened(rig.vault)
    vault.load_index()
    wal = wal_of(vault, Catalogue(vault, NAME).look(), SEGMENT)
    tail = max(wal.segments.values(), key=lambda one: one.at.number).node.content[-1]
    pack = vault.where(tail).pack
    done: list[str] = []

    def meanwhile(_done: int, wal_bytes: int) -> None:
        if wal_bytes or done:
            return  # once, as the base begins
        deadline = time.monotonic() + 60
        while pack in {entry.name for entry in vault.store.entries(Kind.DATA)}:
            assert time.monotonic() < deadline, "the thinning leaves all as it was"
            rig.until_safe(rig.write(f"b{time.monotonic()}"))
            code, said = rig.run("forget", *forget)
            assert code == 0, said
        assert reopened(rig.vault).index.find(tail) is None
        done.append(pack)

    means = Means(str(pg.bin_dir(rig.kind)), pg.server_account(), "postgres")
    place = rig.root / "retour"
    restore(vault, NAME, LATEST, place, means, progress=meanwhile)
    assert done
    assert rig.values() == ["a"]


@pytest.fixture
def hour_old(tmp_path: Path) -> Writing:
    """A vault with six snapshots of one chapter, which came an hour ago by the store's own date."""
    writing = Writing(tmp_path, fresh(tmp_path / "vault"))
    for size in range(1000, 7000, 1000):
        writing.write(1, size)
        writing.keep()
    past = time.time() - 3600
    for path in (tmp_path / "vault" / "snapshots").iterdir():
        os.utime(path, (past, past))
    return writing


def _forgotten(writing: Writing, state: Path, *, yes: bool = True) -> int:
    rulings, _merged = expire_database(writing.vault, "dossiers", state, Policy(), yes=yes)
    return sum(not one.keep for one in rulings)


def _listing(writing: Writing, state: Path, at: datetime) -> Watch:
    """The list of that folder, and a look at the vault at that instant."""
    watch = Watch(writing.vault, state, database_scope("dossiers"), now=lambda: at, up=lambda: ("avant", 0.0))
    watch.look(of_scope(writing.vault, "database=dossiers"))
    return watch


def test_the_later_of_the_stores_date_and_our_first_look_counts(hour_old: Writing, tmp_path: Path) -> None:
    """What the store dates an hour back stays until we have seen it for ten minutes ourselves; looking is enough."""
    state = tmp_path / "ménage"
    state.mkdir()
    assert _forgotten(hour_old, state, yes=False) == 0
    assert _forgotten(hour_old, state) == 0
    older = tmp_path / "ménage d'avant"
    _listing(hour_old, older, now() - timedelta(minutes=11)).close()
    assert _forgotten(hour_old, older, yes=False) == 4  # the fullest stays, and the last of the hour
    assert _forgotten(hour_old, older) == 4
    assert len(of_scope(hour_old.vault, "database=dossiers")) == 2
    assert verify(hour_old.vault).sound


def test_what_the_store_loses_of_a_history_is_told(
    hour_old: Writing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not what we removed ourselves; the list of what belongs to no database hears of neither."""
    state, others = tmp_path / "ménage", tmp_path / "autres"
    rest = Watch(hour_old.vault, others, "", now=now)
    try:
        assert of_scope(hour_old.vault, "") == []
        assert not rest.look([])
        _listing(hour_old, state, now() - timedelta(minutes=11)).close()
        assert _forgotten(hour_old, state) == 4
        assert _forgotten(hour_old, state) == 0
        assert "ALERTE" not in capsys.readouterr().err
        roll = read_roll(state)
        assert roll is not None
        assert (len(roll.live), roll.removed, roll.scope) == (2, 4, "database=dossiers")
        assert [head_of(one).split(":", 3)[3] for one in hour_old.vault.snapshots() if head_of(one)] == [
            roll.scope
        ]
        name = next(iter(roll.live))
        hour_old.vault.store.remove(Kind.SNAPSHOTS, name)
        assert _forgotten(hour_old, state, yes=False) == 0
        said = capsys.readouterr().err
        assert "ALERTE" in said
        assert f"{name[:8]} a disparu du coffre" in said
        roll = read_roll(state)
        assert roll is not None
        assert list(roll.troubles) == [("lost", name)]
        assert not rest.look(of_scope(hour_old.vault, ""))
    finally:
        rest.close()


def test_a_snapshot_that_the_store_does_not_give_stops_the_thinning(
    hour_old: Writing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the base that the rest of the WAL is for: nothing is removed beside it, nor announced."""
    state = tmp_path / "ménage"
    _listing(hour_old, state, now() - timedelta(minutes=11)).close()
    withheld = hour_old.vault.snapshots()[0].id
    honest = hour_old.vault.store.read

    def read(kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        if name == withheld:
            raise Absent(name)
        return honest(kind, name, offset, length)

    monkeypatch.setattr(hour_old.vault.store, "read", read)
    with pytest.raises(PromiseBroken, match=withheld):
        _forgotten(hour_old, state)
    monkeypatch.undo()
    assert len(of_scope(hour_old.vault, "database=dossiers")) == 6
    roll = read_roll(state)
    assert roll is not None
    assert not roll.leaving


def test_the_wal_and_the_data_of_a_base_that_the_store_hides_stay_until_a_person_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that leaves the older base out of its listing for a day makes nothing go; told of it, a person decides."""
    for name in ("YOUNG", "GRACE", "MARGIN"):
        monkeypatch.setattr(merging, name, timedelta(0))
    vault, state = fresh(tmp_path / "vault"), tmp_path / "ménage"
    writing = Writing(tmp_path, vault)
    writing.write(1, SEGMENT)
    writing.keep()
    for number, start in enumerate((SEGMENT, 5 << 30)):
        (tmp_path / "données").write_bytes(os.urandom(100_000))
        mark = BaseMark("dossiers", "7", f"releve-{number}", 1, start, start + 100, now(), 160000, SEGMENT)
        save(vault, [str(tmp_path / "données")], now=now, tags=mark.tags())
    past = time.time() - 40 * 86400
    for path in (tmp_path / "vault").glob("[ds]*/**/*"):  # packs and snapshots
        os.utime(path, (past, past))
    _listing(writing, state, now() - timedelta(days=40)).close()
    hidden = tmp_path / "vault" / "snapshots" / bases(Catalogue(vault, "dossiers").look())[0].snapshot.id
    aside = hidden.rename(tmp_path / "aside")
    for _ in range(3):
        assert _forgotten(writing, state) == 0
    aside.rename(hidden)
    assert _forgotten(writing, state) == 0
    assert verify(reopened(tmp_path / "vault")).sound
    hidden.rename(aside)
    assert _forgotten(writing, state) == 0
    watch = Watch(vault, state, None, now=now)
    watch.accept("Nadia", "le fournisseur l'a effacé")
    watch.close()
    assert _forgotten(writing, state) == 1
    before = len(list((tmp_path / "vault" / "data").glob("*/*")))
    _forgotten(writing, state)
    assert len(list((tmp_path / "vault" / "data").glob("*/*"))) < before


def test_the_thinning_of_a_share_takes_nothing_of_a_base_that_the_store_hides_and_a_list_beside_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a vault that holds both; the list of another vault counts for nothing, and a place without one neither."""
    for name in ("YOUNG", "GRACE", "MARGIN"):
        monkeypatch.setattr(merging, name, timedelta(0))
    vault, state = fresh(tmp_path / "vault"), tmp_path / "ménage"
    data = tmp_path / "données"
    for number in range(2):
        data.write_bytes(os.urandom(100_000))
        mark = BaseMark("dossiers", "7", f"releve-{number}", 1, 0, 100, now(), 160000, SEGMENT)
        save(vault, [str(data)], now=now, tags=mark.tags())
    data.write_bytes(b"partage")
    save(vault, [str(data)], now=now, tags=Mark("documents", 1, 1).tags())
    past = time.time() - 3600
    for path in (tmp_path / "vault").glob("[ds]*/**/*"):  # packs and snapshots
        os.utime(path, (past, past))
    expire_database(vault, "dossiers", state, Policy(), yes=True)
    hidden = tmp_path / "vault" / "snapshots" / bases(Catalogue(vault, "dossiers").look())[0].snapshot.id
    aside = hidden.rename(tmp_path / "aside")

    def thin(*beside: Path) -> int:
        done = [
            thin_share(vault, "documents", tmp_path / "partage", yes=True, beside=beside)[1].removed
            for _ in range(2)
        ]
        return sum(done)

    other = tmp_path / "autre"
    Watch(fresh(tmp_path / "autre coffre"), other, "documents", now=now).close()
    assert thin(state, other, tmp_path / "rien") == 0
    aside.rename(hidden)
    assert verify(reopened(tmp_path / "vault")).sound
    hidden.rename(aside)
    assert thin(other, tmp_path / "rien") > 0


def test_a_forgetting_that_finds_something_lost_ends_with_the_code_of_it(
    hour_old: Writing, tmp_path: Path
) -> None:
    """Code 3 until a person takes note, as the check of the list does; what may go is removed all the same."""
    state = tmp_path / "ménage"
    _listing(hour_old, state, now() - timedelta(minutes=11)).close()
    last = min(hour_old.vault.snapshots(), key=lambda one: one.at).id
    hour_old.vault.store.remove(Kind.SNAPSHOTS, last)
    argv = ["database", "forget", hour_old.vault.store.where, "-d", "dossiers", "--state", str(state)]
    for extra, left in (((), 5), (("--yes",), 2), (("--yes",), 2)):
        ran = CliRunner().invoke(command_line(), [*argv, *extra], env={"RELEVE_VAULT_KEY": PASSWORD})
        assert ran.exit_code == 3, ran.output
        assert f"ALERTE : l'instantané {last[:8]} a disparu" in ran.output
        assert len(of_scope(hour_old.vault, "database=dossiers")) == left
    watch = Watch(hour_old.vault, state, None, now=now)
    watch.accept("Nadia", "je sais")
    watch.close()
    ran = CliRunner().invoke(command_line(), [*argv, "--yes"], env={"RELEVE_VAULT_KEY": PASSWORD})
    assert ran.exit_code == 0, ran.output


def _said() -> dict[str, object]:
    """What an archiver at work says, all being well."""
    return {
        "database": NAME,
        "server": "ici",
        "safe_until": now().isoformat(),
        "written_at": now().isoformat(),
        "lsn": "0/1",
        "spool_bytes": 0,
    }


@pytest.mark.parametrize(
    "told",
    [
        "[]",
        "null",
        "{}",
        "3",
        '{"spool_bytes": null}',
        '{"safe_until": "hier"}',
        '{"gaps": [{"at": "x", "why": "y"}]}',
    ],
)
def test_an_archive_whose_state_is_damaged_is_an_error_and_no_fault_of_ours(
    tmp_path: Path, told: str
) -> None:
    """Whatever stands in the file: one line, what to do, and its code."""
    (tmp_path / "archive.json").write_text(told)
    if told.startswith('{"'):
        (tmp_path / "archive.json").write_text(json.dumps(_said() | json.loads(told)))
    ran = CliRunner().invoke(command_line(), ["database", "status", str(tmp_path)])
    assert ran.exit_code == 6, ran.output
    assert "archive.json est abîmé" in ran.output


def test_a_hole_is_healed_by_a_base_that_began_after_it_by_one_and_the_same_clock(tmp_path: Path) -> None:
    """A server that is ahead hides no hole; a standby at rest, whose time stands still, heals one all the same."""
    hole = now()
    said = _said() | {"gaps": [{"at": hole.isoformat(), "why": "un trou"}]}
    (tmp_path / "archive.json").write_text(json.dumps(said))
    note_base(tmp_path, hole + timedelta(seconds=60), hole - timedelta(seconds=30))  # ahead
    assert [one["why"] for one in open_gaps(tmp_path)] == ["un trou"]
    (tmp_path / "base.json").unlink()
    note_base(tmp_path, hole - timedelta(hours=2), hole - timedelta(seconds=30))
    note_base(tmp_path, hole - timedelta(hours=2), hole + timedelta(seconds=30))  # at rest
    assert not open_gaps(tmp_path)


def test_a_hole_that_stays_asks_for_a_base_at_intervals_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base that was taken, and did not heal it: the next one is a quarter of an hour away."""
    said = _said() | {"gaps": [{"at": (now() + timedelta(hours=1)).isoformat(), "why": "un trou"}]}
    (tmp_path / "archive.json").write_text(json.dumps(said))
    vault = fresh(tmp_path / "vault")
    taken = tmp_path / "taken"
    post = HistoryPost(
        DatabasePost(NAME, Server("127.0.0.1", 1, "nobody", "", ""), tmp_path),
        lambda: vault,
        ["sh", "-c", f"echo x >> {taken}"],
        [],
        ["true"],
        clock_time(3),
        "Europe/Paris",
    )
    bases = _Bases(post)
    for _ in range(5):
        bases._tick(threading.Event())
    assert taken.read_text() == "x\n"
    monkeypatch.setattr(history, "_AGAIN", timedelta(0))
    bases._tick(threading.Event())
    assert taken.read_text() == "x\nx\n"


def test_a_list_that_cannot_be_read_hides_nothing_else_of_an_archive(tmp_path: Path) -> None:
    """Until when all is safe is said, and that the list is not read is one trouble beside it."""
    (tmp_path / "archive.json").write_text(json.dumps(_said()))
    note_base(tmp_path, now(), now())
    ran = CliRunner().invoke(command_line(), ["database", "status", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    base = (tmp_path / "base.json").read_bytes()
    (tmp_path / "base.json").write_text("rien de bon")
    ran = CliRunner().invoke(command_line(), ["database", "status", str(tmp_path)])
    assert ran.exit_code == 3, ran.output
    assert "à l'abri dans le coffre jusqu'au" in ran.output
    assert "base.json ne se lit pas" in ran.output
    (tmp_path / "base.json").write_bytes(base)
    (tmp_path / "register.sqlite3").write_bytes(b"rien de bon" * 1000)
    ran = CliRunner().invoke(command_line(), ["database", "status", str(tmp_path)])
    assert ran.exit_code == 3, ran.output
    assert "à l'abri dans le coffre jusqu'au" in ran.output
    assert "la liste des instantanés ne se lit pas : le registre de" in ran.output


def test_the_status_of_an_archive_tells_what_its_vault_lost(hasty: Archive) -> None:
    """Code 3, and the line; a person who knows of it takes note, and it is well again."""
    hasty.start()
    hasty.base()
    hasty.until_safe(hasty.write("a"))
    state = hasty.state
    code, said = hasty.run("forget", "--state", str(state), "--yes")
    assert code == 0, said
    code, said = hasty.status()
    assert (code, said["missing"]) == (0, [])
    assert said["listed"] >= 2
    lost = next(one for one in Catalogue(reopened(hasty.vault), NAME).look() if isinstance(one, Chapter))
    reopened(hasty.vault).store.remove(Kind.SNAPSHOTS, lost.snapshot.id)
    hasty.run("forget", "--state", str(state))
    code, said = hasty.status()
    assert code == 3
    assert [lost.snapshot.id[:8] in line for line in said["missing"]] == [True]


def test_clocks_that_disagree_remove_nothing(
    hour_old: Writing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relief whose clock runs a quarter of an hour ahead would take what just came for old: it says so instead."""
    state = tmp_path / "ménage"
    assert _forgotten(hour_old, state) == 0
    for ahead in (timedelta(minutes=15), timedelta(minutes=-15)):
        monkeypatch.setattr(expiry, "_now", lambda ahead=ahead: now() + ahead)
        for place in (state, tmp_path / f"neuf {ahead}"):  # beside the list, and beside the store alone
            place.mkdir(exist_ok=True)
            with pytest.raises(Refused) as refused:
                _forgotten(hour_old, place)
            assert refused.value.code == "clock-doubtful"
    assert len(of_scope(hour_old.vault, "database=dossiers")) == 6


@contextmanager
def _at_work(post: HistoryPost) -> Iterator[threading.Thread]:
    """Bases and thinnings as they are due; they end with their owner."""
    over = threading.Event()
    bases = _Bases(post)
    thread = threading.Thread(target=bases.run, args=(over,))
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        bases.stop()
        thread.join(10)
    assert not thread.is_alive()


def test_a_history_is_thinned_while_a_base_takes_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thinning is started again and again beside a base that does not end, and ends with its owner."""
    monkeypatch.setattr(history, "_LOOK", 0.1)
    monkeypatch.setattr(history, "_FIRST_THINNING", 0.0)
    monkeypatch.setattr(thinner_room, "EVERY", 0.2)
    (tmp_path / "archive.json").write_text(json.dumps(_said()))
    vault = fresh(tmp_path / "vault")
    begun, thinned = tmp_path / "begun", tmp_path / "thinned"
    post = HistoryPost(
        DatabasePost(NAME, Server("127.0.0.1", 1, "nobody", "", ""), tmp_path),
        lambda: vault,
        ["sh", "-c", f"echo x >> {begun}; exec sleep 600"],
        ["sh", "-c", f"echo x >> {thinned}"],
        [],
        clock_time(3),
        "Europe/Paris",
    )
    with _at_work(post):
        until(begun.exists)
        before = len(thinned.read_text()) if thinned.exists() else 0
        until(lambda: thinned.exists() and len(thinned.read_text()) >= before + 6)
        assert begun.read_text() == "x\n"


def test_what_fails_beside_an_archiver_is_told_and_never_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base that fails, a thinning that has something to say, a program that cannot be started; then all is well."""
    monkeypatch.setattr(history, "_LOOK", 0.05)
    monkeypatch.setattr(history, "_SOON", timedelta(seconds=0.1))
    monkeypatch.setattr(history, "_TRY_AGAIN", timedelta(seconds=0.1))
    monkeypatch.setattr(history, "_FIRST_THINNING", 0.0)
    monkeypatch.setattr(thinner_room, "EVERY", 0.1)
    (tmp_path / "archive.json").write_text(json.dumps(_said()))
    vault = fresh(tmp_path / "vault")
    program = tmp_path / "program"

    def becomes(script: str) -> None:
        (tmp_path / "new").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "new").chmod(0o755)
        (tmp_path / "new").rename(program)

    post = HistoryPost(
        DatabasePost(NAME, Server("127.0.0.1", 1, "nobody", "", ""), tmp_path),
        lambda: vault,
        [str(program), "base"],
        [str(program), "forget"],
        [str(program), "verify"],
        clock_time(3),
        "Europe/Paris",
    )
    with _at_work(post) as thread:
        time.sleep(0.3)  # there is no such program yet
        assert thread.is_alive()
        becomes("[ $1 = base ] && exit 5; exit 3")  # without a base, nothing is tried
        until(lambda: len(history.read_failures(tmp_path)) == 2)
        said = "".join(history.read_failures(tmp_path))
        assert "code 5" in said
        assert "code 3" in said
        becomes("[ $1 = verify ] && exit 4; exit 0")
        until(
            lambda: [line for line in history.read_failures(tmp_path) if "essai" in line and "code 4" in line]
        )
        until(lambda: len(history.read_failures(tmp_path)) == 1)
        becomes("exit 0")
        until(lambda: not history.read_failures(tmp_path))


def test_what_is_kept_is_tried_after_the_first_base_then_once_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that is a night old is not made again; one of eight nights is."""
    monkeypatch.setattr(history, "_LOOK", 0.02)
    (tmp_path / "archive.json").write_text(json.dumps(_said()))
    vault = fresh(tmp_path / "vault")
    tried = tmp_path / "tried"
    post = HistoryPost(
        DatabasePost(NAME, Server("127.0.0.1", 1, "nobody", "", ""), tmp_path),
        lambda: vault,
        ["true"],
        [],
        ["sh", "-c", f"echo x >> {tried}"],
        clock_time(3),
        "Europe/Paris",
    )
    bases = _Bases(post)
    over = threading.Event()
    bases._tick(over)  # the base
    for age, count in ((None, 1), (1, 1), (5, 1), (8, 2), (1, 2)):
        if age is not None:
            note_trial(tmp_path, datetime.now(UTC) - timedelta(days=age), {})
        bases._tick(over)
        assert len(tried.read_text().splitlines()) == count, age
