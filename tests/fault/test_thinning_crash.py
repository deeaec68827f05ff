"""A relief that thins, cut after every write, fsync, rename, unlink and commit, in the vault and beside it.

The vault's files, the signed list (`register.sqlite3`, `register.head`, `register.key`), the note of what a merging
retired and that of what it saw are one history; each prefix of it is replayed as a power cut may leave it, and the
thinning is then run again as it would be. Each sentence of docs/concepts/vault.md ("Éclaircir") names its test below.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Hints
from releve.adapters.engines.files.marks import Mark
from releve.adapters.engines.postgresql.archive.keeping import Keeper
from releve.adapters.ledger.register import CARRIED, Register, flaws, read_only
from releve.adapters.ledger.witness import WitnessFile
from releve.adapters.vault import locks, merging
from releve.adapters.vault.repository import Repository, Snapshot, create, open_vault, snapshot_value
from releve.adapters.vault.saving import save
from releve.adapters.vault.store import Disk, Entry, FolderStore, Kind
from releve.adapters.vault.verify import verify
from releve.cycle.protect.retention import Policy, Ruling
from releve.domain.evidence import Witness
from releve.entrypoints.cli import vault_session, vault_upkeep
from releve.entrypoints.worker import expiry, register, thinning
from releve.entrypoints.worker.register import Watch, head_of, of_scope, read_roll
from tests.fault.recording_disk import RecordingDisk, replay, state_too
from tests.unit.adapters.engines.test_archive_wal import SEGMENT, Writing
from tests.vaults import CHEAP, PASSWORD, restic

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HEADS = 2  # that stay in the vault; seven for real


@dataclass
class Time:
    """What time it is for everybody, the vault included, and since when the machine runs."""

    now: datetime = datetime(2026, 3, 9, 12, 5, tzinfo=UTC)
    boot: str = "premier"
    began: datetime = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def up(self) -> tuple[str, float]:
        return self.boot, (self.now - self.began).total_seconds()

    def cut(self, at: datetime, name: str) -> None:
        """The power comes back."""
        self.now = self.began = at
        self.boot = name


class TimedStore(FolderStore):
    """A folder whose files came when `Time` says; with `dated` False, it tells what time it is and dates none (REST)."""

    def __init__(
        self, root: Path, time: Time, came: dict[str, datetime] | None, disk: Disk | None = None
    ) -> None:
        super().__init__(root, disk)
        self._time, self._came = time, came

    def clock(self) -> datetime | None:
        return self._time.now if self._came is None else None

    def write(self, kind: Kind, name: str, parts: Sequence[bytes]) -> None:  # type: ignore[override]
        super().write(kind, name, parts)
        if self._came is not None:
            self._came.setdefault(name, self._time.now)

    def entries(self, kind: Kind) -> Iterator[Entry]:
        for entry in super().entries(kind):
            at = self._came[entry.name] if self._came is not None else None
            yield replace(entry, seen=int(at.timestamp() * 1e9) if at else 0)


@dataclass
class Recorded:
    """A history of a vault and its relief: `said` when a snapshot was acknowledged, `marks` what time it was."""

    base: Path
    time: Time
    came: dict[str, datetime] | None
    disk: RecordingDisk = field(default_factory=RecordingDisk)
    said: list[tuple[int, str]] = field(default_factory=list)
    marks: list[tuple[int, datetime]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)  # by somebody else than us

    let_go: set[str] = field(default_factory=set)  # by a thinning of ours

    @property
    def state(self) -> Path:
        return self.base / "state"

    def later(self, span: timedelta) -> None:
        """Time passes between two gestures."""
        self.time.now += span
        self.marks.append((len(self.disk.ops), self.time.now))

    def thinned(self, ruled: Ruled) -> None:
        """That is what a thinning said."""
        self.let_go |= {name for name, keep in ruled.items() if not keep}

    def acknowledged(self, name: str) -> None:
        self.said.append((len(self.disk.ops), name))

    def cuts(self, every: int = 1) -> Sequence[int]:
        """After so many operations each."""
        return range(self.marks[0][0], len(self.disk.ops) + 1, every)

    def states(self, cuts: Sequence[int], seeds: Sequence[int]) -> Iterator[tuple[str, int, Path]]:
        """(name, operations, folder) of what each cut may leave; the time is then that of the cut."""
        for count in cuts:
            for seed in seeds:
                folder = self.base / "cut"
                replay(self.disk.ops[:count], self.base, folder, seed * 1000 + count if seed > 1 else seed)
                (folder / "state").mkdir(exist_ok=True)
                for lock in (folder / "vault" / "locks").iterdir():
                    lock.unlink()  # it names this process, which lives: after a real cut it would be stale
                at = max((at for done, at in self.marks if done <= count), default=self.marks[0][1])
                self.time.cut(at, f"{count}/{seed}")
                yield f"cut {count}, seed {seed}", count, folder
                shutil.rmtree(folder)

    def opened(self, folder: Path) -> Repository:
        vault = open_vault(TimedStore(folder / "vault", self.time, self.came), PASSWORD)
        vault.load_index()
        return vault


Ruled = dict[str, bool]  # of each snapshot, whether it stays


def _ruled(rulings: Sequence[Ruling]) -> Ruled:
    return {one.snapshot.id: one.keep for one in rulings}


class Story:
    """What somebody does to a vault, and how its relief thins it."""

    scope = ""

    def tell(self, told: Recorded, vault: Repository) -> None:
        raise NotImplementedError

    def thin(self, vault: Repository, state: Path) -> Ruled:
        raise NotImplementedError


def _lost_and_accepted(story: Story, told: Recorded, vault: Repository) -> None:
    """Somebody takes a snapshot away, brings it back, takes it away for good: a person takes note."""
    name = min(of_scope(vault, story.scope), key=lambda one: one[1].at)[1].id
    told.taken.add(name)
    raw = vault.store.read(Kind.SNAPSHOTS, name)
    for gone in (True, False, True):
        if gone:
            vault.store.remove(Kind.SNAPSHOTS, name)
        else:
            vault.store.write(Kind.SNAPSHOTS, name, [raw])
        told.later(MINUTE)
        told.thinned(story.thin(vault, told.state))
    watch = Watch(vault, told.state, None, now=told.time)
    assert [one.name for one in watch.accept("Nadia", "je sais")] == [name]
    watch.close()


class OfDatabase(Story):
    """An archiver, and `database forget` beside it."""

    scope = "database=dossiers"

    def tell(self, told: Recorded, vault: Repository) -> None:
        writing = Writing(told.base, vault)
        writing.keeper = Keeper(vault, "dossiers", "7", now=told.time)
        for number, span in enumerate((HOUR, DAY, DAY), 1):
            for size in (200_000, 500_000, SEGMENT):
                writing.write(number, size)
                told.acknowledged(writing.keep(told.time.now))
                told.later(timedelta(seconds=2))
            told.thinned(self.thin(vault, told.state))
            if number == 1:
                _lost_and_accepted(self, told, vault)
            told.later(span)
        told.thinned(self.thin(vault, told.state))

    def thin(self, vault: Repository, state: Path) -> Ruled:
        return _ruled(expiry.expire_database(vault, "dossiers", state, Policy(), yes=True)[0])


class OfShare(Story):
    """A capture, and `share thin` beside it."""

    scope = "d"

    def tell(self, told: Recorded, vault: Repository) -> None:
        root = told.base / "share"
        root.mkdir()
        chance = random.Random(3)
        cache = Cache(told.base / "cache.db", "essai")
        share = Share("d", os.fsencode(root), "essai")
        capture = Capture(vault, share, cache, cover=lambda _folder: None, now=told.time)
        for span in (HOUR, DAY, DAY):
            for number in range(3):
                (root / f"f{number}").write_bytes(chance.randbytes(3000))
                taken = capture.take(Hints(everything=True))
                assert taken is not None
                told.acknowledged(taken.id)
                told.later(timedelta(seconds=2))
            told.thinned(self.thin(vault, told.state))
            if span == HOUR:
                _lost_and_accepted(self, told, vault)
            told.later(span)
        told.thinned(self.thin(vault, told.state))
        capture.close()
        cache.close()

    def thin(self, vault: Repository, state: Path) -> Ruled:
        return _ruled(thinning.thin_share(vault, "d", state, yes=True)[0])


class OfNeither(Story):
    """Savings by hand, and `vault forget --register`."""

    def tell(self, told: Recorded, vault: Repository) -> None:
        (told.base / "folder").mkdir()
        for number in range(6):
            (told.base / "folder" / "a").write_text(str(number))
            told.acknowledged(save(vault, [str(told.base / "folder")], now=told.time).id)
            told.later(HOUR)
            told.thinned(self.thin(vault, told.state))

    def thin(self, vault: Repository, state: Path) -> Ruled:
        counts = {"last": 2, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0, "yearly": 0}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vault_upkeep, "opened", lambda _where, _key: vault)
            said = vault_upkeep._forget("", "", counts, "30 min", str(state), yes=True, copies_too=False)
        return {one["snapshot"]: one["keep"] for one in said.data["rulings"]}  # type: ignore[attr-defined]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Everybody's; small packs are merged, and nobody else is at these vaults."""
    made = Time()
    monkeypatch.setattr(expiry, "_now", made)
    monkeypatch.setattr(thinning, "_now", made)
    monkeypatch.setattr(vault_session, "utc_now", made)
    monkeypatch.setattr(register, "uptime", made.up)
    monkeypatch.setattr(register, "_HEADS", HEADS)
    monkeypatch.setattr(register, "_ENTRIES", 8)  # then the list is carried over
    monkeypatch.setattr(merging, "_FEW", 2)
    monkeypatch.setattr(locks, "_SECOND_LOOK", 0.0)
    monkeypatch.setattr(os, "fsync", lambda _handle: None)  # that it is asked for is what counts
    return made


