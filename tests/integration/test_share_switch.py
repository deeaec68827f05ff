"""A share protected, switched, brought back: the engine of files and its two keepers, for real."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releve.adapters.engines.files.alert import Alert
from releve.adapters.engines.files.alert import read as read_alert
from releve.adapters.engines.files.alert import write as write_alert
from releve.adapters.engines.files.following import Position
from releve.adapters.engines.files.marks import Snapshots
from releve.adapters.engines.files.writers import Look
from releve.domain.errors import Refused, Unreachable
from releve.domain.plan import ProtectionMode
from releve.domain.protection import ServerState, Tenure
from releve.entrypoints.worker import keeper
from tests.keepers import HERE, THERE, TwoEnds, two_ends
from tests.vaults import now


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[TwoEnds]:
    """A share that nobody protects yet."""
    with two_ends(tmp_path) as made:
        yield made


def test_a_share_goes_there_and_back_and_loses_nothing(rig: TwoEnds) -> None:
    """Protected, switched with its last document, worked on there, and brought back as planned."""
    rig.write(HERE, "avant", "un")
    rig.protect()
    engine = rig.engine
    assert engine.rebuild(THERE, HERE) == "already"
    source, copy = engine.facts(HERE), engine.facts(THERE)
    assert (source.state, copy.state, copy.following) == (ServerState.OPEN, ServerState.CLOSED, HERE)
    assert (rig.mode_of(HERE), rig.mode_of(THERE)) == (0o775, 0o700)
    rig.write(HERE, "dernier")

    fenced = engine.fence(HERE)
    assert fenced.state is ServerState.STOPPED
    assert rig.mode_of(HERE) == 0o700
    assert engine.drained(THERE, fenced.position, 5.0)
    first = Tenure("documents", 1, THERE, "bascule-1")
    took = engine.promote(THERE, first)
    assert engine.promote(THERE, first) == took
    with pytest.raises(Refused):
        engine.promote(THERE, Tenure("documents", 0, THERE, "ancienne"))
    with pytest.raises(Refused):
        engine.promote(THERE, Tenure("documents", 1, THERE, "une autre"))
    facts = engine.facts(THERE)
    assert (facts.state, facts.epoch, facts.epoch_site) == (ServerState.OPEN, 1, THERE)
    assert rig.names(THERE) == {"avant", "dernier"}
    assert rig.mode_of(THERE) == 0o775, "its users find it as they knew it"
    rig.write(THERE, "pendant")

    assert engine.survey(HERE, THERE, str(rig.base / HERE / "aside")).transactions == 0
    assert engine.rebuild(HERE, THERE) == "already"
    engine.arm(THERE)
    engine.ease_stop(THERE)
    last = engine.fence(THERE)
    with pytest.raises(Unreachable):
        engine.ease_stop(THERE)
    assert engine.drained(HERE, last.position, 5.0)
    engine.promote(HERE, Tenure("documents", 2, HERE, "retour-1"))
    assert rig.names(HERE) == {"avant", "dernier", "pendant"}
    assert engine.rebuild(THERE, HERE) == "rewind"
    rig.write(HERE, "après")
    rig.until_equal()


def test_what_only_the_old_side_had_is_put_aside_and_listed(rig: TwoEnds) -> None:
    """The old side goes on alone after a cut; at the return its own documents stand in a dated folder."""
    rig.write(HERE, "commun", "un")
    rig.write(HERE, "change", "avant")
    rig.protect()
    rig.stop(HERE)  # cut off: nothing of it reaches the vault any more
    rig.write(HERE, "perdu/seul ici", "écrit pendant la coupure")
    rig.write(HERE, "change", "après, ici")
    rig.engine.promote(THERE, Tenure("documents", 1, THERE, "bascule"))
    rig.write(THERE, "gardé")
    rig.start(HERE)
    rig.engine.close(HERE)
    assert rig.mode_of(HERE) == 0o700
    aside = rig.base / HERE / "aside"
    found = rig.engine.survey(HERE, THERE, str(aside))
    assert (found.whole, found.transactions) == (True, 2)
    assert found.rows == ((".", 1), ("perdu", 1))
    assert rig.engine.survey(HERE, THERE, str(aside)) == found
    assert (aside / "perdu/seul ici").read_text() == "écrit pendant la coupure"
    assert (aside / "change").read_text() == "après, ici"
    assert rig.engine.rebuild(HERE, THERE) == "already"
    rig.engine.arm(THERE)
    rig.until_equal()
    assert (rig.roots[HERE] / "change").read_text() == "avant"


def test_an_old_side_that_nobody_closed_yet_is_closed_before_it_is_looked_at(rig: TwoEnds) -> None:
    """It came back a moment ago, open as it was, and its guard was not there yet: a return waits for nobody."""
    rig.write(HERE, "commun")
    rig.protect()
    rig.stop(HERE)
    rig.write(HERE, "seul ici")
    rig.engine.promote(THERE, Tenure("documents", 1, THERE, "bascule"))
    rig.start(HERE)
    assert rig.mode_of(HERE) == 0o775
    found = rig.engine.survey(HERE, THERE, str(rig.base / HERE / "aside"))
    assert found.transactions == 1
    assert rig.mode_of(HERE) == 0o700
    assert rig.names(HERE) == {"commun"}


def test_a_keeper_that_is_only_being_started_is_waited_for(rig: TwoEnds) -> None:
    """A machine that comes back starts its worker, which starts the keeper: that may take longer than a silence."""
    rig.write(HERE, "un")
    rig.start(HERE)
    rig.engine.prepare(HERE)
    (rig.states[THERE]).mkdir(parents=True)
    late = threading.Timer(7.0, rig.start, [THERE])
    late.start()
    assert rig.engine.rebuild(THERE, HERE) == "clone"
    late.join()
    rig.engine.arm(HERE)


def test_a_guard_that_looked_too_early_takes_no_order_of_a_run_away(rig: TwoEnds) -> None:
    """It saw a folder open, and then the order to follow came: the folder is barred, and the copy goes on."""
    rig.write(HERE, "un")
    rig.roots[THERE].mkdir(parents=True)
    rig.roots[THERE].chmod(0o755)
    rig.start(HERE)
    rig.engine.prepare(HERE)
    assert rig.engine.facts(THERE).state is ServerState.OPEN
    following = threading.Thread(target=rig.engine.rebuild, args=(THERE, HERE))
    following.start()
    rig.until((rig.states[THERE] / "order.json").exists)
    rig.engine.close(THERE)
    assert rig.mode_of(THERE) == 0o700
    rig.start(THERE)
    following.join(30.0)
    assert not following.is_alive()
    rig.until_equal()


@pytest.mark.needs("root", "setpriv")
@pytest.mark.parametrize("silent", [False, True], ids=["its keeper", "its host, the keeper being silent"])
def test_a_folder_is_barred_to_its_owner_too(silent: bool) -> None:
    """The account under which people work owns the folder: barred, it may not write; opened, it owns it again."""
    with tempfile.TemporaryDirectory(prefix="rlv-") as base, two_ends(Path(base)) as rig:
        Path(base).chmod(0o755)
        os.chown(rig.roots[HERE], 65534, 65534)
        rig.roots[HERE].chmod(0o750)
        people = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "touch"]
        saves = lambda site, name: (
            not subprocess.run([*people, rig.roots[site] / name], check=False).returncode
        )
        rig.protect()
        assert saves(HERE, "un")
        if silent:
            rig.stop(HERE)
            with pytest.raises(Unreachable):
                rig.engine.fence(HERE)
            rig.start(HERE)
        rig.engine.fence(HERE)
        assert not saves(HERE, "deux")
        rig.engine.promote(THERE, Tenure("documents", 1, THERE, "bascule"))
        assert rig.mode_of(THERE) == 0o750
        assert saves(THERE, "trois")
        rig.engine.rebuild(HERE, THERE)
        assert not saves(HERE, "quatre")
        rig.until_equal()
        last = rig.engine.fence(THERE)
        assert not saves(THERE, "cinq")
        assert rig.engine.drained(HERE, last.position, 5.0)
        rig.engine.promote(HERE, Tenure("documents", 2, HERE, "retour"))
        assert saves(HERE, "six")
        facts = rig.roots[HERE].stat()
        assert (facts.st_uid, facts.st_gid, rig.mode_of(HERE)) == (65534, 65534, 0o750)


def test_a_lost_disk_is_unknown_and_is_filled_again(rig: TwoEnds) -> None:
    """With the folder gone there is no fence of ours; then the new, empty machine is filled from the vault."""
    rig.write(HERE, "un")
    rig.protect()
    rig.lose_disk(HERE)
    assert rig.engine.facts(HERE).state is ServerState.UNKNOWN
    with pytest.raises(Unreachable):
        rig.engine.fence(HERE)
    rig.engine.promote(THERE, Tenure("documents", 1, THERE, "bascule"))
    rig.write(THERE, "deux")
    rig.start(HERE)
    found = rig.engine.survey(HERE, THERE, str(rig.base / HERE / "aside"))
    assert (found.transactions, found.whole) == (0, False)
    assert found.note
    rig.engine.rebuild(HERE, THERE)
    rig.engine.arm(THERE)
    assert rig.names(HERE) == {"un", "deux"}


def test_an_open_share_is_never_rebuilt_nor_surveyed(rig: TwoEnds) -> None:
    """What people still work in is not touched: fence it first."""
    rig.write(HERE, "un")
    rig.protect()
    with pytest.raises(Refused):
        rig.engine.rebuild(HERE, THERE)
    with pytest.raises(Refused):
        rig.engine.survey(HERE, THERE, str(rig.base / "aside"))
    assert rig.names(HERE) == {"un"}


def test_a_silent_keeper_does_not_keep_a_folder_open(rig: TwoEnds) -> None:
    """The folder is barred all the same, but nobody saw that nothing is written any more: it is no fence."""
    rig.write(HERE, "un")
    rig.protect()
    rig.stop(HERE)
    rig.write(HERE, "pas encore capturé")
    with pytest.raises(Unreachable):
        rig.engine.fence(HERE)
    assert rig.engine.facts(HERE).state is ServerState.STOPPED
    assert rig.mode_of(HERE) == 0o700
    with pytest.raises(Refused):
        rig.engine.open(HERE, 7)
    rig.start(HERE)
    rig.engine.open(HERE, 0)
    assert rig.mode_of(HERE) == 0o775
    rig.until_equal()


def test_a_promotion_without_the_vault_opens_the_copy_as_it_is(rig: TwoEnds) -> None:
    """The vault burnt with the main site: the copy opens at the snapshot that it had, its rights included."""
    rig.write(HERE, "un")
    rig.protect()
    rig.stop(HERE)
    rig.stop(THERE)
    shutil.move(rig.base / "vault", rig.base / "vault.brûlé")
    rig.start(THERE)
    rig.engine.promote(THERE, Tenure("documents", 1, THERE, "bascule"))
    assert (rig.mode_of(THERE), rig.names(THERE)) == (0o775, {"un"})
    shutil.move(rig.base / "vault.brûlé", rig.base / "vault")
    rig.write(THERE, "deux")
    rig.until(lambda: any(mark.epoch == 1 for mark, _ in Snapshots(rig.open_vault(), "documents").look()))


def test_a_file_still_held_open_keeps_the_share_from_being_seen_closed(rig: TwoEnds) -> None:
    """Barring takes back nothing that was given before: who still writes is named, and it is no fence."""
    rig.write(HERE, "un")
    rig.protect()
    program = "import sys; f = open(sys.argv[1], 'a'); print('ouvert', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", program, str(rig.roots[HERE] / "un")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(Unreachable, match="python"):
            rig.engine.fence(HERE)
        writer.communicate()
    assert rig.engine.fence(HERE).position > 0


def test_a_program_that_holds_a_name_that_is_no_text_is_named_too(rig: TwoEnds) -> None:
    """A name from another system, in bytes that are no UTF-8: the keeper says it, lives on, and closes at last."""
    rig.protect()
    name = os.fsdecode(b"\xe9t\xe9.txt")
    (rig.roots[HERE] / name).write_text("x")
    program = "import sys; f = open(sys.argv[1], 'a'); print('ouvert', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", program, str(rig.roots[HERE] / name)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(Unreachable, match=r"xe9t.xe9\.txt") as refused:
            rig.engine.fence(HERE)
        refused.value.sentence.encode()
        writer.communicate()
    assert rig.engine.fence(HERE).position > 0


def test_a_daily_share_takes_one_snapshot_when_told(tmp_path: Path) -> None:
    """Nothing is captured by itself; one order is one snapshot, which the copy then follows."""
    with two_ends(tmp_path, ProtectionMode.DAILY) as rig:
        rig.write(HERE, "un")
        for site in (HERE, THERE):
            rig.start(site)
        rig.engine.prepare(HERE)
        assert Snapshots(rig.open_vault(), "documents").look() == []
        saved = rig.engine.save(HERE)
        assert saved.position == 1
        rig.engine.rebuild(THERE, HERE)
        rig.until_equal()
        rig.write(HERE, "deux")
        assert rig.engine.save(HERE).position == 2
        rig.until_equal()


def test_an_alert_is_shown_where_a_person_looks(rig: TwoEnds) -> None:
    """What looks like an attack stops the copy; the facts of that end say so until a person has decided."""
    for number in range(30):
        rig.write(HERE, f"{number}.txt", "nom, prénom, chambre\n" * 60)
    rig.protect()
    assert rig.engine.facts(THERE).warnings == ()
    for number in range(30):
        (rig.roots[HERE] / f"{number}.txt").write_bytes(os.urandom(2000))
    rig.until(lambda: any("ALERTE" in said for said in rig.engine.facts(THERE).warnings))
    alert = rig.states[THERE] / "alert.json"
    found = read_alert(alert)
    assert found is not None
    write_alert(alert, replace(found, decision="resume", by="directrice"))
    rig.until(lambda: rig.engine.facts(THERE).warnings == ())
    rig.until_equal()


def test_a_keeper_that_may_not_look_at_every_program_still_takes_the_last_look(
    rig: TwoEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not root: the folder is not seen closed, yet what was saved just before is in the copy, and nothing spins."""
    rig.write(HERE, "un")
    rig.protect()
    looks: list[bytes] = []

    def hidden(root: bytes) -> Look:
        looks.append(root)
        return Look((), 3)

    monkeypatch.setattr(keeper, "open_writers", hidden)
    rig.write(HERE, "juste avant")
    with pytest.raises(Unreachable, match="n'est pas root"):
        rig.engine.fence(HERE)
    rig.until(lambda: "juste avant" in rig.names(THERE))
    before, begun = len(looks), time.monotonic()
    rig.until(lambda: len(looks) > before + 1)
    assert len(looks) - before <= 5 * max(time.monotonic() - begun, 1.0)
    monkeypatch.undo()
    assert rig.engine.fence(HERE).position > 0


