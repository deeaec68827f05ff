"""What PostgreSQL's programs print, read back: samples of versions 15 and 18."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.engines.postgresql import parse
from releve.adapters.engines.postgresql.parse import Life, Relation

CONTROL = """\
pg_control version number:            1300
Database system identifier:           7711489564307934483
Database cluster state:               in production
Latest checkpoint location:           1/03000060
Latest checkpoint's REDO location:    1/03000028
Latest checkpoint's TimeLineID:       2
Time of latest checkpoint:            Mon 23 Nov 2026 09:30:29 PM UTC
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
Bytes per WAL segment:                16777216
"""

WAL_15 = """\
rmgr: Heap        len (rec/tot):     61/    61, tx:        725, lsn: 0/01529378, prev 0/01528CE0, desc: INSERT+INIT off 1 flags 0x00, blkref #0: rel 1663/5/16384 blk 0
rmgr: Btree       len (rec/tot):     64/    64, tx:        725, lsn: 0/01529418, prev 0/015293B8, desc: INSERT_LEAF off 1, blkref #0: rel 1663/5/16389 blk 1
rmgr: Heap        len (rec/tot):     69/    69, tx:        725, lsn: 0/01529558, prev 0/01529518, desc: HOT_UPDATE off 1 xmax 725 flags 0x20 ; new off 4 xmax 0, blkref #0: rel 1663/5/16384 blk 0
rmgr: Heap        len (rec/tot):     54/    54, tx:        725, lsn: 0/015295A0, prev 0/01529558, desc: DELETE off 2 flags 0x00 KEYS_UPDATED , blkref #0: rel 1663/5/16384 blk 0
rmgr: Transaction len (rec/tot):     34/    34, tx:        725, lsn: 0/015295D8, prev 0/015295A0, desc: COMMIT 2026-11-23 21:30:29.011770 UTC
rmgr: Heap        len (rec/tot):     61/    61, tx:        726, lsn: 0/01529600, prev 0/015295D8, desc: INSERT off 5 flags 0x00, blkref #0: rel 1663/5/16384 blk 0
rmgr: Heap        len (rec/tot):     61/    61, tx:        727, lsn: 0/01529680, prev 0/01529640, desc: INSERT off 6 flags 0x00, blkref #0: rel 1663/5/16384 blk 0
rmgr: Transaction len (rec/tot):     46/    46, tx:        726, lsn: 0/01529740, prev 0/01529700, desc: COMMIT 2026-11-23 21:30:29.022989 UTC; subxacts: 727
rmgr: Heap        len (rec/tot):     65/    65, tx:        728, lsn: 0/01529770, prev 0/01529740, desc: INSERT off 7 flags 0x00, blkref #0: rel 1663/5/16384 blk 0
rmgr: Transaction len (rec/tot):     34/    34, tx:        728, lsn: 0/015297F8, prev 0/015297B8, desc: ABORT 2026-11-23 21:30:29.023291 UTC
rmgr: Heap2       len (rec/tot):     82/    82, tx:        729, lsn: 0/01529820, prev 0/015297F8, desc: MULTI_INSERT 2 tuples flags 0x02, blkref #0: rel 1663/5/16384 blk 0
rmgr: Transaction len (rec/tot):     34/    34, tx:        729, lsn: 0/015298F8, prev 0/015298B8, desc: COMMIT 2026-11-23 21:30:29.023451 UTC
"""
WAL_18 = """\
rmgr: Heap        len (rec/tot):     69/    69, tx:        753, lsn: 0/0171C578, prev 0/0171C538, desc: HOT_UPDATE old_xmax: 753, old_off: 1, old_infobits: [], flags: 0x20, new_xmax: 0, new_off: 4, blkref #0: rel 1663/5/16384 blk 0
rmgr: Heap        len (rec/tot):     54/    54, tx:        753, lsn: 0/0171C5C0, prev 0/0171C578, desc: DELETE xmax: 753, off: 2, infobits: [KEYS_UPDATED], flags: 0x00, blkref #0: rel 1663/5/16384 blk 0
rmgr: Heap2       len (rec/tot):     82/    82, tx:        753, lsn: 0/0171C840, prev 0/0171C818, desc: MULTI_INSERT ntuples: 2, flags: 0x02, offsets: [8, 9], blkref #0: rel 1663/5/16384 blk 0
rmgr: Heap        len (rec/tot):    258/   258, tx:        753, lsn: 0/01722DF0, prev 0/01722CE8, desc: INPLACE off: 6; inval msgs: catcache 57 catcache 56 relcache 16390, blkref #0: rel 1663/5/1259 blk 0
rmgr: Transaction len (rec/tot):    178/   178, tx:        753, lsn: 0/01722EF8, prev 0/01722DF0, desc: COMMIT 2026-11-23 21:30:30.834693 UTC; inval msgs: catcache 65 relcache 16384
"""
TABLE = Relation(5, 16384)


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_a_position_reads_back(position: int) -> None:
    """What is written as PostgreSQL writes it is read as the same number of bytes."""
    assert parse.lsn(parse.say_lsn(position)) == position


def test_a_control_file_gives_positions_in_bytes() -> None:
    """A server that crashed is not taken for one that was stopped."""
    control = parse.control(CONTROL)
    assert control is not None
    assert (control.checkpoint, control.redo, control.timeline) == (2**32 + 0x3000060, 2**32 + 0x3000028, 2)
    assert not control.clean
    assert parse.control(CONTROL.replace("in production", "shut down")).clean  # type: ignore[union-attr]
    assert not parse.control(CONTROL.replace("in production", "shut down in recovery")).clean  # type: ignore[union-attr]


def test_a_control_file_in_another_language_is_not_half_read() -> None:
    """Words that are not the expected ones give nothing, rather than zeros."""
    assert parse.control(CONTROL.replace("Latest checkpoint location", "Dernier point de contrôle")) is None


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (
            "pg_waldump: error: error in WAL record at 0/152FB40: invalid record length at 0/152FBF8: wanted 24, got 0",
            0x152FBF8,
        ),
        (
            "pg_waldump: error: error in WAL record at 0/1722EF8: invalid record length at 0/1722FB0: expected at least 24, got 0",
            0x1722FB0,
        ),
        ("pg_waldump: error: could not find a valid record after 0/3000000", 0x3000000),
        (
            "pg_waldump: error: error in WAL record at 0/1722EF8: invalid magic number 0000 in log segment",
            None,
        ),
        ('pg_waldump: error: could not find file "00000001000000000000000D": No such file', None),
    ],
)
def test_the_end_of_wal_is_what_the_program_names_or_unknown(said: str, end: int | None) -> None:
    """A position that is too low would let a loss pass for none: better none at all."""
    assert parse.wal_end(said) == end


def test_commits_keep_their_savepoints_and_leave_out_what_was_undone() -> None:
    """Version 15: savepoints count with their transaction, the aborted one is not there."""
    found = parse.transactions(WAL_15.splitlines())
    assert [done.xids for done in found] == [(725,), (726, 727), (729,)]
    assert {(rel, kind): count for rel, kind, count in found[0].writes} == {
        (TABLE, "insert"): 1,
        (TABLE, "update"): 1,
        (TABLE, "delete"): 1,
    }
    assert found[1].writes == ((TABLE, "insert", 2),)
    assert found[2].writes == ((TABLE, "insert", 2),)
    assert found[0].at == datetime(2026, 11, 23, 21, 30, 29, 11770, tzinfo=UTC)


def test_the_newer_wording_counts_the_same() -> None:
    """Version 18 writes the same facts otherwise; in-place updates of catalogs are nobody's work."""
    (done,) = parse.transactions(WAL_18.splitlines())
    assert sorted(done.writes, key=lambda write: write[1]) == [
        (TABLE, "delete", 1),
        (TABLE, "insert", 2),
        (TABLE, "update", 1),
    ]