def record(story: Story, base: Path, time: Time, *, dated: bool) -> Recorded:
    """That story, told whole."""
    told = Recorded(base, time, {} if dated else None)
    vault = create(TimedStore(base / "vault", time, told.came, told.disk), PASSWORD, time.now, CHEAP)
    told.state.mkdir()
    told.later(MINUTE)
    with state_too(told.disk, told.state):
        story.tell(told, vault)
    healthy(story, told, base)
    assert next(iter(read_only(told.state) or ())).entry.kind == CARRIED, (
        "the list was carried over on the way"
    )
    return told


def healthy(story: Story, told: Recorded, folder: Path) -> None:
    """The list and the vault agree, nothing is said that did not happen, and nothing is left that nobody will remove."""
    vault = told.opened(folder)
    watch = Watch(vault, folder / "state", None, now=told.time)
    try:
        entries, head = watch.register.snapshot()
        assert flaws(entries, head, watch.register.public) == []
        missed = [
            one for each in entries if each.entry.kind == "missed" for one in each.entry.body["troubles"]
        ]  # type: ignore[attr-defined]
        assert {name for _, name, _ in missed} <= told.taken, missed
        assert {name for _, name in watch.roll.troubles} <= told.taken
        every = vault.snapshots()
        assert watch.set_back(every) == []
        heads = [one for one in every if head_of(one)]
        assert len(heads) <= HEADS, "heads of the list that nobody removes"
        here = {one.id for _, one in of_scope(vault, story.scope)} - told.taken
        assert here == watch.roll.live.keys() - told.taken
        assert not watch.roll.leaving.keys() - here - told.taken
    finally:
        watch.close()
    verdict = verify(vault)
    assert verdict.sound, verdict.troubles


