"""`releve database`: what PostgreSQL acknowledged is in the vault, and comes back as it was at an instant."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, Chapter
from releve.adapters.survey.copies import data_set_copies, vault_at
from releve.adapters.vault.verify import verify
from releve.domain.plan import SecretRef, VaultPlace
from releve.domain.seen import Copy
from releve.entrypoints.worker import history_status
from releve.entrypoints.worker.database import read_archive, slot_of
from tests.archives import NAME, Archive, archive, receivers
from tests.fakes.ledger import FakeLedger
from tests.fakes.looks import Looks
from tests.fakes.plans import data_set
from tests.integration import pg
from tests.integration.pg import no_templates_left  # noqa: F401
from tests.vaults import PASSWORD, fresh, reopened
from tests.waiting import until

MANY = [f"d{number:02}" for number in range(20)]


@dataclass(frozen=True)
class Story:
    """A server that was archived, and stopped: a base; a, b; an instant; c, MANY; another base; e."""

    rig: Archive
    first: dict[str, object]
    second: dict[str, object]
    between: datetime
    after: datetime


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Told once; a test that harms the vault takes a copy of it."""
    with archive() as rig:
        archiver = rig.start()
        first = rig.base()
        between = rig.write("a", "b")
        after = rig.write("c")
        rig.server.sql("SELECT pg_switch_wal()")
        rig.until_safe(rig.write(*MANY))
        rig.server.sql("SELECT pg_switch_wal()")
        second = rig.base()
        assert second["base"] != first["base"]
        rig.write("e")
        archiver.send_signal(signal.SIGTERM)
        assert archiver.wait(20) == 0
        assert not receivers(rig.state)
        rig.server.stop()
        yield Story(rig, first, second, between, after)


@pytest.fixture
def copied(story: Story) -> Iterator[Story]:
    """The same story, its vault free to be harmed."""
    whole = story.rig.vault
    story.rig.vault = Path(f"{whole}-copie")
    story.rig.address = str(story.rig.vault)
    shutil.copytree(whole, story.rig.vault)
    yield story
    shutil.rmtree(story.rig.vault)
    story.rig.vault, story.rig.address = whole, str(whole)


@pytest.fixture
def rig() -> Iterator[Archive]:
    """A server and a vault."""
    with archive() as made:
        yield made


def test_a_database_comes_back_as_it_was_between_two_writes(story: Story) -> None:
    """Restored to an instant: what was committed before, and nothing after, and the report says so."""
    code, said = story.rig.restore(story.between.isoformat())
    assert code == 0, said
    assert story.rig.values() == ["a", "b"]
    last, following = (datetime.fromisoformat(said[name]) for name in ("last_commit", "next_commit"))
    assert last <= story.between < following < story.after
    assert said["base"] == story.first["base"]


def test_the_latest_has_all_that_was_said_to_be_safe(story: Story) -> None:
    """An archiver that was told to stop keeps what the server had: the latest state has every row, and proves it."""
    code, said = story.rig.restore("latest", "tout")
    assert code == 0, said
    assert story.rig.values("tout") == ["a", "b", "c", *MANY, "e"]
    assert said["proved_until"] == said["until"] == story.rig.said()["safe_until"]


def test_an_audit_dates_the_copy_by_what_can_be_brought_back(story: Story) -> None:
    """The copy in the vault is as old as the latest instant that it gives back: what the archiver says to be safe."""
    place = VaultPlace(str(story.rig.vault), SecretRef("env", "KEY"))
    found = data_set_copies(
        replace(data_set(NAME), vault={"secours": place}),
        ledger=FakeLedger(),
        end=Looks().facts,
        here="secours",
        vault=lambda wanted: vault_at(wanted, lambda _: PASSWORD),
    )
    (copy,) = [fact for fact in found.facts if isinstance(fact, Copy) and fact.how == "vault"]
    assert copy.found
    assert copy.at is not None
    assert copy.at.isoformat() == story.rig.said()["safe_until"]