def test_a_transaction_without_its_commit_is_not_reported() -> None:
    """What the crash cut short was never acknowledged."""
    assert parse.transactions(WAL_15.splitlines()[:4]) == []


@pytest.mark.parametrize(
    ("stat", "seen"),
    [
        ("77 (postgres) S 1 77 77 0", Life.LIVES),
        ("77 (postgres) Z 1 77 77 0", Life.ZOMBIE),
        ("77 (a) b) S 1", Life.GONE),
        ("", Life.GONE),
    ],
)
def test_a_zombie_is_dead_and_another_program_is_not_ours(stat: str, seen: Life) -> None:
    """A number given to another program since does not keep a server alive."""
    assert parse.life(stat) is seen


def test_wal_files_are_followed_up_to_the_first_gap() -> None:
    """Beyond a missing file nothing is read: pg_waldump would wait for it."""
    names = [
        "000000010000000000000002",
        "000000010000000000000003",
        "000000010000000000000005",
        "00000002.history",
        "000000020000000000000004",
        "000000010000000000000004.partial",
        "archive_status",
    ]
    files = parse.segments(names, 1 << 20)
    assert [file.start >> 20 for file in files] == [2, 3, 4, 4, 5]
    assert parse.unbroken(files, 1, (2 << 20) + 40, 1 << 20) == 4 << 20
    assert parse.unbroken(files, 1, (9 << 20) + 40, 1 << 20) == (9 << 20) + 40


def test_the_socket_lock_of_a_dead_server_is_found_from_its_lock_file() -> None:
    """Without a socket there is none to look for."""
    text = "8186\n/data/main\n1795471079\n5432\n/var/run/postgresql\n127.0.0.1\n"
    assert parse.postmaster_pid(text) == 8186
    assert parse.socket_lock(text) == "/var/run/postgresql/.s.PGSQL.5432.lock"
    assert parse.socket_lock(text.replace("/var/run/postgresql", "")) == ""