def test_what_a_copy_could_not_be_given_is_shown_where_a_person_looks(
    rig: TwoEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without attributes under the copy: a remark of that end, until everything was compared again."""

    def refused(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    rig.write(HERE, "un")
    rig.protect()
    ours = os.setxattr
    monkeypatch.setattr(os, "setxattr", refused)
    ours(rig.roots[HERE] / "un", "user.secret", b"oui")
    rig.until(lambda: any("pas reçu tous leurs droits" in one for one in rig.engine.facts(THERE).warnings))


def test_an_alert_ends_with_its_epoch_and_a_return_is_followed(rig: TwoEnds) -> None:
    """Decided "back", it is shown as long as the copy stays behind; a promotion ends it, and keeps what it said."""
    rig.write(HERE, "un")
    rig.protect()
    alert = rig.states[THERE] / "alert.json"
    clean = rig.engine.facts(THERE)
    assert clean.warnings == ()
    position = Position.read(rig.states[THERE] / "position.json")
    assert position is not None
    write_alert(alert, Alert("essai", now().isoformat(), position.snapshot, (), "back", "directrice"))
    rig.until(lambda: any("directrice" in said for said in rig.engine.facts(THERE).warnings))
    rig.engine.fence(HERE)
    rig.engine.promote(THERE, Tenure("documents", 1, THERE, "bascule"))
    assert not alert.exists()
    kept = read_alert(rig.states[THERE] / "alert-before-1.json")
    assert kept is not None
    assert kept.by == "directrice"
    rig.write(THERE, "deux")
    rig.engine.survey(HERE, THERE, str(rig.base / HERE / "aside"))
    rig.engine.rebuild(HERE, THERE)
    rig.engine.arm(THERE)
    last = rig.engine.fence(THERE)
    assert rig.engine.drained(HERE, last.position, 5.0)
    rig.engine.promote(HERE, Tenure("documents", 2, HERE, "retour"))
    rig.engine.rebuild(THERE, HERE)
    rig.write(HERE, "trois")
    rig.until_equal()
    assert rig.names(THERE) == {"un", "deux", "trois"}