def test_what_cannot_be_reached_is_refused_before_anything_is_written(story: Story) -> None:
    """A time after the last proof, or before the first base: refused, with the nearest that can be reached."""
    rig = story.rig
    code, said = rig.restore((story.after + timedelta(hours=1)).isoformat(), "futur")
    assert (code, said["error"]["code"]) == (4, "beyond-archive")
    assert str(rig.said()["safe_until"]) in said["error"]["hint"]
    code, said = rig.restore((story.between - timedelta(days=1)).isoformat(), "passé")
    assert (code, said["error"]["code"]) == (4, "before-first-base")
    assert not (rig.root / "futur").exists()
    assert not (rig.root / "passé").exists()


def test_a_missing_segment_is_named_and_not_passed_over(copied: Story) -> None:
    """Without one WAL file: what came before it can be reached, what came after is refused, and the file is named."""
    rig = copied.rig
    missing = rig.lose_a_segment()
    code, said = rig.run("times")
    (window, _whole) = said["windows"]
    assert window["missing"] == missing
    assert datetime.fromisoformat(window["until"]) < copied.after
    code, said = rig.restore(copied.after.isoformat(), "après")
    assert (code, said["error"]["code"]) == (4, "wal-gap")
    assert missing in said["error"]["message"]
    code, said = rig.restore(window["until"], "avant")
    assert code == 0, said
    assert rig.values("avant") == []
    assert rig.restore("latest", "fin")[0] == 0  # from the base that came after the hole


def test_a_forged_snapshot_is_told_and_all_comes_back(copied: Story) -> None:
    """Somebody who may only add wrote other bytes under every name, and says to go further: the first to come are read."""
    rig = copied.rig
    forged = rig.forge()
    code, said = rig.run("times")
    assert code == 3
    assert {one["other"] for one in said["doubled"]} == {forged}
    code, said = rig.restore(copied.after.isoformat(), "malgré")
    assert code == 0, said
    assert rig.values("malgré") == ["a", "b", "c"]
    assert said["doubled"]
    code, said = rig.run("times", "--without", forged[:8])
    assert (code, said["doubled"]) == (0, [])
    code, said = rig.restore("latest", "sans lui", "--without", forged[:8])
    assert code == 0, said
    assert rig.values("sans lui") == ["a", "b", "c", *MANY, "e"]
    assert rig.run("times", "--without", "0000")[1]["error"]["code"] == "unknown-snapshot"


def test_verify_tries_and_leaves_nothing(story: Story) -> None:
    """A trial restores, opens, reads every row and removes all: its answer is a dated fact."""
    rig = story.rig
    room = rig.root / "room"
    room.mkdir(mode=0o755)
    code, said = rig.run("verify", "--workroom", str(room), "--read-all", *rig.account())
    assert code == 0, said
    assert said["base"] == story.second["base"]
    assert said["databases"] == ["dossiers", "postgres", "template1"]
    assert "lecture de toutes les lignes" in said["checks"]
    assert datetime.fromisoformat(said["verified_at"]) > datetime.fromisoformat(said["last_commit"])
    assert list(room.iterdir()) == []


def test_a_trial_that_brings_back_less_than_what_was_said_to_be_safe_fails(story: Story) -> None:
    """Whatever the vault says of itself: what the archiver had promised is what is tried, and nothing is noted."""
    rig, state = story.rig, story.rig.root / "promesse"
    state.mkdir()
    said = {**rig.said(), "safe_until": (story.after + timedelta(hours=1)).isoformat()}
    (state / "archive.json").write_text(json.dumps(said))
    code, told = rig.run("verify", "--workroom", str(rig.root), "--state", str(state), *rig.account())
    assert (code, told["error"]["code"]) == (3, "trial-short"), told
    assert not (state / "verified.json").exists()
    assert not (state / "trial.room").exists()


def test_names_that_differ_have_slots_that_differ() -> None:
    """However alike they are once PostgreSQL takes them; each is a name that it takes."""
    names = ["paie", "Paie", "PAIE 2026", "paie_2026", "paie-2026", "été", "x" * 60, "x" * 61]
    slots = {slot_of(one) for one in names}
    assert len(slots) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]{1,63}", one) for one in slots)
    assert slot_of("dossiers") == "releve_archive_dossiers"