def cut_everywhere(story: Story, told: Recorded, cuts: Sequence[int], *, seeds: Sequence[int]) -> int:
    """Cut, look, thin again in ten minutes and on each of the next days; the number of cuts."""
    looked = 0
    for name, count, folder in told.states(cuts, seeds):
        vault = told.opened(folder)
        verdict = verify(vault)
        assert verdict.sound, (name, verdict.troubles, verdict.lost)
        roll = read_roll(folder / "state")
        safe = {one for at, one in told.said if at <= count} - told.taken
        gone = safe - {one.id for one in vault.snapshots()}
        assert gone <= told.let_go, (name, "an acknowledged snapshot is lost")
        assert not gone or (roll and gone & roll.live.keys() <= roll.leaving.keys()), (
            name,
            "removed unannounced",
        )
        for span in (10 * MINUTE, DAY, DAY + MINUTE):
            told.time.now += span
            vault = told.opened(folder)
            kept = {one for one, keep in story.thin(vault, folder / "state").items() if keep}
            assert kept <= {one.id for one in vault.snapshots()}, (name, "removed though it was kept")
        try:
            healthy(story, told, folder)
        except AssertionError as error:
            raise AssertionError(name, str(told.disk.ops[count - 1][:2])) from error
        looked += 1
    return looked


