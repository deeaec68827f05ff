"""The judge, on values: it must be able to say no."""

from datetime import UTC, datetime

from releve.demo.journal import Ack, Miss
from releve.demo.judge import compare

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACKS = [Ack(f"id-{n}", "Infirmier 1", n, f"note {n}", "http://127.0.0.1:1", NOON, float(n)) for n in range(3)]
ROWS = [(ack.id, ack.author, ack.seq, ack.text) for ack in ACKS]


def miss(key, seq):
    """A write that nobody acknowledged."""
    return Miss(key, "Infirmier 1", seq, NOON, 9.0, (("http://127.0.0.1:1", "timeout"),))


def test_everything_there_once_is_clean():
    """Same ids, same content, once each."""
    verdict = compare(ACKS, [], ROWS)
    assert verdict.clean
    assert (verdict.acknowledged, verdict.lost, verdict.duplicated) == (3, 0, 0)


def test_a_missing_row_is_lost_and_named():
    """One acknowledged write that is not there makes one lost."""
    verdict = compare(ACKS, [], ROWS[1:])
    assert not verdict.clean
    assert (verdict.lost, verdict.lost_ids) == (1, ("id-0",))


def test_a_row_with_another_content_is_lost_too():
    """The id alone proves nothing: the text must be the one that was acknowledged."""
    verdict = compare(ACKS, [], [*ROWS[1:], ("id-0", "Infirmier 1", 0, "autre chose")])
    assert (verdict.lost, verdict.altered, verdict.lost_ids) == (1, 1, ("id-0",))


def test_the_same_write_under_another_id_is_a_duplicate():
    """One author never uses a number twice: a second row with it is one too many."""
    verdict = compare(ACKS, [], [*ROWS, ("id-9", "Infirmier 1", 2, "note 2")])
    assert not verdict.clean
    assert (verdict.duplicated, verdict.duplicated_keys) == (1, (("Infirmier 1", 2),))


def test_the_same_id_twice_is_a_duplicate():
    """The primary key of the database is not taken on trust."""
    assert compare(ACKS, [], [*ROWS, ROWS[0]]).duplicated == 1


def test_a_write_that_nobody_acknowledged_may_be_there_or_not():
    """Neither is a loss; both are counted apart."""
    verdict = compare(ACKS, [miss("id-7", 7), miss("id-8", 8)], [*ROWS, ("id-7", "Infirmier 1", 7, "note 7")])
    assert verdict.clean
    assert (verdict.in_doubt, verdict.refused) == (1, 1)


def test_a_write_acknowledged_at_last_is_judged_as_acknowledged():
    """Refused at first, acknowledged later, then missing: lost."""
    verdict = compare(ACKS, [miss("id-0", 0)], ROWS[1:])
    assert (verdict.lost, verdict.in_doubt, verdict.refused) == (1, 0, 0)