def test_a_trial_is_noted_and_one_that_was_killed_is_cleared_away(story: Story) -> None:
    """Told by the status; killed, its folder goes with the next one; ended in order, nothing stays, its server neither."""
    rig = story.rig
    room = rig.root / "essais"
    room.mkdir(mode=0o755)
    argv = ["verify", "--workroom", str(room), "--state", str(rig.state), *rig.account()]
    command = [*rig.releve, "database", argv[0], rig.address, "-d", NAME, *argv[1:]]
    elsewhere = rig.root / "tmp"
    elsewhere.mkdir(mode=0o1777)

    def cut(number: signal.Signals) -> None:
        environment = {**rig.environment(), "TMPDIR": str(elsewhere)}
        with subprocess.Popen(command, env=environment, stdout=-3, stderr=-3) as trial:
            until(lambda: bool(list(room.glob("*/restore.log")) or list(room.glob("*/base/restore.log"))), 60)
            trial.send_signal(number)

    cut(signal.SIGKILL)
    (left,) = room.iterdir()
    assert rig.status()[1]["verified_at"] is None
    code, said = rig.run(*argv)
    assert code == 0, said
    assert not left.exists()
    assert rig.status()[1]["verified_at"] == said["verified_at"]
    cut(signal.SIGTERM)
    assert list(room.iterdir()) == []
    assert list(elsewhere.iterdir()) == []
    assert not [line for line in _commands() if str(room) in line and str(left) not in line]
    assert rig.status()[1]["verified_at"] == said["verified_at"]


def _commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_a_trial_without_room_for_it_is_refused(story: Story) -> None:
    """A small disk is not filled by what nobody watches: what is needed and what there is are said."""
    rig = story.rig
    room = rig.root / "petit"
    room.mkdir()
    command = [*rig.releve, "database", "verify", rig.address, "-d", NAME, "--workroom", str(room), "--json"]
    script = f'mount -t tmpfs -o size=1m essai {room} && exec "$@"'
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        env=rig.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 4, ran.stderr
    assert json.loads(ran.stdout)["error"]["code"] == "workroom-small"


def test_old_bases_and_their_wal_go_and_what_is_kept_still_comes_back(copied: Story) -> None:
    """Forgetting shows first; then the old base goes, and what the last one needs stays."""
    rig = copied.rig
    options = ["--state", str(rig.root / "ménage"), "--keep-last", "1", "--minimum-age", "0"]
    code, shown = rig.run("forget", *options)
    assert code == 0, shown
    assert [one["snapshot"] for one in shown["rulings"] if not one["keep"]] == [copied.first["snapshot"]]
    assert len(rig.run("times")[1]["windows"]) == 2
    assert rig.run("forget", *options, "--yes")[0] == 0
    assert [one["snapshot"] for one in rig.run("times")[1]["windows"]] == [copied.second["snapshot"]]
    code, said = rig.restore("latest", "gardé")
    assert code == 0, said
    assert rig.values("gardé") == ["a", "b", "c", *MANY, "e"]


def test_killed_at_any_moment_the_archiver_loses_nothing_it_said_was_safe(rig: Archive) -> None:
    """Kill -9 of the archiver again and again while people write: everything below its last word comes back."""
    rig.base()
    safe: list[str] = []
    written: list[tuple[str, datetime]] = []
    for number in range(5):
        archiver = rig.start()
        for step in range(4 + 3 * number):
            value = f"{number}-{step:02}"
            written.append((value, rig.write(value)))
            if step == 2:
                rig.server.sql("SELECT pg_switch_wal()")
        if number % 2:
            until(lambda: rig.safe(written[0][1]))
        archiver.kill()
        archiver.wait()
        safe = [value for value, at in written if rig.safe(at)]
    assert safe
    rig.server.destroy()
    code, said = rig.restore("latest")
    assert code in {0, 3}, said
    assert set(safe) <= set(rig.values()), (code, said)
    assert verify(reopened(rig.vault)).sound