STORIES = [
    pytest.param(OfDatabase(), True, id="database"),
    pytest.param(OfDatabase(), False, id="database-undated"),
    pytest.param(OfShare(), True, id="share"),
    pytest.param(OfNeither(), True, id="neither"),
]


@pytest.mark.parametrize(("story", "dated"), STORIES)
def test_a_thinning_cut_anywhere_goes_on(story: Story, dated: bool, tmp_path: Path, time: Time) -> None:
    """A sample: nothing kept is removed, nothing is told lost, back or set back, and no head stays for ever."""
    told = record(story, tmp_path, time, dated=dated)
    assert cut_everywhere(story, told, told.cuts(every=61), seeds=(2,)) >= 4


@pytest.mark.torture
@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize(("story", "dated"), STORIES)
def test_a_thinning_cut_after_each_gesture_goes_on(
    story: Story, dated: bool, seed: int, tmp_path: Path, time: Time
) -> None:
    """Every write, fsync, rename, unlink and commit of the whole story."""
    told = record(story, tmp_path, time, dated=dated)
    assert cut_everywhere(story, told, told.cuts(), seeds=(seed,)) > 200


def _restic_agrees(story: Story, told: Recorded, cuts: Sequence[int], *, seed: int) -> None:
    for name, _, folder in told.states(cuts, [seed]):
        assert "no errors" in restic("restic", folder / "vault", "check", "--read-data"), name
        told.time.now += 10 * MINUTE
        story.thin(told.opened(folder), folder / "state")
        assert "no errors" in restic("restic", folder / "vault", "check", "--read-data"), name


@pytest.mark.needs("restic")
@pytest.mark.parametrize(("story", "dated"), [STORIES[0], STORIES[2]])
def test_restic_finds_no_error_after_a_thinning_was_cut(
    story: Story, dated: bool, tmp_path: Path, time: Time
) -> None:
    """Nor once the next one has gone on from there: a few cuts."""
    told = record(story, tmp_path, time, dated=dated)
    _restic_agrees(story, told, told.cuts(every=311), seed=2)


@pytest.mark.needs("restic")
@pytest.mark.torture
@pytest.mark.parametrize(("story", "dated"), STORIES)
def test_restic_finds_no_error_after_any_cut_of_a_thinning(
    story: Story, dated: bool, tmp_path: Path, time: Time
) -> None:
    """One cut in five, which comes by every gesture."""
    told = record(story, tmp_path, time, dated=dated)
    _restic_agrees(story, told, told.cuts(every=5), seed=2)


def test_a_removal_that_was_cut_is_confirmed_by_the_next(tmp_path: Path, time: Time) -> None:
    """Every cut of one thinning: what is gone was announced, and nobody calls it lost afterwards."""
    story = OfNeither()
    told = record(story, tmp_path, time, dated=True)
    assert cut_everywhere(story, told, range(told.marks[-1][0], len(told.disk.ops) + 1), seeds=(1,)) > 40


