"""WAL on its way into the vault: pieces that grow, chapters, what a cut leaves, who covers whom."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from releve.adapters.engines.postgresql.archive import instants
from releve.adapters.engines.postgresql.archive.catalogue import Base, Catalogue, chapters
from releve.adapters.engines.postgresql.archive.covering import covered
from releve.adapters.engines.postgresql.archive.keeping import Claim, Keeper, _Chapter, _plain
from releve.adapters.engines.postgresql.archive.marks import BaseMark, Place, WalMark, mark_of, place
from releve.adapters.engines.postgresql.archive.pieces import LARGEST, MANY, begins_as, grown
from releve.adapters.engines.postgresql.archive.segments import Wal, wal_of
from releve.adapters.engines.postgresql.archive.spool import Spool
from releve.adapters.engines.postgresql.archive.trees import Trees
from releve.adapters.engines.postgresql.archive.windows import timelines
from releve.adapters.vault.node import Node
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from releve.adapters.vault.writer import Writer
from releve.domain.errors import Refused
from releve.entrypoints.cli.root import command_line
from tests.fault.recording_disk import RecordingDisk, replay
from tests.vaults import PASSWORD, forget, fresh, now, reopened

SEGMENT = 1 << 20
T0 = datetime(2026, 3, 9, 12, tzinfo=UTC)
_NO_SNAPSHOT = Snapshot("s", T0, b"", ())


class Blobs:
    """Where pieces go."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.saved = 0

    def save(self, piece: memoryview) -> bytes:
        identity = hashlib.sha256(piece).digest()
        if identity not in self.kept:
            self.saved += len(piece)
        self.kept[identity] = bytes(piece)
        return identity


@settings(deadline=None, max_examples=25)
@given(steps=st.lists(st.integers(1, 90_000), min_size=1, max_size=60), torn=st.booleans())
def test_a_segment_that_grows_is_always_read_back_whole(steps: list[int], torn: bool) -> None:
    """Whatever the steps, and even if what was kept before was torn: the blobs are the file, and few."""
    size = 3 * LARGEST
    whole = random.Random(len(steps)).randbytes(size)
    blobs = Blobs()
    known: list[tuple[bytes, int]] = []
    end = 0
    for number, step in enumerate(steps):
        end = min(end + step, size)
        data = whole[:end] + bytes(size - end)
        if torn and number == len(steps) // 2:
            data = bytes(100) + data[100:]
        content = grown(memoryview(data), end, known, blobs.save)
        assert b"".join(blobs.kept[one] for one in content) == data
        known = [(one, len(blobs.kept[one])) for one in content]
        assert len(content) <= MANY + 2 * size // LARGEST + 2


