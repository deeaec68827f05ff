"""Whether what is received after a new beginning goes on from what is kept, and what tells that one is needed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from releve.adapters.engines.postgresql.archive.joining import hole
from releve.adapters.engines.postgresql.archive.receiver import _LOST
from releve.adapters.engines.postgresql.timelines import History

SECOND = History(2, ((1, 500),))  # left the first timeline at 500
THIRD = History(3, ((1, 500), (2, 800)))


@pytest.mark.parametrize(
    ("kept", "way", "start", "found"),
    [
        ({}, History(1), 900, None),
        ({1: 600}, History(1), 600, None),
        ({1: 600}, History(1), 500, None),
        ({1: 600}, History(1), 700, 600),
        ({1: 600}, SECOND, 400, None),
        ({1: 450}, SECOND, 400, None),
        ({1: 300}, SECOND, 400, 300),
        ({1: 900}, SECOND, 600, 500),
        ({2: 900}, History(1), 400, 0),
        ({1: 300, 2: 900}, History(1), 400, 300),
        ({2: 750}, THIRD, 700, None),
        ({1: 500, 2: 600}, THIRD, 700, 600),
        ({0: 0}, History(1), 100, 0),
    ],
    ids=[
        "the very first",
        "just after",
        "some twice",
        "later",
        "the segment of a promotion",
        "kept up to the promotion",
        "not kept up to it",
        "after the promotion",
        "abandoned, and begun again before",
        "as much, with the old server known",
        "from the second to the third",
        "missing on the second",
        "not known",
    ],
)
def test_a_new_beginning_joins_what_is_kept_on_its_way_or_a_hole_is_named(
    kept: Mapping[int, int], way: History, start: int, found: int | None
) -> None:
    """What an abandoned timeline holds proves nothing of another one, however far it goes."""
    assert hole(kept, way, start) == found


@pytest.mark.parametrize(
    "said",
    [
        "pg_receivewal: error: ERROR:  requested WAL segment 000000010000000000000003 has already been removed",
        "pg_receivewal: starting timeline 2 is not present in the server\npg_receivewal: error: disconnected",
        'pg_receivewal: error: replication slot "releve_archive_dossiers" does not exist',
        'pg_receivewal: error: could not send replication command "START_REPLICATION": \nx',
    ],
)
def test_a_server_that_does_not_have_what_comes_next_is_told_by_its_words(said: str) -> None:
    """Outrun, rebuilt on an older timeline, rebuilt without our slot, promoted on the edge of a segment."""
    assert _LOST.search(said)
    assert not _LOST.search("pg_receivewal: error: connection to server failed: Connection refused")
