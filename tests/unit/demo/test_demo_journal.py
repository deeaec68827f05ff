"""The witness's journal and the arithmetic of silences."""

import threading
from datetime import UTC, datetime

import pytest

from releve.demo.journal import Ack, Journal, Miss, outage, read_journal, silences

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
A, B = "http://127.0.0.1:1", "http://127.0.0.1:2"


def ack(monotonic, *, author="Infirmier 1", url=A, seq=None):
    """An acknowledgement at that instant."""
    number = round(monotonic * 1000) if seq is None else seq
    return Ack(f"{author}-{number}", author, number, "rien à signaler", url, NOON, monotonic)


def test_what_was_written_is_read_back_whole(tmp_path):
    """Acknowledgements and misses survive the file exactly, accents and instants included."""
    journal = Journal(tmp_path / "j")
    miss = Miss("x", "Éducatrice 2", 7, NOON, 1.5, ((A, "timeout"), (B, "503 closed")))
    journal.acknowledge(ack(2.0))
    journal.miss(miss)
    journal.acknowledge(ack(1.0))
    journal.close()
    assert read_journal(tmp_path / "j") == ([ack(1.0), ack(2.0)], [miss])


def test_an_acknowledgement_is_on_the_disk_before_its_writer_goes_on(tmp_path):
    """When `acknowledge` returns, another reader of the file finds the record."""
    journal = Journal(tmp_path / "j")
    try:
        for number in range(20):
            journal.acknowledge(ack(float(number)))
            assert len(read_journal(tmp_path / "j")[0]) == number + 1
    finally:
        journal.close()


def test_writers_share_the_journal(tmp_path):
    """Several threads at once: every record is there once."""
    journal = Journal(tmp_path / "j")

    def work(author):
        for number in range(50):
            journal.acknowledge(ack(float(number), author=author))

    threads = [threading.Thread(target=work, args=(f"Veilleur {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    acks, _ = read_journal(tmp_path / "j")
    assert len(acks) == 200
    assert len({found.id for found in acks}) == 200


def test_a_failed_flush_is_told_to_the_writer(tmp_path):
    """A journal that cannot be written raises, and goes on raising: it never counts in silence."""
    journal = Journal(tmp_path / "j")
    journal._file.close()
    journal._file = open("/dev/full", "ab", buffering=0)  # noqa: PTH123, SIM115 - closed by the journal
    with pytest.raises(OSError, match="space"):
        journal.acknowledge(ack(1.0))
    with pytest.raises(OSError, match="space"):
        journal.close()


def test_a_last_line_cut_short_is_left_out(tmp_path):
    """A witness killed while it wrote leaves half a line: the rest still counts."""
    journal = Journal(tmp_path / "j")
    journal.acknowledge(ack(1.0))
    journal.close()
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"kind": "ack", "id": "ha')
    assert read_journal(tmp_path / "j") == ([ack(1.0)], [])


def test_a_damaged_line_is_refused(tmp_path):
    """Damage before the end is no cut: the journal then proves nothing, and says where."""
    (tmp_path / "j").write_text('{"kind": "ack"}\n')
    with pytest.raises(ValueError, match="line 1"):
        read_journal(tmp_path / "j")


def test_the_outage_runs_from_the_last_to_the_first_acknowledgement():
    """Answers already under way at the blow belong to the time before it."""
    acks = [ack(9.0), ack(9.99), ack(10.01), ack(11.8, url=B), ack(11.9, url=B)]
    found = outage(acks, after=10.0, until=12.0)
    assert (found.last_before, found.first_after) == (acks[2], acks[3])
    assert found.seconds == pytest.approx(1.79)


def test_service_that_came_back_and_fell_again_is_not_well():
    """A silence that runs on at the end counts, when it is the longer one."""
    found = outage([ack(9.9), ack(11.0), ack(11.1)], after=10.0, until=20.0)
    assert found.first_after is None
    assert found.seconds == pytest.approx(8.9)


def test_a_silence_that_goes_on_counts_until_now():
    """Nobody was acknowledged again: there is no end, and the seconds run to the reading."""
    found = outage([ack(9.0), ack(9.9)], after=10.0, until=14.9)
    assert (found.last_before, found.first_after) == (ack(9.9), None)
    assert found.seconds == pytest.approx(5.0)


def test_an_older_outage_is_not_counted_again():
    """A longer silence that ended before the span does not hide the one asked for."""
    acks = [ack(1.0), ack(6.0), ack(10.0), ack(11.0), ack(11.1)]
    assert outage(acks, after=10.5, until=11.2).seconds == pytest.approx(1.0)


def test_without_any_acknowledgement_the_whole_span_is_an_outage():
    """An empty journal is the worst case, never a zero."""
    assert outage([], after=10.0, until=13.0).seconds == pytest.approx(3.0)


def test_the_person_who_waited_longest_is_known():
    """The system answers again at 12, the night watch only at 12.5."""
    night = "Veilleur 2"
    acks = [ack(9.9), ack(9.95, author=night), ack(12.0), ack(12.5, author=night)]
    found = outage(acks, after=10.0, until=12.6)
    assert found.seconds == pytest.approx(2.05)
    assert found.slowest_writer == pytest.approx(2.55)


def test_gaps_are_listed_in_order():
    """Every silence beyond the threshold, and no other."""
    acks = [ack(1.0), ack(1.2), ack(3.0), ack(3.1), ack(5.0)]
    assert [round(gap.seconds, 1) for gap in silences(acks, longer_than=0.5)] == [1.8, 1.9]