def test_what_was_kept_of_a_segment_is_not_kept_again() -> None:
    """A segment filled in 200 steps costs less than five times its size, and not a hundred times."""
    whole = random.Random(1).randbytes(LARGEST)
    blobs = Blobs()
    known: list[tuple[bytes, int]] = []
    for end in range(LARGEST // 200, LARGEST + 1, LARGEST // 200):
        content = grown(memoryview(whole[:end] + bytes(LARGEST - end)), end, known, blobs.save)
        known = [(one, len(blobs.kept[one])) for one in content]
    zeros = sum(len(one) for one in blobs.kept.values() if not one.strip(b"\0"))
    assert blobs.saved - zeros < 8 * LARGEST


def test_a_place_and_its_name_are_the_same() -> None:
    """Names of WAL files are read as PostgreSQL writes them, for segments of any size."""
    assert Place(2, 0x1FF).name(16 << 20) == "0000000200000001000000FF"
    for size in (1 << 20, 16 << 20, 1 << 30):
        for number in (0, 1, 255, 256, 4095, 4096, 70_000):
            assert place(Place(3, number).name(size) + ".partial", size) == Place(3, number)
    assert place("00000002.history", 16 << 20) is None


def test_the_last_instant_of_each_segment_stays() -> None:
    """The list of instants grows by one line a segment, and is read back as it was written."""
    known: dict[int, datetime] = {}
    for step in range(100):
        known = instants.with_one(known, 1 + step * SEGMENT // 10, T0 + timedelta(seconds=step), SEGMENT)
    assert len(known) == 10
    assert known[max(known)] == T0 + timedelta(seconds=99)
    assert instants.read(instants.write(known)) == known


class Writing:
    """A spool as pg_receivewal would fill it, and the keeper that empties it."""

    def __init__(self, base: Path, vault: Repository) -> None:
        self.spool = Spool(base / "spool", SEGMENT)
        self.vault = vault
        self.keeper = Keeper(vault, "dossiers", "7", now=now)
        self.random = random.Random(5)
        self.content: dict[int, bytes] = {}

    def write(self, number: int, size: int, timeline: int = 1) -> None:
        """Segment `number` filled up to `size`; partial unless that is all of it."""
        before = self.content.get(number, b"")
        data = before + self.random.randbytes(max(0, size - len(before) - 1)) + b"\1"
        self.content[number] = data[:size]
        name = self.spool.folder / Place(timeline, number).name(SEGMENT)
        partial = name.with_name(name.name + ".partial")
        if size == SEGMENT:
            partial.unlink(missing_ok=True)
        (name if size == SEGMENT else partial).write_bytes(self.content[number] + bytes(SEGMENT - size))

    def keep(self, at: datetime = T0) -> str:
        files = self.spool.files()
        kept = self.keeper.keep(files, [], Claim(1, files[-1].end, at))
        self.spool.clear(kept.names)
        return kept.snapshot

    def known(self) -> Wal:
        vault = reopened(Path(self.vault.store.where))
        vault.load_index()
        return wal_of(vault, Catalogue(vault, "dossiers").look(), SEGMENT)


@pytest.fixture
def writing(tmp_path: Path) -> Writing:
    """A vault, a spool, a keeper."""
    return Writing(tmp_path, fresh(tmp_path / "vault"))


def _read(vault: Repository, wal: Wal, number: int) -> bytes:
    return b"".join(vault.blob(one) for one in wal.segments[Place(1, number)].node.content)


def test_the_last_snapshot_of_a_chapter_has_all_of_it(writing: Writing) -> None:
    """Segments leave the spool once kept, and the newest snapshot alone still gives every one of them."""
    for number in range(1, 5):
        for size in (1000, 300_000, SEGMENT):
            writing.write(number, size)
            writing.keep(T0 + timedelta(seconds=number))
    assert len(writing.spool.files()) == 1
    (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
    wal = wal_of(writing.vault, same[-1:], SEGMENT)
    assert sorted(at.number for at in wal.segments) == [1, 2, 3, 4]
    assert all(_read(writing.vault, wal, number) == writing.content[number] for number in range(1, 5))
    assert max(wal.proofs)[1:] == (5 * SEGMENT, T0 + timedelta(seconds=4))
    assert covered(writing.vault, same) == {one.snapshot.id for one in same[:-1]}


def test_a_segment_that_became_whole_without_another_byte_is_whole(writing: Writing) -> None:
    """A server that changes segments fills the rest with zeros, as the begun file was: the same bytes, under another name."""
    writing.write(1, 5000)
    writing.keep()
    (begun,) = writing.spool.files()
    begun.path.rename(begun.path.with_name(begun.whole_name))
    writing.write(2, 700)
    writing.keep()
    wal = writing.known()
    assert {at.number: one.partial for at, one in wal.segments.items()} == {1: False, 2: True}
    assert wal.segments[Place(1, 1)].end == 2 * SEGMENT
    assert not wal.doubled


def _with_history(writing: Writing, timeline: int, text: str) -> Path:
    path = writing.spool.folder / f"{timeline:08X}.history"
    path.write_text(text)
    return path


def _keep_with(writing: Writing, history: Path, timeline: int) -> str:
    files = writing.spool.files()
    return writing.keeper.keep(files, [history], Claim(timeline, files[-1].end, T0)).snapshot


def test_a_timeline_whose_number_another_one_bears_in_the_vault_is_refused_until_that_one_is_gone(
    writing: Writing,
) -> None:
    """A relief promoted by mistake, rebuilt, promoted again: the first of the two goes on a person's word, then all is kept."""
    writing.write(1, SEGMENT)
    writing.keep()
    writing.write(2, 5000, timeline=2)
    first = _keep_with(writing, _with_history(writing, 2, "1\t0/200000\tx\n"), 2)
    writing.spool.leave()
    assert list(writing.spool.folder.iterdir()) == []
    assert writing.keeper.ends() == {1: 2 * SEGMENT, 2: 2 * SEGMENT + 5000}
    again = _with_history(writing, 2, "1\t0/300000\tx\n")
    writing.write(2, SEGMENT)
    writing.write(3, 700, timeline=2)
    writing.keeper = Keeper(writing.vault, "dossiers", "7", now=now)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            _keep_with(writing, again, 2)
        assert refused.value.code == "timeline-reused"
        assert "--drop-timeline 2" in refused.value.sentence
    forget(writing.vault, first)
    _keep_with(writing, again, 2)
    writing.write(3, 900, timeline=2)
    _keep_with(writing, again, 2)
    wal = writing.known()
    assert wal.histories[2].began == 0x300000
    assert not wal.doubled


def test_a_history_is_kept_with_its_own_timeline_and_those_after_it(writing: Writing) -> None:
    """The WAL of the first timeline goes on without that of the second, which may be abandoned."""
    history = _with_history(writing, 2, "1\t0/200000\tx\n")
    writing.write(1, 5000)
    _keep_with(writing, history, 1)
    assert not writing.known().histories
    writing.write(2, 5000, timeline=2)
    _keep_with(writing, history, 2)
    assert set(writing.known().histories) == {2}


def test_an_archiver_that_lost_its_memory_goes_on_from_the_vault(writing: Writing) -> None:
    """A new keeper keeps what the last one kept, adds what is new, and takes nothing back."""
    writing.write(1, SEGMENT)
    writing.write(2, 500_000)
    writing.keep()
    writing.keeper = Keeper(writing.vault, "dossiers", "7", now=now)
    writing.write(2, 700_000)
    writing.keep()
    partial = writing.spool.folder / (Place(1, 2).name(SEGMENT) + ".partial")
    shorter = writing.content[2][:600_000]
    partial.write_bytes(shorter + bytes(SEGMENT - 600_000))  # received anew, not yet as far as before
    files = writing.spool.files()
    writing.keeper.keep(files, [], None)
    wal = writing.known()
    assert _read(writing.vault, wal, 2) == writing.content[2] + bytes(SEGMENT - 700_000)
    assert _read(writing.vault, wal, 1) == writing.content[1]


def test_an_emptied_snapshot_hides_nothing_and_covers_nothing(writing: Writing) -> None:
    """Somebody who may only add writes a fuller-looking snapshot without a file: it is found, and nothing goes."""
    for number in (1, 2, 3):
        writing.write(number, SEGMENT)
        writing.keep()
    forged = Keeper(writing.vault, "dossiers", "7", now=now)
    thief = Spool(writing.spool.folder.parent / "thief", SEGMENT)
    (thief.folder / Place(1, 9).name(SEGMENT)).write_bytes(b"\1" * SEGMENT)
    forged._look()
    forged._chapters["0000000100000000"] = _Chapter()  # as if the vault had nothing of it
    forged.keep(thief.files(), [], None)
    (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
    assert same[-1].mark.until == 10 * SEGMENT
    assert covered(writing.vault, same) == {one.snapshot.id for one in same[:2]}  # by the third, which stays
    numbers = {at.number for at in writing.known().segments}
    assert {1, 2, 3} <= numbers


def _forge(writing: Writing, chapter: str, until: int, files: dict[str, bytes]) -> None:
    """A snapshot of a chapter with any files in it, as somebody may write who has the key and may only add."""
    forged = Keeper(writing.vault, "dossiers", "7", now=now)
    forged._look()
    nodes = {
        name: _plain(name, len(data), 1, (forged._writer.save(BlobKind.DATA, data),))
        for name, data in files.items()
    }
    forged._write({chapter: _Chapter(nodes, claimed=until)}, None)
    forged.close()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"abc": b"1", "x.history": b"1", "000000010000000000000zzz": b"1", "wal.instants": b"1", "é": b"1"},
        {Place(1, 1).name(SEGMENT): b"\1" * SEGMENT},
        {Place(1, number).name(SEGMENT): b"court" for number in range(1, 10)},
        {Place(1, number).name(SEGMENT): b"\1" * 2 * SEGMENT for number in range(1, 10)},
        {"0000000100000001" + tail: b"\1" * SEGMENT for tail in ("00000000", "00000001")},
        {"00000002.history": b"1 123456789/0"},
    ],
    ids=["nothing", "odd names", "a part", "too short", "too long", "another chapter", "no history"],
)
def test_a_forged_snapshot_hides_no_wal(writing: Writing, files: dict[str, bytes]) -> None:
    """Whatever it holds and claims: what is good is read, nothing crashes, nothing goes, and archiving goes on."""
    for number in (1, 2, 3):
        writing.write(number, SEGMENT)
        writing.keep()
    _forge(writing, "0000000100000000", 10 * SEGMENT, files)
    (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
    assert same[-1].mark.until == 10 * SEGMENT
    assert not covered(writing.vault, same) & {one.snapshot.id for one in same[2:]}
    wal = writing.known()
    assert wal.size == SEGMENT
    assert not wal.histories
    assert {1, 2, 3} <= {at.number for at in wal.segments}
    assert all(_read(writing.vault, wal, number) == writing.content[number] for number in (1, 2, 3))
    assert max(wal.segments.values(), key=lambda one: one.at.number).at.number <= 9
    if "abc" in files:
        writing.keeper = Keeper(writing.vault, "dossiers", "7", now=now)
        writing.write(4, SEGMENT)
        writing.keep()
        (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
        kept = next(
            one for one in same if Place(1, 4).name(SEGMENT) in Trees(writing.vault).files(one.snapshot.tree)
        )
        assert not files.keys() & Trees(writing.vault).files(kept.snapshot.tree).keys()


def _rival(writing: Writing, until: int, change: Callable[[_Chapter], None]) -> str:
    """A snapshot that has all that the vault has, but for what a thief changes, and says that it goes further; its id."""
    forged = Keeper(writing.vault, "dossiers", "7", now=now)
    forged._look()
    chapter = forged._chapter("0000000100000000").copy()
    change(chapter)
    chapter.claimed = until
    written = forged._write({"0000000100000000": chapter}, None)
    forged.close()
    return written


def _garbage(writing: Writing, name: str) -> Node:
    """A WAL file of the right size, with bytes of a thief's."""
    with closing(Writer(writing.vault)) as writer:
        blob = writer.save(BlobKind.DATA, b"\7" * SEGMENT)
        writer.flush()
    return _plain(name, SEGMENT, 1, (blob,))


@pytest.mark.parametrize("kind", [".partial", ""], ids=["partial", "whole"])
def test_a_forged_end_of_the_last_segment_covers_and_hides_nothing(writing: Writing, kind: str) -> None:
    """The archiver has stopped; a fuller snapshot has every file by its name, and garbage where the last one was filled."""
    writing.write(1, SEGMENT)
    for size in (1000, 400_000, 700_000):
        writing.write(2, size)
        last = writing.keep()
    name = Place(1, 2).name(SEGMENT)

    def forge(chapter: _Chapter) -> None:
        chapter.drop(name)
        chapter.files[name + kind] = _garbage(writing, name + kind)

    other = _rival(writing, 3 * SEGMENT, forge)
    (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
    assert same[-1].snapshot.id == other
    assert covered(writing.vault, same) == {one.snapshot.id for one in same[:-2]}
    assert same[-2].snapshot.id == last
    wal = writing.known()
    assert _read(writing.vault, wal, 2) == writing.content[2] + bytes(SEGMENT - 700_000)
    assert [(one.believed, one.other) for one in wal.doubled.values()] == [(last, other)]


@pytest.mark.parametrize("left", [0, 1])
def test_a_snapshot_that_lost_instants_covers_nothing(writing: Writing, left: int) -> None:
    """What was claimed, and when, is what a restore is proved by: a fuller snapshot without it takes nobody's place."""
    for number in (1, 2):
        writing.write(number, SEGMENT)
        last = writing.keep(T0 + timedelta(seconds=number))

    def forge(chapter: _Chapter) -> None:
        chapter.instants = dict(sorted(chapter.instants.items())[2 - left :])

    _rival(writing, 3 * SEGMENT, forge)
    (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
    assert covered(writing.vault, same) == {same[0].snapshot.id}
    assert same[1].snapshot.id == last
    assert max(writing.known().proofs)[1:] == (3 * SEGMENT, T0 + timedelta(seconds=2))


def test_garbage_under_right_names_hides_no_wal(writing: Writing) -> None:
    """A fuller snapshot with other bytes in whole files: those that came first are read, and the others are told."""
    for number in (1, 2, 3):
        writing.write(number, SEGMENT)
        writing.keep()
    names = [Place(1, number).name(SEGMENT) for number in (1, 2, 3)]
    other = _rival(
        writing,
        9 * SEGMENT,
        lambda chapter: chapter.files.update({name: _garbage(writing, name) for name in names}),
    )
    wal = writing.known()
    assert all(_read(writing.vault, wal, number) == writing.content[number] for number in (1, 2, 3))
    assert {(name, one.other) for name, one in wal.doubled.items()} == {(name, other) for name in names}


def test_a_snapshot_that_cannot_be_read_stops_nothing(writing: Writing) -> None:
    """A tree, or the bytes of a file, that no list has: all the rest is read, and the snapshot is named."""
    for number in (1, 2):
        writing.write(number, SEGMENT)
        good = writing.keep()
    value = json.loads(writing.vault.get(Kind.SNAPSHOTS, good))
    nowhere = _plain(Place(1, 7).name(SEGMENT), SEGMENT, 1, (hashlib.sha256(b"nulle part").digest(),))
    bad = {
        writing.vault.save_snapshot({**value, "tree": hashlib.sha256(b"aucun").hexdigest()}),
        _rival(writing, 8 * SEGMENT, lambda chapter: chapter.files.update({nowhere.name.decode(): nowhere})),
    }
    wal = writing.known()
    assert wal.unreadable.keys() == bad
    assert {at.number for at in wal.segments} == {1, 2}
    (same,) = chapters(Catalogue(writing.vault, "dossiers").look()).values()
    assert good not in covered(writing.vault, same)
    writing.keeper = Keeper(writing.vault, "dossiers", "7", now=now)
    writing.write(3, SEGMENT)
    kept = writing.keep()
    files = Trees(writing.vault).files(writing.vault.snapshot(kept).tree)
    assert Place(1, 3).name(SEGMENT) in files
    assert nowhere.name.decode() not in files


@pytest.mark.parametrize("size", [700_000, SEGMENT])
def test_an_archiver_believes_nothing_of_the_vault_that_it_did_not_compare(
    writing: Writing, size: int
) -> None:
    """It starts anew after somebody wrote garbage, beyond its end too: what it received is stored, and only then let go."""
    writing.write(1, SEGMENT)
    writing.keep()
    writing.write(2, size)
    later = Place(1, 200).name(SEGMENT)
    names = [Place(1, 2).name(SEGMENT), later]

    def forge(chapter: _Chapter) -> None:
        chapter.files |= {name: _garbage(writing, name) for name in names}

    _rival(writing, 201 * SEGMENT, forge)
    writing.keeper = Keeper(writing.vault, "dossiers", "7", now=now)
    files = writing.spool.files()
    kept = writing.keeper.keep(files, [], Claim(1, files[-1].end, T0))
    assert kept.snapshot
    snapshot = writing.vault.snapshot(kept.snapshot)
    mark = mark_of(snapshot)
    assert isinstance(mark, WalMark)
    assert mark.until == SEGMENT * 2 + size
    there = Trees(reopened(Path(writing.vault.store.where))).files(snapshot.tree)
    assert later not in there
    node = there[names[0] if size == SEGMENT else names[0] + ".partial"]
    assert b"".join(map(writing.vault.blob, node.content)) == writing.content[2] + bytes(SEGMENT - size)
    assert kept.names == {one.name for one in files if not one.partial}
    writing.write(2, SEGMENT)
    writing.keep()
    assert names[0] in writing.keeper.keep(writing.spool.files(), [], None).names


def test_a_forged_timeline_is_no_way(writing: Writing) -> None:
    """A number in a tag, or a history that says nothing: the newest timeline is one that a base leads to."""
    for number in (1, 2):
        writing.write(number, SEGMENT)
        writing.keep()
    base = Base(BaseMark("dossiers", "7", "b", 1, SEGMENT, SEGMENT + 9, T0, 160014, SEGMENT), _NO_SNAPSHOT)
    _forge(
        writing, "0000000900000000", 9 * SEGMENT, {"FFFFFFFF.history": b"rien", "00000009.history": b"1 0/5"}
    )
    _forge(writing, "0000000900000000", 9 * SEGMENT, {Place(9, 3).name(SEGMENT): b"\1" * SEGMENT})
    assert timelines(writing.known(), [base]) == [1]


@given(data=st.data())
def test_two_segments_are_compared_wherever_they_were_cut(data: st.DataObject) -> None:
    """The same bytes cut in any two ways begin alike; a byte that differs before the end is seen, after it is not."""
    whole = data.draw(st.binary(min_size=1, max_size=60))
    other = bytearray(whole)
    end = data.draw(st.integers(0, len(whole)))
    wrong = data.draw(st.none() | st.integers(0, len(whole) - 1))
    if wrong is not None:
        other[wrong] ^= 1
    blobs = Blobs()

    def cut(text: bytes) -> list[bytes]:
        at = sorted({0, len(text), *data.draw(st.lists(st.integers(0, len(text)), max_size=5))})
        return [blobs.save(memoryview(text[a:b])) for a, b in itertools.pairwise(at)]

    alike = begins_as(
        cut(whole), cut(bytes(other)), end, lambda one: len(blobs.kept[one]), blobs.kept.__getitem__
    )
    assert alike == (wrong is None or wrong >= end)
    assert not begins_as(
        cut(whole), cut(whole[:-1]), len(whole), lambda one: len(blobs.kept[one]), blobs.kept.__getitem__
    )


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("wal", "zz"),
        ("wal", "00000001000000000"),
        ("wal", "0000000100000000\n"),
        ("wal", "000000010000000g"),
        ("wal", "0000000200000000"),
        ("timeline", "٠"),
        ("timeline", "0"),
        ("timeline", "99999999999"),
        ("until", "zz"),
        ("safe", "hier"),
    ],
)
def test_a_mark_that_does_not_parse_is_none(writing: Writing, tag: str, value: str) -> None:
    """To the letter: a chapter of sixteen digits of its own timeline, a number, a position, an instant."""
    writing.write(1, 5000)
    good = writing.vault.snapshot(writing.keep(T0))
    assert mark_of(good) is not None
    others = tuple(one for one in good.tags if not one.startswith(f"{tag}="))
    assert mark_of(replace(good, tags=(*others, f"{tag}={value}"))) is None


@pytest.mark.parametrize(
    "wrong", ["segment=0", "segment=5", "segment=8589934592", "version=x", "stop=0/1", "timeline=-1"]
)
def test_a_mark_of_a_base_that_cannot_be_is_none(writing: Writing, wrong: str) -> None:
    """Segments of a size that no server has, an end before the beginning."""
    writing.write(1, 5000)
    snapshot = writing.vault.snapshot(writing.keep(T0))
    base = BaseMark("dossiers", "7", "b1", 1, SEGMENT, 2 * SEGMENT, T0, 160014, SEGMENT)
    assert mark_of(replace(snapshot, tags=base.tags())) == base
    tag = wrong.partition("=")[0]
    others = tuple(one for one in base.tags() if not one.startswith(f"{tag}="))
    assert mark_of(replace(snapshot, tags=(*others, wrong))) is None


def test_a_file_that_becomes_whole_after_it_was_listed_is_kept_with_the_claim(writing: Writing) -> None:
    """Between the look at the spool and the keeping, a file takes its whole name: what was claimed of it is there."""
    writing.write(1, SEGMENT)
    writing.write(2, 100_000)
    writing.keep()
    writing.write(2, 600_000)
    files = writing.spool.files()
    writing.write(2, SEGMENT)
    writing.keeper.keep(files, [], Claim(1, files[-1].end, T0))
    wal = writing.known()
    assert max(wal.proofs) == (1, files[-1].end, T0)
    assert _read(writing.vault, wal, 2)[:600_000] == writing.content[2][:600_000]
    writing.keep()
    assert _read(writing.vault, writing.known(), 2) == writing.content[2]


def test_no_look_at_the_spool_misses_a_file_while_they_take_their_names(tmp_path: Path) -> None:
    """Files become whole and the next ones begin, as fast as they can: each look has all up to its newest."""
    spool = Spool(tmp_path / "spool", 1024)
    names = [Place(1, number).name(1024) for number in range(4096)]
    (spool.folder / names[0]).write_bytes(b"\1" * 1024)

    def receive() -> None:
        for name in names[1:]:
            partial = spool.folder / f"{name}.partial"
            partial.write_bytes(b"\1" * 1024)
            partial.rename(spool.folder / name)

    receiving = threading.Thread(target=receive)
    receiving.start()
    looks = 0
    while receiving.is_alive():
        numbers = [one.at.number for one in spool.files()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        looks += 1
    receiving.join()
    assert looks > 3
    assert spool.files()[-1].at.number == len(names) - 1


def test_another_system_under_the_same_name_is_refused(writing: Writing) -> None:
    """WAL of two servers is never mixed."""
    writing.write(1, SEGMENT)
    writing.keep()
    with pytest.raises(Refused, match="garde un autre serveur"):
        Keeper(writing.vault, "dossiers", "8", now=now).prove_ours()


def test_a_cut_while_archiving_loses_no_acknowledged_wal(tmp_path: Path) -> None:
    """A cut after any write: the vault is sound, and whatever had left the spool, or been claimed, is in it."""
    disk = RecordingDisk()
    writing = Writing(tmp_path, fresh(tmp_path / "vault", disk))
    begun = len(disk.ops)
    acknowledged: list[tuple[int, str]] = []
    for number in (1, 2):
        for size in (200_000, SEGMENT):
            writing.write(number, size)
            acknowledged.append((0, writing.keep()))
            acknowledged[-1] = (len(disk.ops), acknowledged[-1][1])
    looked = 0
    for count in range(begun, len(disk.ops) + 1):
        for seed in (0, 2):
            state = tmp_path / "cut"
            replay(disk.ops[:count], tmp_path / "vault", state, seed * 1000 + count if seed > 1 else seed)
            vault = reopened(state)
            assert verify(vault).sound, (count, seed)
            there = {one.id for one in vault.snapshots()}
            assert {name for at, name in acknowledged if at <= count} <= there, (count, seed)
            shutil.rmtree(state)
            looked += 1
    assert looked > 60


def test_a_mark_is_read_back_from_its_tags(writing: Writing) -> None:
    """What the tags say is what was meant; a snapshot of anything else has no mark."""
    writing.write(1, 5000)
    name = writing.keep(T0)
    snapshot = writing.vault.snapshot(name)
    mark = mark_of(snapshot)
    assert mark is not None
    assert mark.tags() == snapshot.tags
    assert "wal=0000000100000000" in snapshot.tags
    assert "safe=2026-03-09T12:00:00Z" in snapshot.tags


@pytest.mark.parametrize("listed", [False, True])
def test_the_vaults_own_forgetting_takes_nothing_of_a_database(
    writing: Writing, tmp_path: Path, listed: bool
) -> None:
    """`releve vault forget`, with a list or without, leaves every chapter to `releve database forget`, and says so."""
    for size in (1000, 2000):
        writing.write(1, size, 1)
        writing.keeper.keep(writing.spool.files(), [], None)
    before = [one.id for one in writing.vault.snapshots()]
    argv = ["vault", "forget", writing.vault.store.where, "--keep-last", "1", "--minimum-age", "0", "--yes"]
    argv += ["--register", str(tmp_path / "liste")] if listed else []
    ran = CliRunner().invoke(command_line(), argv, env={"RELEVE_VAULT_KEY": PASSWORD})
    assert ran.exit_code == 0, ran.output
    assert "database forget" in ran.output
    kept = {one.id for one in writing.vault.snapshots()}
    assert len(before) == 2
    assert set(before) <= kept