def test_what_a_link_of_before_received_proves_nothing_after_a_power_cut(rig: Archive) -> None:
    """The machine stops and starts anew, and the server still believes in the link of before: no word of it is taken."""
    archiver = rig.start()
    rig.server.sql("SELECT pg_switch_wal()")
    rig.until_safe(rig.write("un"))
    os.kill(archiver.pid, signal.SIGSTOP)
    at = rig.write("deux")
    received = "SELECT pid FROM pg_stat_replication WHERE write_lsn >= pg_current_wal_flush_lsn()"
    until(lambda: bool(rig.server.sql(received)))
    link = rig.server.sql(received)[0][0]
    os.kill(link, signal.SIGSTOP)
    try:
        archiver.kill()
        archiver.wait()
        assert rig.spool_after_power_cut()
        rig.start()
        until(lambda: "active" in str(rig.said().get("troubled")))
        assert not rig.safe(at)
    finally:
        os.kill(link, signal.SIGCONT)
    rig.until_safe(at)


def test_what_an_archiver_said_stays_said_while_the_next_reaches_no_server(rig: Archive) -> None:
    """Up to when all is safe, and a hole, are facts of the vault; of another vault, nothing is known."""
    archiver = rig.start()
    rig.until_safe(rig.write("a"))
    archiver.kill()
    archiver.wait()
    before = rig.said()
    (rig.state / "gaps.json").write_text(json.dumps([[before["safe_until"], "un trou"]]))
    rig.server.stop()
    archiver = rig.start()
    until(lambda: bool(rig.said()["troubled"]))
    names = ("safe_until", "lsn", "timeline", "snapshot")
    assert [rig.said()[name] for name in names] == [before[name] for name in names]
    assert [one["why"] for one in rig.said()["gaps"]] == ["un trou"]
    archiver.kill()
    archiver.wait()
    rig.address = str(rig.root / "autre coffre")
    fresh(Path(rig.address))
    rig.start()
    until(lambda: rig.said()["safe_until"] is None)


def test_a_slot_and_a_state_that_were_lost_leave_a_hole_that_is_said(rig: Archive) -> None:
    """The vault knows up to where it has all: what the server no longer gives after that is a hole, until a base."""
    archiver = rig.start()
    rig.base()
    rig.until_safe(rig.write("avant"))
    archiver.terminate()
    archiver.wait(20)
    rig.server.sql("SELECT pg_drop_replication_slot('releve_archive_dossiers')")
    shutil.rmtree(rig.state)
    for number in range(8):
        rig.write(f"perdu {number}")
        rig.server.sql("SELECT pg_switch_wal()")
    rig.server.sql("CHECKPOINT")
    rig.start()
    rig.until_safe(rig.write("après"))
    code, said = rig.status()
    assert code == 3
    assert len(said["gaps"]) == 1
    rig.base()
    assert rig.status()[1]["gaps"] == []
    rig.until_safe(rig.write("depuis"))
    code, said = rig.restore("latest")
    assert code == 0, said
    assert {"avant", "après", "depuis"} <= set(rig.values())


