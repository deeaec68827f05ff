"""The relief's list of snapshots beside a real vault: what a store lost, hid or brought back is revealed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from releve.adapters.engines.files.marks import Mark, Snapshots
from releve.adapters.engines.postgresql.archive.marks import WalMark
from releve.adapters.vault.repository import snapshot_value
from releve.adapters.vault.saving import save
from releve.adapters.vault.store import Kind
from releve.cycle.protect.register import SETTLED
from releve.cycle.protect.retention import Flow, thin
from releve.domain.errors import PromiseBroken, Refused
from releve.entrypoints.cli.root import command_line
from releve.entrypoints.worker import register
from releve.entrypoints.worker.register import Watch, head_of, of_scope, read_roll
from tests.keepers import HERE, THERE, two_ends
from tests.shares import Rig
from tests.vaults import PASSWORD, fresh, now, reopened
from tests.waiting import until


class Relief:
    """A share that was saved four times, and the relief's list of it."""

    def __init__(self, base: Path) -> None:
        self.rig = Rig(base, "inotify")
        self.state = base / "state"
        self.later = timedelta()
        for number in range(4):
            self.save(str(number))
        self.look()

    def now(self) -> datetime:
        """The relief's clock: the machine's, and what a test adds."""
        return now() + self.later

    def save(self, text: str) -> None:
        """One more snapshot."""
        (self.rig.root / "a").write_text(text)
        self.rig.take()

    def watch(self) -> Watch:
        return Watch(
            reopened(self.rig.base / "vault"),
            self.state,
            "documents",
            now=self.now,
            up=lambda: ("démarrage", self.later.total_seconds()),
        )

    def look(self) -> list[str]:
        """What one look at the store reveals."""
        watch = self.watch()
        try:
            return [one.what for one in watch.look(of_scope(reopened(self.rig.base / "vault"), "documents"))]
        finally:
            watch.close()

    def heads_after(self, days: int) -> list[str]:
        """The heads that the vault holds once one has been left on each of so many days."""
        for _ in range(days):
            self.later += timedelta(days=1, minutes=1)
            watch, vault = self.watch(), reopened(self.rig.base / "vault")
            watch.leave_head(of_scope(vault, "documents")[-1][1])
            watch.close()
        return [head_of(one) for one in reopened(self.rig.base / "vault").snapshots() if head_of(one)]

    def snapshots(self) -> list[Path]:
        """The files of the store, oldest first."""
        return sorted(
            (self.rig.base / "vault" / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime_ns
        )

    def check(self) -> tuple[int, dict[str, object]]:
        """`releve vault register check`, as a user runs it: exit code, JSON."""
        argv = [
            sys.executable,
            "-P",
            "-m",
            "releve",
            "vault",
            "register",
            "check",
            str(self.rig.base / "vault"),
        ]
        done = subprocess.run(
            [*argv, "--state", str(self.state), "--json"],
            env={**os.environ, "RELEVE_VAULT_KEY": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def relief(tmp_path: Path) -> Iterator[Relief]:
    """Its list is written, and nothing is wrong."""
    made = Relief(tmp_path)
    yield made
    made.rig.close()


def test_a_snapshot_that_the_store_lost_is_revealed_once_and_until_it_is_back(relief: Relief) -> None:
    """Deleted behind our back: said at the next look, shown by the command with exit 3, over when it is shown again."""
    assert relief.check()[0] == 0
    gone = relief.snapshots()[1]
    kept = relief.rig.base / gone.name
    shutil.move(gone, kept)
    assert relief.look() == ["lost"]
    assert relief.look() == []
    code, said = relief.check()
    assert code == 3
    assert gone.name in json.dumps(said)
    shutil.move(kept, gone)
    relief.look()
    assert relief.check()[0] == 0


def test_what_we_removed_ourselves_is_no_loss_and_its_return_is_one(relief: Relief) -> None:
    """Thinned with its reason: nothing to say; shown again later: somebody brought it back."""
    first = relief.snapshots()[0]
    kept = first.read_bytes()
    relief.later = timedelta(hours=1)  # a minute keeps one snapshot of those that were seen in it
    vault, watch = reopened(relief.rig.base / "vault"), relief.watch()
    known = of_scope(vault, "documents")
    watch.look(known)
    rulings = thin(watch.held(known, lambda _one: ("d",)), Flow(), relief.now())
    watch.remove(rulings, lambda names: [vault.store.remove(Kind.SNAPSHOTS, name) for name in names])
    watch.close()
    assert not first.exists()
    assert relief.look() == []
    first.write_bytes(kept)
    assert relief.look() == ["back"]


def test_a_listing_taken_before_a_removal_of_ours_raises_no_alarm(relief: Relief) -> None:
    """The copy lists, the thinning removes meanwhile, the copy then writes what it saw: nothing came back, nothing is lost."""
    vault, watch, thinner = reopened(relief.rig.base / "vault"), relief.watch(), relief.watch()
    relief.save("pas encore sur la liste du premier")
    relief.later = timedelta(hours=1)
    known = of_scope(vault, "documents")
    thinner.look(known)
    relief.later += timedelta(hours=1)
    rulings = thin(thinner.held(known, lambda _one: ("d",)), Flow(), relief.now())
    thinner.remove(rulings, lambda names: [vault.store.remove(Kind.SNAPSHOTS, name) for name in names])
    thinner.close()
    assert watch.look(known) == []
    watch.close()
    assert relief.look() == []


def test_a_number_that_never_came_is_a_hole(relief: Relief) -> None:
    """A store that swallows one snapshot before anybody saw it: the numbers around it tell."""
    relief.save("avalé")
    relief.snapshots()[-1].unlink()
    relief.save("suivant")
    assert relief.look() == []
    relief.later = SETTLED + timedelta(seconds=1)
    assert relief.look() == ["hole"]


def test_a_list_that_was_rewritten_or_set_back_does_not_pass(relief: Relief) -> None:
    """An entry changed; the whole folder put back as it was before: both are seen."""
    before = relief.rig.base / "avant"
    shutil.copytree(relief.state, before)
    relief.save("depuis")
    relief.look()
    watch = relief.watch()
    watch.leave_head(of_scope(reopened(relief.rig.base / "vault"), "documents")[-1][1])
    watch.close()
    assert relief.check()[0] == 0
    with sqlite3.connect(relief.state / "register.sqlite3") as database:
        database.execute("UPDATE entry SET body = replace(body, '\"documents\"', '\"autre\"') WHERE seq = 2")
    assert relief.check()[0] != 0
    shutil.rmtree(relief.state)
    shutil.copytree(before, relief.state)
    code, said = relief.check()
    assert code == 3, said


def test_a_head_that_reveals_a_set_back_is_never_removed(
    relief: Relief, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days after, the list has gone on and its own old heads have left the vault: that one still tells."""
    monkeypatch.setattr(register, "_HEADS", 2)

    before = relief.rig.base / "avant"
    shutil.copytree(relief.state, before)
    relief.save("depuis")
    relief.look()
    (revealing,) = relief.heads_after(1)
    shutil.rmtree(relief.state)
    shutil.copytree(before, relief.state)
    for days, left in ((1, 2), (1, 3), (3, 3)):
        heads = relief.heads_after(days)
        assert len(heads) == left
        assert revealing in heads
    watch = relief.watch()
    told = watch.set_back(reopened(relief.rig.base / "vault").snapshots())
    watch.close()
    assert told == [":".join(revealing.split(":")[:2])]


def test_a_listed_snapshot_is_no_head_whatever_its_tags(
    relief: Relief, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the share puts the tag of one of our heads on it: it goes by its ruling alone, not as a head."""
    monkeypatch.setattr(register, "_HEADS", 2)
    (tag,) = relief.heads_after(1)
    vault = reopened(relief.rig.base / "vault")
    known = Snapshots(vault, "documents").look()
    mark, one = known[-1]
    tags = [*replace(mark, number=mark.number + 1).tags(), f"register-head={tag}"]
    value = snapshot_value(
        at=now(), tree=one.tree, paths=one.paths, hostname="h", username="u", uid=0, gid=0, tags=tags
    )
    name = vault.save_snapshot(value)
    watch = relief.watch()
    watch.look(Snapshots(vault, "documents").look())
    watch.close()
    relief.heads_after(3)
    assert name in {path.name for path in relief.snapshots()}


def test_a_row_that_can_no_longer_be_read_is_named_with_what_else_is_wrong(relief: Relief) -> None:
    """Whoever reads the list gets an error of the table, with the entry's number; the check still says its flaws."""
    with sqlite3.connect(relief.state / "register.sqlite3") as database:
        database.execute("UPDATE entry SET body = substr(body, 2) WHERE seq = 2")
    for reading in (relief.watch, lambda: read_roll(relief.state)):
        with pytest.raises(PromiseBroken, match="l'entrée 2 de la liste") as broken:
            reading()
        assert broken.value.code == "register-damaged"
    code, said = relief.check()
    assert code == 3
    assert {"seq": 2, "code": "altered", "message": "l'entrée 2 a été modifiée"} in said["flaws"]  # type: ignore[operator]
    assert said["error"]["code"] == "register-damaged"  # type: ignore[index]
    argv = ["vault", "register", "check", str(relief.rig.base / "vault"), "--state", str(relief.state)]
    ran = CliRunner().invoke(command_line(), argv, env={"RELEVE_VAULT_KEY": PASSWORD})
    assert ran.exit_code == 3
    assert "l'entrée 2 a été modifiée [altered]" in ran.output
    assert "un dossier d'état neuf commence une nouvelle liste" in ran.output


def test_a_clock_that_jumped_is_not_believed(relief: Relief) -> None:
    """A year ahead while an hour passed: nothing may be judged old by it, and a person is asked."""
    jumped = lambda: now() + timedelta(days=365)
    watch = Watch(
        reopened(relief.rig.base / "vault"),
        relief.state,
        "documents",
        now=jumped,
        up=lambda: ("démarrage", 60.0),
    )
    try:
        with pytest.raises(Refused, match="ne peut pas être crue"):
            watch.look(of_scope(reopened(relief.rig.base / "vault"), "documents"))
        with pytest.raises(Refused, match="ne peut pas être crue"):
            watch.now(now())
    finally:
        watch.close()


_TAGS = (
    ("database=dossiers",),
    ("share=documents",),
    ("share=database=dossiers", "epoch=0", "number=1"),
    ("database=dossiers", "wal=000000010000000"),
)


@pytest.mark.parametrize("tags", _TAGS, ids=["database", "share", "a share's name", "half a mark"])
@pytest.mark.parametrize("listed", [False, True], ids=["", "with a list"])
def test_only_a_whole_mark_makes_a_snapshot_somebodys(
    tmp_path: Path, tags: Sequence[str], *, listed: bool
) -> None:
    """A tag that a person chose, or half a mark: on the list of ordinary snapshots, and `vault forget` removes it."""
    vault = fresh(tmp_path / "vault")
    (tmp_path / "partage").mkdir()
    whole = (Mark("documents", 0, 1).tags(), WalMark("dossiers", "1", 1, "0000000100000000", 1 << 24).tags())
    saved = [save(vault, [str(tmp_path / "partage")], now=now, tags=one).id for one in (tags, tags, *whole)]
    for scope, names in (("", saved[:2]), ("documents", saved[2:3]), ("database=dossiers", saved[3:])):
        assert sorted(one.id for _, one in of_scope(vault, scope)) == sorted(names)
    words = ["vault", "forget", str(tmp_path / "vault"), "--keep-last", "1", "--minimum-age", "0", "--yes"]
    words += ["--register", str(tmp_path / "liste")] if listed else []
    ran = CliRunner().invoke(command_line(), [*words, "--json"], env={"RELEVE_VAULT_KEY": PASSWORD})
    said = json.loads(ran.stdout)
    assert (len(said["rulings"]), said["left"]) == (2, 2)
    assert {one.id for one in vault.snapshots()} == set(saved[1:])


def _listed(state: Path) -> Collection[str]:
    roll = read_roll(state)
    return roll.live if roll else ()


def test_the_copy_of_a_plan_says_what_its_vault_lost(tmp_path: Path) -> None:
    """The keeper of the relief keeps the list: a snapshot that vanishes is shown where people look."""
    with two_ends(tmp_path) as rig:
        rig.write(HERE, "un")
        rig.protect()
        rig.write(HERE, "deux")
        rig.until_equal()
        folder = tmp_path / "vault" / "snapshots"
        first = min(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        until(lambda: first.name in _listed(rig.states[THERE]), 40)
        rig.stop(THERE)
        first.unlink()
        rig.start(THERE)
        until(lambda: any("a disparu" in said for said in rig.engine.facts(THERE).warnings), 40)
