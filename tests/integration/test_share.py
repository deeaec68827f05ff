"""A share that people work in: every snapshot is the share, the hot copy is the snapshot."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.engines.files import live
from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share, Taken
from releve.adapters.engines.files.events import Hints, Watcher
from releve.adapters.engines.files.marks import Mark, Snapshots, shared_base
from releve.adapters.vault.store import Kind
from releve.cycle.protect.retention import LATE, Flow
from releve.domain.errors import Unreachable
from releve.entrypoints.cli.rulings import say_past
from releve.entrypoints.worker import thinning
from releve.entrypoints.worker.resident import TURN
from releve.entrypoints.worker.thinning import thin_share
from tests.features import CURRENT_RESTIC
from tests.shares import Chaos, Rig, inside
from tests.vaults import now, reopened, restic

ROUNDS = 24
SEEDS = [0, 4, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(100, 160))]
PROGRAMS = [
    pytest.param("restic", marks=pytest.mark.needs("restic"), id="debian12"),
    pytest.param(str(CURRENT_RESTIC), marks=pytest.mark.needs("restic-current"), id="current"),
]


@pytest.fixture(params=["fanotify", "inotify"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A share, its vault and its hot copy, under each way of hearing."""
    made = Rig(tmp_path, request.param)
    yield made
    made.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_by_events_or_by_a_whole_walk_the_tree_is_the_same(rig: Rig, seed: int) -> None:
    """What the hints lead to is what a walk of everything finds, and the hot copy holds exactly that."""
    chaos = Chaos(rig.root, seed)
    for number in range(ROUNDS):
        chaos.work(chaos.random.randrange(1, 12))
        rig.take()
        assert rig.strangers(rig.whole()) == [], f"seed {seed}, round {number}"
        if number % 4 == 0:
            rig.follow()
            assert rig.behind() == [], f"seed {seed}, round {number}"
    files = sum(1 for path in rig.root.rglob("*") if path.is_symlink() or not path.is_dir())
    assert rig.capture.counts()[0] == files


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_during_a_capture_are_in_it_or_in_the_next(rig: Rig, seed: int) -> None:
    """Somebody works while the share is compared: once they stop, two looks later nothing is missing."""
    chaos = Chaos(rig.root, seed)
    for number in range(ROUNDS // 2):
        chaos.work(5)
        worker = threading.Thread(target=chaos.work, args=(25,))
        worker.start()
        rig.take()
        worker.join()
        rig.take()
        assert rig.strangers(rig.whole()) == [], f"seed {seed}, round {number}"
        rig.follow()
        rig.take()
        rig.follow()
        assert rig.behind() == [], f"seed {seed}, round {number}"


def test_a_lost_cache_is_filled_again_from_the_vault(rig: Rig) -> None:
    """Without its cache the capture finds the same tree, and reads no file that has not changed."""
    Chaos(rig.root, 3).work(60)
    rig.take()
    before = rig.cache.snapshot
    last = rig.vault.snapshot(before[0])
    rig.capture.close()
    rig.cache.close()
    (rig.base / "cache.db").write_bytes(b"abimee" * 1000)
    rig.cache = Cache(rig.base / "cache.db", "essai")
    assert rig.cache.snapshot == ("", b"")
    rig.capture = rig.new_capture()
    taken = rig.capture.take(Hints(everything=True), last=last)
    assert taken is not None
    assert rig.strangers(before[1]) == []
    assert taken.seen.read_bytes == 0


def test_an_unchanged_share_gets_its_snapshot_too_when_asked(rig: Rig) -> None:
    """Freshness of an idle share is a snapshot of the same tree, which costs one small file."""
    Chaos(rig.root, 4).work(30)
    first = rig.take()
    assert first is not None
    assert rig.capture.take(Hints()) is None
    second = rig.capture.take(Hints(), force=True)
    assert second is not None
    assert second.tree == first.tree
    assert not second.changed
    assert second.stored == 0


@pytest.mark.parametrize("then", ["a change", "it is undone", "nothing"])
def test_a_snapshot_whose_answer_was_lost_keeps_its_number(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """It is in the vault and the copy has it, though the capture was told of an error: the next one comes after it."""
    (rig.root / "a").write_text("a")
    rig.take()
    with monkeypatch.context() as cut:
        kept = rig.vault.save_snapshot

        def lost(*told: Any) -> str:
            kept(*told)
            raise Unreachable("vault-unreachable", "plus de réponse")

        cut.setattr(rig.vault, "save_snapshot", lost)
        (rig.root / "b").write_text("b")
        with pytest.raises(Unreachable):
            rig.take()
    rig.follow()
    assert (rig.hot / "b").exists()
    if then == "a change":
        (rig.root / "c").write_text("c")
    elif then == "it is undone":
        (rig.root / "b").unlink()
    rig.take()
    rig.follow()
    assert rig.behind() == []
    numbers = [mark.number for mark, _ in Snapshots(reopened(rig.base / "vault"), "documents").look()]
    assert numbers == [1, 2, 3]


def test_of_two_snapshots_under_one_number_the_later_is_followed(rig: Rig) -> None:
    """An answer that was lost, and a snapshot that came after all: the copy ends up with what was taken last."""
    (rig.root / "a").write_text("a")
    rig.take()
    twin = rig.new_capture(number=1)
    (rig.root / "b").write_text("b")
    rig.take()
    rig.follow()
    (rig.root / "c").write_text("c")
    assert twin.take(Hints(everything=True)).number == 2
    twin.close()
    rig.follow()
    assert rig.behind() == []
    marked = Snapshots(reopened(rig.base / "vault"), "documents").look()
    assert [mark.number for mark, _ in marked] == [1, 2, 2]
    began = (Mark("documents", 1, 3, after=2), marked[-1][1])
    base = shared_base([*marked, began], 0, 1)
    assert base is not None
    assert base.id == marked[1][1].id, "the later of the two may never have reached the other side"


class _Leap:
    """A clock that leaps over every wait, and a watcher whose waits it leaps over."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._ahead = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watcher, name)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += max(0.0, seconds)

    def wait(self, seconds: float) -> bool:
        heard = self._watcher.wait(0.0)
        self._ahead += 0.0 if heard else seconds
        return heard


def test_an_idle_share_has_a_snapshot_every_thirty_seconds(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an hour in which nobody touches it: never more than 30 s between two snapshots, and not many more."""
    Chaos(rig.root, 4).work(30)
    clock = _Leap(rig.watcher)
    monkeypatch.setattr(live, "time", clock)
    resident = live.Live(rig.capture, clock, last=None, now=now)
    taken: list[float] = []
    begun = clock.monotonic()
    while clock.monotonic() - begun < 3600:
        if resident.step(TURN) is not None:
            taken.append(clock.monotonic())
    assert max(later - former for former, later in pairwise([*taken, clock.monotonic()])) <= 30
    assert 120 <= len(taken) <= 180


@pytest.mark.parametrize("program", PROGRAMS)
def test_stock_restic_restores_any_snapshot_of_a_capture(rig: Rig, tmp_path: Path, program: str) -> None:
    """The vault of a capture passes restic's own check, and restic gives back what was there."""
    chaos = Chaos(rig.root, 5)
    for _ in range(10):
        chaos.work(8)
        rig.take()
    restic(program, tmp_path / "vault", "check", "--read-data")
    restic(program, tmp_path / "vault", "restore", "latest", "--target", str(tmp_path / "back"))
    assert inside(tmp_path / "back" / rig.root.relative_to("/")) == inside(rig.root)


def test_a_folder_that_moved_is_listened_to_under_its_new_path(rig: Rig) -> None:
    """Found by the slow comparison before its own event: what is saved deep below it afterwards is not missed."""
    (rig.root / "a" / "x" / "y").mkdir(parents=True)
    (rig.root / "a" / "x" / "y" / "un").write_text("x")
    time.sleep(0.1)  # a folder that changed in the same tick as it was compared is looked at again anyway
    rig.take()
    (rig.root / "a").rename(rig.root / "b")
    moved = rig.watcher.gather()
    rig.capture.take(Hints(spots=moved.spots, folders={b""}))
    (rig.root / "b" / "x" / "y" / "deux").write_text("y")
    rig.take()
    assert rig.strangers(rig.whole()) == []


def test_what_moves_is_not_fetched_again(rig: Rig) -> None:
    """A folder that was renamed is renamed in the hot copy too."""
    folder = rig.root / "dossier"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 200_000)
    rig.take()
    rig.follow()
    before = {path.name: path.stat().st_ino for path in (rig.hot / "dossier").iterdir()}
    (rig.root / "autre").mkdir()
    folder.rename(rig.root / "autre" / "nom")
    rig.take()
    done = rig.follow()
    assert done is not None
    assert done.size == 0
    assert {path.name: path.stat().st_ino for path in (rig.hot / "autre" / "nom").iterdir()} == before
    assert rig.behind() == []


def _one_followed_one_waiting(rig: Rig) -> None:
    """A snapshot that the copy has, and a second one that it has not: one file changed, one new."""
    (rig.root / "a").write_text("un")
    rig.take()
    rig.follow()
    (rig.root / "a").write_text("deux")
    (rig.root / "b").write_text("trois")
    rig.take()


def test_a_cut_follower_finishes_what_it_began(rig: Rig) -> None:
    """Cut in the middle of a snapshot that the next one takes back: nothing of it stays behind."""
    _one_followed_one_waiting(rig)
    copy = rig.following._copy
    place, calls = copy._place, []

    def cut(draft: bytes, to: bytes, clear: Callable[[], None]) -> None:
        if calls:
            raise KeyboardInterrupt
        calls.append(to)
        place(draft, to, clear)

    copy._place = cut  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        rig.follow()
    (rig.root / "b").unlink()
    (rig.root / "a").write_text("un encore")
    rig.take()
    copy.close()
    rig.following = rig.new_following()
    rig.follow()
    assert rig.behind() == []


def test_after_the_machine_started_anew_the_copy_is_compared_whole(rig: Rig) -> None:
    """What a power cut may have torn or undone is found; what only this side had is put aside, not lost."""
    Chaos(rig.root, 6).work(60)
    rig.take()
    rig.follow()
    victim = next(path for path in sorted(rig.hot.rglob("*")) if path.is_file() and not path.is_symlink())
    victim.write_bytes(b"tordu")
    (rig.hot / "inconnu.odt").write_text("saisi ici seulement")
    rig.following._copy.close()
    rig.following = rig.new_following(boot="2")
    done = rig.follow()
    assert done is not None
    assert b"inconnu.odt" in done.aside
    kept = list((rig.base / "aside").rglob("inconnu.odt"))
    assert [one.read_text() for one in kept] == ["saisi ici seulement"]
    assert rig.behind() == []


def test_snapshots_of_an_older_epoch_are_listed_and_never_applied(rig: Rig) -> None:
    """A late snapshot of the side that lost the right to write changes nothing in the copy."""
    (rig.root / "a").write_text("epoque 0")
    rig.take()
    rig.follow()
    rig.following._copy.close()
    rig.following = rig.new_following(epoch=1)
    (rig.root / "a").write_text("en retard")
    late = rig.take()
    assert late is not None
    assert rig.follow() is None
    assert (rig.hot / "a").read_text() == "epoque 0"
    assert rig.following.lag.late == [late.id]


def test_what_only_a_past_epoch_has_stays_until_a_person_lets_it_go(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late snapshots and the last of the epoch that ended outlive the thinning, and push out none of the other side."""

    def saves(capture: Capture, name: str) -> str:
        (rig.root / name).write_text(name)
        taken = capture.take(Hints(everything=True))
        assert taken is not None
        return taken.id

    _, last = saves(rig.capture, "un"), saves(rig.capture, "deux")
    share = Share("documents", os.fsencode(rig.root), "autre", 1, after=2)
    cache = Cache(rig.base / "autre.db", "autre")
    other = Capture(rig.vault, share, cache, cover=lambda _folder: None, now=now, number=2)
    _, newest = saves(other, "trois"), saves(other, "quatre")
    late = [saves(rig.capture, f"precious-{number}") for number in range(3)]
    other.close()
    cache.close()
    state = rig.base / "thinning"
    state.mkdir()
    monkeypatch.setattr(thinning, "Flow", lambda: Flow(all_for=timedelta()))  # all were seen in one minute
    rulings, _ = thin_share(rig.vault, "documents", state, yes=True)
    kept = {one.snapshot.id: one.reasons for one in rulings if one.keep}
    assert kept.keys() == {last, newest, *late}
    assert all(LATE in kept[one] for one in late)
    assert "le dernier de l'époque 0" in kept[last]
    assert any("--past-too" in line for line in say_past(rulings))
    freed, _ = thin_share(rig.vault, "documents", state, yes=False, past_too=True)
    assert {one.snapshot.id for one in freed if one.keep} == {newest, late[-1]}


def test_nobody_else_may_enter_a_copy_that_follows(rig: Rig) -> None:
    """Until it is released, the root is closed; then it has the mode of the share."""
    rig.root.chmod(0o2775)
    rig.take()
    rig.follow()
    assert rig.hot.stat().st_mode & 0o7777 == 0o700
    rig.following._copy.release(rig.following.lag.position.entry)
    assert rig.hot.stat().st_mode & 0o7777 == 0o2775
    assert not (rig.hot / ".releve").exists()


def test_a_share_that_is_not_there_erases_nothing(rig: Rig) -> None:
    """An unmounted disk is an error, not a share from which everything was removed."""
    (rig.root / "a").write_text("x")
    rig.take()
    rig.root.rename(rig.base / "ailleurs")
    with pytest.raises(Unreachable, match="ne répond pas"):
        rig.capture.take(Hints(everything=True))
    assert len(reopened(rig.base / "vault").snapshots()) == 1


@pytest.mark.parametrize("left", [[], ["lost+found"], ["oublié"]])
@pytest.mark.parametrize("forgotten", [False, True])
def test_an_unmounted_disk_is_not_an_emptied_share(rig: Rig, left: list[str], forgotten: bool) -> None:
    """What stands under the name of a share whose disk is not mounted is another folder: refused, and taken up again."""
    (rig.root / "a").write_text("x")
    (rig.root / "lost+found").mkdir()
    taken = rig.take()
    assert taken is not None
    rig.root.rename(rig.base / "ailleurs")
    rig.root.mkdir()
    for name in left:
        (rig.root / name).mkdir()
    if forgotten:  # a machine that starts anew has no cache of before
        rig.cache.close()
        (rig.base / "cache.db").unlink()
        rig.cache = Cache(rig.base / "cache.db", "essai")
        rig.capture.close()
        rig.capture = rig.new_capture(taken.number)
    last = rig.vault.snapshot(taken.id)
    with pytest.raises(Unreachable, match="autre dossier") as refused:
        rig.capture.take(Hints(everything=True), last=last)
    assert "« a »" in str(refused.value.hint)
    assert len(reopened(rig.base / "vault").snapshots()) == 1
    shutil.rmtree(rig.root)
    (rig.base / "ailleurs").rename(rig.root)
    (rig.root / "b").write_text("y")
    assert rig.capture.take(Hints(everything=True), last=last) is not None
    rig.follow()
    assert rig.behind() == []


def test_a_share_that_moved_to_another_disk_goes_on(rig: Rig) -> None:
    """Another folder under the same name, with some of the same in it, is the share."""
    (rig.root / "a").write_text("x")
    (rig.root / "b").write_text("y")
    rig.take()
    shutil.copytree(rig.root, rig.base / "neuf")
    shutil.rmtree(rig.root)
    (rig.base / "neuf").rename(rig.root)
    (rig.root / "b").unlink()
    assert rig.capture.take(Hints(everything=True)) is not None
    rig.follow()
    assert rig.behind() == []


@pytest.mark.parametrize("way", ["moved", "removed"])
def test_a_share_that_is_replaced_under_a_capture_is_compared_whole(rig: Rig, way: str) -> None:
    """Another folder, with some of the same names, comes in its place: nothing told of what is in it, and all is saved.

    From then on it is the one that is listened to, and the former one no more.
    """
    for number in range(9):
        (rig.root / f"d{number}").mkdir()
        (rig.root / f"d{number}" / "f").write_text("ancien")
    other = rig.base / "autre"
    for number in range(9):
        (other / f"d{number}").mkdir(parents=True)
        (other / f"d{number}" / "f").write_text("tout autre chose")
    resident = live.Live(rig.capture, rig.watcher, last=None, now=now)
    resident._trickle_at = math.inf  # the slow comparison would find it too, in its time
    assert _taken(resident, rig)
    if way == "moved":
        rig.root.rename(rig.base / "ancien")
    else:
        shutil.rmtree(rig.root)
    other.rename(rig.root)
    assert _taken(resident, rig), "and long before the idle snapshot"
    assert not rig.watcher.gather()
    if way == "moved":
        (rig.base / "ancien" / "d1" / "f").write_text("plus personne n'y travaille")
        assert not rig.watcher.gather()
    (rig.root / "d1" / "f").write_text("la suite")
    assert _taken(resident, rig)


def _taken(resident: live.Live, rig: Rig) -> bool:
    """Whether a few turns put the share into the vault as it stands."""
    begun = time.monotonic()
    while time.monotonic() - begun < 8:
        resident.step(0.2)
        if resident.freshness.snapshot and rig.strangers(rig.whole()) == []:
            return True
    return False


def test_a_share_whose_files_all_went_is_followed(rig: Rig) -> None:
    """The same folder, emptied by people, is no fault."""
    (rig.root / "a").write_text("x")
    rig.take()
    rig.follow()
    (rig.root / "a").unlink()
    assert rig.take() is not None
    rig.follow()
    assert rig.behind() == []


@pytest.mark.parametrize("boot", ["1", "2"])
def test_a_copy_whose_disk_is_not_mounted_is_not_begun_beside(rig: Rig, boot: str) -> None:
    """The follower writes nothing into what stands in the copy's place, and goes on once the disk is back."""
    (rig.root / "a").write_text("x")
    rig.take()
    rig.follow()
    (rig.root / "b").write_text("y")
    rig.take()
    rig.hot.rename(rig.base / "ailleurs")
    rig.following._copy.close()
    rig.following = rig.new_following(boot)
    for there in (False, True):
        if there:
            rig.hot.mkdir()
        with pytest.raises(Unreachable, match="autre dossier"):
            rig.follow()
    assert list(rig.hot.iterdir()) == []
    rig.hot.rmdir()
    (rig.base / "ailleurs").rename(rig.hot)
    rig.follow()
    assert rig.behind() == []


def test_a_file_without_rights_keeps_its_last_saved_state(rig: Rig) -> None:
    """What cannot be read any more stays in the snapshots as it was last read, and is named."""
    import os

    path = rig.root / "secret"
    path.write_text("avant")
    rig.take()
    reader = rig.capture._reader.content

    def denied(one: bytes):
        if one == os.fsencode(path):
            raise PermissionError(13, "Permission denied", one)
        return reader(one)

    rig.capture._reader.content = denied  # type: ignore[method-assign]
    path.write_text("apres")
    rig.take()
    assert list(rig.capture.unread) == [b"secret"]
    rig.follow()
    assert (rig.hot / "secret").read_text() == "avant"


def test_what_could_not_be_read_is_no_longer_named_once_it_is_gone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted, renamed away, with the folder it was in, or readable again: hints alone take it off the list."""
    for name in ("efface", "renomme", "sous/dedans", "sous/reste", "ferme/f"):
        (rig.root / name).parent.mkdir(exist_ok=True)
        (rig.root / name).write_text("avant")
    rig.take()
    reader, listing = rig.capture._reader.content, os.listdir
    denied = {"efface", "renomme", "sous/dedans", "neuf", "ferme"}
    paths = {os.fsencode(rig.root / name) for name in denied}

    def content(one: bytes) -> Any:
        if one in paths:
            raise PermissionError(13, "Permission denied", one)
        return reader(one)

    def listed(one: Any) -> Any:
        if one in paths:
            raise PermissionError(13, "Permission denied", one)
        return listing(one)

    monkeypatch.setattr(rig.capture._reader, "content", content)
    monkeypatch.setattr(os, "listdir", listed)
    for name in ("efface", "renomme", "sous/dedans", "neuf"):
        (rig.root / name).write_text("apres")
    (rig.root / "ferme").chmod(0o700)
    rig.take()
    assert set(rig.capture.unread) == {os.fsencode(name) for name in denied}
    (rig.root / "efface").unlink()
    (rig.root / "neuf").unlink()
    (rig.root / "renomme").rename(rig.root / "autre")
    (rig.root / "sous").rename(rig.root / "la")
    paths.clear()
    (rig.root / "ferme").chmod(0o755)
    rig.take()
    assert rig.capture.unread == {}
    assert rig.strangers(rig.whole()) == []


def test_a_folder_under_the_name_that_is_ours_is_told(rig: Rig) -> None:
    """What somebody keeps under « .releve » is not saved: it is named, there or come later, until it is gone."""
    (rig.root / "a").write_text("x")
    rig.take()
    assert rig.capture.unread == {}
    (rig.root / ".releve").mkdir()
    (rig.root / ".releve" / "notes").write_text("à moi")
    rig.take()
    assert "réservé" in rig.capture.unread[b".releve"]
    rig.capture.take(Hints(everything=True))
    assert list(rig.capture.unread) == [b".releve"]
    (rig.root / "dedans").mkdir()
    (rig.root / "dedans" / ".releve").write_text("saved as any other")
    shutil.rmtree(rig.root / ".releve")
    rig.take()
    assert rig.capture.unread == {}


def test_a_folder_that_can_be_listed_again_is_no_longer_named(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own dates did not change: the comparison of the folder above it is enough."""
    (rig.root / "a" / "b").mkdir(parents=True)
    (rig.root / "a" / "b" / "f").write_text("un")
    rig.take()
    listing, closed = os.listdir, os.fsencode(rig.root / "a" / "b")

    def listed(one: Any) -> Any:
        if one == closed:
            raise OSError(5, "Input/output error", one)
        return listing(one)

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", listed)
        rig.capture.take(Hints(everything=True))
    assert list(rig.capture.unread) == [b"a/b"]
    rig.capture.take(Hints(folders={b"a"}))
    assert rig.capture.unread == {}


def test_an_unreadable_snapshot_in_the_vault_does_not_stop_the_copy(rig: Rig) -> None:
    """Garbage under its own name: the copy goes on with the next snapshot, and names what it could not read."""
    (rig.root / "a").write_text("un")
    rig.take()
    rig.follow()
    raw = b"x" * 300
    name = hashlib.sha256(raw).hexdigest()
    rig.vault.store.write(Kind.SNAPSHOTS, name, [raw])
    (rig.root / "a").write_text("deux")
    rig.take()
    rig.follow()
    assert rig.behind() == []
    assert list(rig.following.lag.unreadable) == [name]
    rig.vault.store.remove(Kind.SNAPSHOTS, name)
    rig.follow()
    assert list(rig.following.lag.unreadable) == []


def test_a_full_disk_under_the_cache_is_said_and_taken_up_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache cannot be written: a clear error, the same hints again, and then everything is there."""
    import sqlite3

    (rig.root / "a").write_text("un")
    rig.take()
    (rig.root / "a").write_text("deux")
    hints = rig.watcher.gather()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(rig.cache, "commit", full)
        with pytest.raises(Unreachable, match="cache"):
            rig.capture.take(hints)
    assert rig.capture.take(hints) is not None
    assert rig.strangers(rig.whole()) == []


def test_a_full_disk_under_the_copy_is_said_and_taken_up_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for the copy: an error, the old versions stay whole, and the next step finishes."""
    _one_followed_one_waiting(rig)
    filler = rig.following._copy._filler
    make = filler.make

    def full(place: bytes, *more: object) -> None:
        if rig.full:
            raise OSError(28, "No space left on device", place)
        make(place, *more)  # type: ignore[arg-type]

    rig.full = True
    monkeypatch.setattr(filler, "make", full)
    with pytest.raises(Unreachable, match="plein"):
        rig.follow()
    assert (rig.hot / "a").read_text() == "un"
    rig.full = False
    (rig.root / "b").unlink()  # the next snapshot takes back a part of the one that failed
    rig.take()
    rig.follow()
    assert rig.behind() == []


def test_a_snapshot_that_cannot_be_read_empties_nothing(rig: Rig) -> None:
    """The trees of a snapshot are gone from the store: an error, and the copy keeps what it has."""
    from releve.domain.errors import PromiseBroken

    (rig.root / "a").write_text("un")
    rig.take()
    rig.follow()
    before = inside(rig.hot)
    packs = {path.name for path in (rig.base / "vault" / "data").rglob("?" * 64)}
    (rig.root / "a").unlink()
    rig.take()
    for path in (rig.base / "vault" / "data").rglob("?" * 64):
        if path.name not in packs:
            path.unlink()
    with pytest.raises(PromiseBroken):
        rig.follow()
    assert inside(rig.hot) == before


def _new_file_without_its_data(rig: Rig, *names: str) -> tuple[Path, bytes]:
    """One new file under these names is captured, then its pack vanishes; the pack and what it held."""
    known = {path.name for path in (rig.base / "vault" / "data").rglob("?" * 64)}
    (rig.root / names[0]).write_bytes(b"un contenu qui manquera")
    for name in names[1:]:
        (rig.root / name).hardlink_to(rig.root / names[0])
    rig.take()
    (where,) = [one for one in rig.vault.index if one.pack not in known and one.blob.kind == 0]
    pack = rig.base / "vault" / "data" / where.pack[:2] / where.pack
    whole = pack.read_bytes()
    pack.unlink()
    return pack, whole


def test_every_name_of_a_file_that_the_vault_could_not_give_is_owed(rig: Rig) -> None:
    """The other names of a lost file do not stop the copy; once healed, they are one file again."""
    (rig.root / "a").write_text("un")
    rig.take()
    rig.follow()
    pack, whole = _new_file_without_its_data(rig, "b", "c", "d")
    (rig.root / "e").write_text("la suite")
    rig.take()
    rig.follow()
    assert sorted(path for path, _ in rig.following.lag.lost) == [b"b", b"c", b"d"]
    assert (rig.hot / "e").read_text() == "la suite"
    pack.write_bytes(whole)
    rig.capture.take(Hints(), force=True)
    rig.follow()
    assert rig.following.lag.lost == []
    assert rig.behind() == []
    assert (rig.hot / "b").stat().st_nlink == 3


def test_a_file_that_the_vault_could_not_give_stays_owed_until_it_is_there(rig: Rig) -> None:
    """Later snapshots do not make the gap forgotten, a new process neither; once healed, the file comes."""
    (rig.root / "sous").mkdir()
    (rig.root / "sous" / "a").write_text("un")
    rig.take()
    rig.follow()
    pack, whole = _new_file_without_its_data(rig, "sous/b")
    rig.follow()
    assert [path for path, _ in rig.following.lag.lost] == [b"sous/b"]
    (rig.root / "c").write_text("la suite")
    rig.take()
    rig.follow()
    assert [path for path, _ in rig.following.lag.lost] == [b"sous/b"]
    rig.following._copy.close()
    rig.following = rig.new_following()
    pack.write_bytes(whole)
    rig.capture.take(Hints(), force=True)
    rig.follow()
    assert rig.following.lag.lost == []
    assert rig.behind() == []


class _Slow(Capture):
    """A capture whose snapshots cost half a second more: what a folder of 200,000 files costs."""

    def take(self, hints: Hints, **more: Any) -> Taken | None:
        time.sleep(0.5)
        return super().take(hints, **more)


def test_a_share_whose_snapshots_are_dear_is_saved_less_often_and_says_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At work a fifth of the time at most; but nothing waits for the first look, which tells nothing of the pace."""
    monkeypatch.setattr(live, "_SLOW", 2.0)
    share = Share("documents", os.fsencode(rig.root), "essai")
    slow = _Slow(rig.vault, share, rig.cache, cover=rig.watcher.cover, now=now)
    resident = live.Live(slow, rig.watcher, last=None, now=now)
    assert resident.step(0.1) is not None
    assert (resident.freshness.every, resident.freshness.slowed) == (live.SPACING, "")
    (rig.root / "a").write_text("a")
    time.sleep(live.SPACING)
    begun = time.monotonic()
    taken = resident.step(0.1)
    work = time.monotonic() - begun
    assert taken is not None
    assert 2.4 <= resident.freshness.every <= 5 * work
    assert "cadence réduite" in resident.freshness.slowed
    assert "travail" in resident.freshness.slowed
    (rig.root / "b").write_text("b")
    ended = time.monotonic()
    while resident.step(0.1) is None:
        pass
    assert time.monotonic() - ended >= 4 * 0.5
    slow.close()
