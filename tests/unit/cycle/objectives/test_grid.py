"""Tables and prose no wider than the screen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.plan.grid import folded, grid

WORDS = st.text("abcé ", max_size=60)


def test_without_a_screen_a_row_is_a_line() -> None:
    """Whoever searches or cuts has one row a line, however long."""
    assert grid(("a", "b"), [("x" * 200, "y" * 200)]).count("\n") == 2


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_fits_its_screen_and_loses_no_word(width: int) -> None:
    """Long cells go on below themselves; every word is still there."""
    rows = [
        (
            "Dossier de l'usager informatisé",
            "1 h 35 min",
            "la prescription l'attend : " + "medic → dui → " * 9,
        )
    ]
    text = grid(("Quoi", "En", "Pourquoi"), rows, right=frozenset({1}), width=width)
    assert max(len(line) for line in text.split("\n")) <= width
    assert text.count("medic") == 9
    assert "1 h 35 min" in text


def test_figures_are_never_cut() -> None:
    """A column of figures keeps its width, even where the screen is too narrow for the rest."""
    text = grid(("Quoi", "Combien"), [("x" * 30, "12 345 678 €")], right=frozenset({1}), width=20)
    assert "12 345 678 €" in text


@pytest.mark.parametrize("width", [60, 80])
def test_a_name_is_never_cut_and_no_line_is_too_long(width: int) -> None:
    """Where the columns do not fit, a row goes from top to bottom; only a path is folded within itself."""
    titles = ("audit", "commencé", "fini", "vu", "pas vu", "depuis")
    rows = [("20261127T100121Z", "27/11/2026 11:01", "27/11/2026 11:02", "12", "3", "poste-audit-du-siege")]
    name = "documents-poste-accueil-du-rez-de-chaussee-home"
    listed = grid(titles, rows, right=frozenset({3, 4}), width=width)
    told = grid(
        ("données", "où", "quand"), [(name, "/srv/" + "copies/" * 20, "27/11/2026 11:01")], width=width
    )
    for text, whole in ((listed, "20261127T100121Z"), (listed, "poste-audit-du-siege"), (told, name)):
        assert whole in text
        assert max(len(line) for line in text.split("\n")) <= width
    assert "".join(told.split()).count("copies/") >= 15


@settings(max_examples=60)
@given(st.lists(WORDS, max_size=6), st.integers(60, 120))
def test_folded_prose_keeps_its_words(lines: list[str], width: int) -> None:
    """Folding moves words to the next line and changes none."""
    text = "\n".join(lines)
    found = folded(text, width)
    assert found.split() == text.split()
    assert max((len(line) for line in found.split("\n")), default=0) <= width
