"""What comes back from a probe when it is no answer."""

from __future__ import annotations

import pytest

from releve.adapters.survey.asking import document
from releve.domain.audit import Gap


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"rien",
        b"[]",
        b"3",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a": NaN}',
        b'{"a": 1e999}',
    ],
)
def test_what_is_no_answer_is_a_gap(told: bytes) -> None:
    """However deep, long or strange: the machine said nothing that we understand, and this is no defect of ours."""
    found = document(told, "serveur", "/p")
    assert isinstance(found, Gap)
    assert (found.code, found.what) == ("answer-unclear", "/p")


def test_the_last_line_is_the_answer() -> None:
    """Whatever was printed before it."""
    assert document(b'bonjour\n{"a": 1.5}\n', "serveur", "/p") == {"a": 1.5}