@pytest.mark.torture
def test_a_timeline_number_that_served_twice_stops_nothing_for_good_and_hides_nothing(rig: Archive) -> None:
    """A relief promoted by mistake, rebuilt under the archiver, and promoted in earnest, on a timeline of the same number."""
    primary, relief = rig.server, rig.standby("secours")
    rig.server = relief
    rig.start()
    primary.sql("INSERT INTO ecrits VALUES ('a', 'essai')")
    until(lambda: rig.said().get("safe_until") is not None)
    rig.base()
    relief.sql("SELECT pg_promote()")
    until(lambda: not relief.sql("SELECT pg_is_in_recovery()")[0][0])
    rig.until_safe(rig.write("abandonné"))
    assert rig.said()["timeline"] == 2
    rig.rebuild(relief, primary)
    until(lambda: len(rig.said()["gaps"]) == 1, 60)  # by itself: its slot is gone, its timeline too
    primary.sql("INSERT INTO ecrits VALUES ('b', 'essai')")
    until(lambda: rig.said()["timeline"] == 1)
    rig.base()
    code, said = rig.run("verify", "--state", str(rig.state), "--workroom", str(rig.root), *rig.account())
    assert (code, said["timeline"]) == (0, 1), said
    primary.sql("INSERT INTO ecrits VALUES ('c', 'essai')")
    last = primary.sql("SELECT pg_current_wal_flush_lsn()::text")[0][0]
    until(lambda: bool(relief.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", last)[0][0]))
    primary.stop()
    relief.sql("SELECT pg_promote()")
    until(lambda: not relief.sql("SELECT pg_is_in_recovery()")[0][0])
    for_good = rig.write("pour de bon")
    until(lambda: "--drop-timeline 2" in rig.said()["troubled"])
    assert rig.status()[0] == 3
    assert not rig.safe(for_good)
    dropping = ["--state", str(rig.root / "ménage"), "--drop-timeline"]
    assert rig.run("forget", *dropping, "1")[1]["error"]["code"] == "timeline-needed"
    assert rig.run("forget", *dropping, "3")[1]["error"]["code"] == "unknown-timeline"
    assert rig.run("forget", *dropping, "2", "--yes")[0] == 0
    rig.until_safe(for_good)
    code, said = rig.restore(for_good.isoformat())
    assert code == 0, said
    assert rig.values() == ["a", "b", "c", "pour de bon"]


def test_a_standby_at_rest_is_not_late_and_one_that_is_cut_off_is(
    rig: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes: the last instant stands still, and all is well. Its server gone, or what came not replayed: it is not."""
    monkeypatch.setattr(history_status, "_STALE", 3.0)
    primary, relief = rig.server, rig.standby("secours")
    written = rig.write("un")
    rig.server = relief
    rig.start()

    def line() -> tuple[bool, str]:
        """Whether it is well, and what is said of how far all is safe."""
        said = history_status.history_status(rig.state, datetime.now(UTC))
        every = [(True, one) for one in said.lines] + [(False, one) for one in said.troubles]
        return next(one for one in every if "l'abri" in one[1] or "transaction" in one[1])

    pg.until(lambda: rig.said().get("safe_until") is not None)
    time.sleep(max(0.0, 4.0 - (datetime.now(UTC) - written).total_seconds()))
    for _ in range(20):
        well, said = line()
        assert well, said
        assert "tout ce qui est venu au secours y est" in said
        time.sleep(0.1)
    relief.sql("SELECT pg_wal_replay_pause()")
    primary.sql("INSERT INTO ecrits VALUES ('deux', 'essai')")
    pg.until(lambda: not line()[0])
    assert "ne rejoue plus ce qu'il reçoit" in line()[1]
    relief.sql("SELECT pg_wal_replay_resume()")
    pg.until(lambda: line()[0])
    primary.stop()
    pg.until(lambda: not line()[0])
    assert "n'est plus relié à son serveur" in line()[1]
    relief.stop()
    relief.start()
    primary.start()
    pg.until(lambda: line()[0])


def test_a_promotion_is_followed_and_crossed(rig: Archive) -> None:
    """The server that was its relief takes over on a new timeline: one restore goes from the old base across it."""
    archiver = rig.start()
    rig.base()
    first = rig.write("avant la bascule")
    rig.until_safe(first)
    relief = rig.standby("secours")
    archiver.kill()
    archiver.wait()
    rig.server.kill()
    relief.sql("SELECT pg_promote()")
    rig.server = relief
    rig.start()
    second = rig.write("après la bascule")
    rig.until_safe(second)
    third = rig.write("plus tard")
    rig.until_safe(third)
    assert rig.said()["timeline"] == 2
    code, said = rig.restore(second.isoformat())
    assert code == 0, said
    assert said["timeline"] == 2
    assert rig.values() == ["après la bascule", "avant la bascule"]


@pytest.mark.torture
def test_old_bases_go_beside_an_archiver_at_work(rig: Archive) -> None:
    """Forgetting shows first; then the old base goes, what the last one needs stays, the archiver at work as well."""
    rig.start()
    first = rig.base()
    rig.until_safe(rig.write("un"))
    second = rig.base()
    rig.until_safe(rig.write("deux"))
    options = ["--state", str(rig.root / "ménage"), "--keep-last", "1", "--minimum-age", "0"]
    code, shown = rig.run("forget", *options)
    assert code == 0, shown
    gone = [one["snapshot"] for one in shown["rulings"] if not one["keep"]]
    assert gone == [first["snapshot"]]
    assert rig.run("times")[1]["windows"][0]["snapshot"] == first["snapshot"]
    assert rig.run("forget", *options, "--yes")[0] == 0
    assert [one["snapshot"] for one in rig.run("times")[1]["windows"]] == [second["snapshot"]]
    rig.until_safe(rig.write("trois"))
    code, said = rig.restore(rig.run("times")[1]["windows"][0]["until"])
    assert code == 0, said
    assert {"un", "deux"} <= set(rig.values())


@pytest.mark.torture
def test_two_servers_under_one_name_are_refused(rig: Archive) -> None:
    """Another server's WAL is never mixed with what the vault keeps under the name."""
    archiver = rig.start()
    rig.until_safe(rig.write("a"))
    archiver.kill()
    archiver.wait()
    vault = reopened(rig.vault)
    kept = [one for one in Catalogue(vault, NAME).look() if isinstance(one, Chapter)]
    other = rig.foreign("autre")
    again = rig.start(other)
    assert again.wait(20) == 4
    assert "database-other" in (rig.root / "archive.log").read_text()
    assert len([one for one in Catalogue(vault, NAME).look() if isinstance(one, Chapter)]) == len(kept)


@pytest.mark.torture
def test_a_server_that_goes_away_is_told_and_taken_up_again(rig: Archive) -> None:
    """While the server is down the archiver says so; when it is back it goes on by itself."""
    rig.start()
    rig.until_safe(rig.write("a"))
    rig.server.stop()
    until(lambda: "pg-silent" in str(rig.said().get("troubled")))
    rig.server.start()
    rig.until_safe(rig.write("b"))
    until(lambda: rig.said()["troubled"] == "")


def test_a_vault_that_takes_nothing_is_told_and_gets_all_once_it_is_back(rig: Archive) -> None:
    """What is received stays in the spool while the vault takes nothing, and goes there once it does."""
    rig.start()
    rig.until_safe(rig.write("a"))
    assert rig.status()[0] == 3, "WAL without a base brings nothing back"
    rig.base()
    assert rig.status()[0] == 0
    away = Path(f"{rig.vault}.away")
    rig.vault.rename(away)
    at = rig.write("b")
    until(lambda: bool(rig.said().get("troubled")))
    assert not rig.safe(at)
    code, said = rig.status()
    assert (code, said["well"]) == (3, False)
    away.rename(rig.vault)
    rig.until_safe(at)
    until(lambda: rig.status()[0] == 0)
    assert verify(reopened(rig.vault)).sound


@pytest.mark.torture
def test_wal_that_the_server_threw_away_is_a_hole_that_is_said() -> None:
    """An archiver away for too long, beside a server that keeps little for it: it goes on, and the hole is named."""
    conf = {"max_slot_wal_keep_size": "2MB"}
    with archive(conf=conf) as rig:
        archiver = rig.start()
        rig.base()
        rig.until_safe(before := rig.write("avant"))
        archiver.kill()
        archiver.wait()
        for number in range(12):
            rig.write(f"perdu {number}")
            rig.server.sql("SELECT pg_switch_wal()")
        rig.server.sql("CHECKPOINT")
        archiver = rig.start()
        rig.until_safe(rig.write("après"))
        assert rig.said()["gaps"]
        archiver.kill()  # what it knew of the hole is known to the next one
        archiver.wait()
        rig.start()
        rig.until_safe(rig.write("plus tard"))
        code, said = rig.status()
        assert (code, len(said["gaps"])) == (3, 1)
        assert rig.run("times")[1]["windows"][0]["missing"]
        second = rig.base()
        rig.until_safe(rig.write("fin"))
        code, said = rig.status()
        assert (code, said["gaps"]) == (0, []), "a base taken since heals it"
        (old, new) = rig.run("times")[1]["windows"]
        assert (new["base"], new["missing"]) == (second["base"], None)
        code, said = rig.restore(old["until"], "avant")
        assert code == 0, said
        assert datetime.fromisoformat(old["until"]) >= before
        assert rig.values("avant") == ["avant"]


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["wheel18", "debian15"])
def test_a_server_promoted_under_the_archiver_is_followed(kind: str) -> None:
    """The archiver stands on the relief itself: when that is promoted it goes on, on the new timeline."""
    with archive(kind) as rig:
        relief = rig.standby("secours")
        primary, rig.server = rig.server, relief
        primary.sql("INSERT INTO ecrits VALUES ('tôt', 'x')")
        until(lambda: relief.sql("SELECT pg_last_xact_replay_timestamp()")[0][0] is not None)
        rig.start()
        rig.base()
        primary.sql("INSERT INTO ecrits VALUES ('avant', 'x')")
        until(lambda: rig.said().get("lsn") is not None)
        end = primary.sql("SELECT pg_current_wal_flush_lsn()::text")[0][0]
        until(lambda: relief.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", end)[0][0])
        primary.kill()
        relief.sql("SELECT pg_promote()")
        rig.until_safe(rig.write("après"))
        assert rig.said()["timeline"] == 2
        code, said = rig.restore(rig.run("times")[1]["windows"][0]["until"])
        assert code == 0, said
        assert sorted(rig.values()) == ["après", "avant", "tôt"]


@pytest.mark.torture
def test_both_killed_at_random_moments_nothing_said_to_be_safe_is_lost(rig: Archive) -> None:
    """Archiver and receiver killed at random for a while under load; the seed is in the rows, and shown by a failure."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    rig.base()
    written: list[tuple[str, datetime]] = []
    sure: str | None = None
    for number in range(25):
        archiver = rig.start(every=0.2)
        if number % 5 == 0:
            rig.until_safe()
        end = time.monotonic() + chance.uniform(0.1, 3.0)
        step = 0
        while time.monotonic() < end:
            value = f"{seed}-{number:02}-{step:05}"
            written.append((value, rig.write(value)))
            step += 1
            if chance.random() < 0.02:
                rig.server.sql("SELECT pg_switch_wal()")
        for pid in receivers(rig.state):
            if chance.random() < 0.5:
                os.kill(pid, signal.SIGKILL)
        archiver.kill()
        archiver.wait()
        told = rig.said().get("safe_until")
        assert sure is None or (told is not None and told >= sure)
        sure = told
    safe = {value for value, at in written if rig.safe(at)}
    assert safe
    rig.server.destroy()
    code, said = rig.restore("latest")
    assert code in {0, 3}, said
    assert safe <= set(rig.values())
    assert verify(reopened(rig.vault)).sound


@pytest.mark.torture
@pytest.mark.needs("mount-namespace")
def test_a_spool_that_is_full_is_told_and_empties_once_the_vault_takes_it(rig: Archive) -> None:
    """While the vault is away the spool fills its disk: said; the server keeps the rest, and nothing is missing after."""
    rig.state.mkdir()
    rig.base()
    away = Path(f"{rig.vault}.away")
    archiver = rig.start(within="mount -t tmpfs -o size=5m tmpfs")
    inside = Path(f"/proc/{archiver.pid}/root{rig.state}")
    until((inside / "archive.json").exists)
    until(lambda: bool(read_archive(inside).get("safe_until")))
    rig.vault.rename(away)
    for number in range(10):
        at = rig.write(f"v{number}")
        rig.server.sql("SELECT pg_switch_wal()")
    until(lambda: "plein" in (rig.root / "archive.log").read_text())
    away.rename(rig.vault)
    until(lambda: str(read_archive(inside).get("safe_until")) >= at.isoformat(), 60)
    archiver.send_signal(signal.SIGTERM)
    assert archiver.wait(20) == 0
    code, said = rig.restore("latest")
    assert code == 0, said
    assert rig.values() == [f"v{number}" for number in range(10)]