def test_a_head_that_a_cut_left_goes_in_its_turn(tmp_path: Path, time: Time) -> None:
    """From the snapshot that carries a head to the removal of the oldest one: every cut between."""
    story = OfShare()
    told = record(story, tmp_path, time, dated=True)
    first, last = _writing_of_the_last_head(told)
    assert cut_everywhere(story, told, range(first, last + 1), seeds=(1,)) > 15


def _writing_of_the_last_head(told: Recorded) -> tuple[int, int]:
    """The operations from its creation to the removal of an older one, by their numbers."""
    folder = told.base / "vault" / "snapshots"
    since = told.marks[-1][0]
    here = [
        (at, what)
        for at, (what, path, _) in enumerate(told.disk.ops)
        if at >= since and path.parent == folder
    ]
    first = next(at for at, what in here if what == "create")
    return first, next(at for at, what in here if what == "unlink" and at > first) + 1


def test_a_first_look_that_is_cut_tells_of_no_hole(tmp_path: Path, time: Time) -> None:
    """A long history that was thinned before its list began, killed at its n-th entry: its holes stay those of before."""
    vault = create(TimedStore(tmp_path / "vault", time, {}), PASSWORD, time.now, CHEAP)
    for number in range(1, 1200, 2):
        tags = Mark("d", 0, number).tags()
        vault.save_snapshot(
            snapshot_value(
                at=time.now, tree=bytes(32), paths=["/d"], hostname="h", username="u", uid=0, gid=0, tags=tags
            )
        )
    known = of_scope(vault, "d")
    for limit in itertools.count():
        state = tmp_path / str(limit)
        with pytest.MonkeyPatch.context() as patch:
            over = _killed_at_entry(limit, patch, lambda state=state: _look(vault, state, known, time))
        for _ in range(2):
            time.now += 2 * MINUTE
            assert _look(vault, state, known, time) == []
        if over:
            break
    assert limit == 2, "the list is opened, and has all"


class _Killed(BaseException):
    pass


def _killed_at_entry(limit: int, patch: pytest.MonkeyPatch, act: Callable[[], object]) -> bool:
    """Whether it came to its end before its entry of that number."""
    append, count = Register.append, itertools.count()

    def counted(register: Register, *given: Any) -> object:
        if next(count) >= limit:
            raise _Killed
        return append(register, *given)

    patch.setattr(Register, "append", counted)
    try:
        act()
    except _Killed:
        return False
    return True


def _look(
    vault: Repository, state: Path, known: Sequence[tuple[Mark | None, Snapshot]], time: Time
) -> list[str]:
    watch = Watch(vault, state, "d", now=time)
    try:
        return [one.what for one in watch.look(known)]
    finally:
        watch.close()


def test_an_entry_is_in_the_list_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's journal cut anywhere in a commit: the list ends before that entry or after it, and is sound."""
    state, cut = tmp_path / "state", tmp_path / "cut"
    journal = state / "register.sqlite3-wal"
    register = Register(state)
    asked = [
        register._rows.database.execute(f"PRAGMA {one}").fetchone() for one in ("journal_mode", "synchronous")
    ]
    assert asked == [("wal",), (2,)], "each commit is synced"
    at = datetime(2026, 3, 9, tzinfo=UTC)
    first = register.append("seen", {"snapshots": []}, at)
    before = journal.stat().st_size
    second = register.append("seen", {"snapshots": ["x" * 9000]}, at)
    raw = journal.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
    announced = Witness((first.seq, first.hash), (second.seq, second.hash))
    ends = set()
    for size in [*range(before, len(raw), 331), len(raw)]:
        for rest in (b"", bytes(len(raw) - size)):
            shutil.copytree(state, cut)
            (cut / journal.name).write_bytes(raw[:size] + rest)
            WitnessFile(cut, "register.head").write(announced)
            again = Register(cut)
            entries, head = again.snapshot()
            again.append("seen", {"snapshots": []}, at)
            more, end = again.snapshot()
            assert flaws(entries, head, again.public) + flaws(more, end, again.public) == [], size
            ends.add((size == len(raw), len(entries)))
            again.close()
            shutil.rmtree(cut)
    assert ends == {(False, 1), (True, 2)}
    register.close()
