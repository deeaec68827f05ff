"""What the application takes and shows, without a database."""

import json
from datetime import UTC, datetime

import pytest

from releve.demo.dossier import page, transmission

GOOD = {
    "id": "7f0d2c1e-3f4a-4b8e-9a60-0c1d2e3f4a5b",
    "author": "Aide-soignante 1",
    "resident": "Usager 12",
    "text": "A bien mangé.",
    "seq": 3,
}


def test_a_good_transmission_is_taken_as_it_is():
    """Every field arrives, and nothing else with it."""
    assert transmission(json.dumps({**GOOD, "extra": 1}).encode()) == GOOD


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": "12"}, "id"),
        ({"author": ""}, "author"),
        ({"resident": 4}, "resident"),
        ({"text": "x\0y"}, "text"),
        ({"text": "x" * 5000}, "text"),
        ({"seq": True}, "seq"),
        ({"seq": -1}, "seq"),
        ({"seq": 2**63}, "seq"),
    ],
)
def test_a_bad_field_is_named(change, named):
    """What PostgreSQL could not hold is refused before it, with the name of the field."""
    with pytest.raises(ValueError, match=named):
        transmission(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused(body):
    """Nothing but a JSON object is read."""
    with pytest.raises(ValueError, match="JSON"):
        transmission(body)


def test_the_page_shows_text_and_never_runs_it():
    """What professionals write is text on the page."""
    row = {
        **GOOD,
        "text": "<script>alert(1)</script>",
        "noted_at": datetime(2026, 3, 2, tzinfo=UTC),
        "rank": 1,
    }
    shown = page("principal", [row])
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert 'lang="fr"' in shown
