"""What is planted is found wherever it stands; what is drawn at random hardly ever is."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench import labelled
from releve.adapters.survey.sensitive.detect import MARGIN, count
from releve.adapters.survey.sensitive.fold import fold

FILLING = "le conseil de la maison a voté. "
few = settings(max_examples=60, deadline=None)


@few
@given(
    seed=st.integers(0, 10**6),
    before=st.integers(0, 3000),
    after=st.integers(0, 1500),
    window=st.sampled_from([512, 700, 1024, 2048]),
    sign=st.sampled_from(["", " ", ".", "-", "\u00a0"]),
)
def test_a_number_is_found_once_wherever_the_windows_cut(
    seed: int, before: int, after: int, window: int, sign: str
) -> None:
    """A NIR at any place of a text, borders of windows included, is one hit, and so is an address."""
    first, key = labelled.nir(random.Random(seed))
    text = (
        (FILLING * 100)[:before]
        + "; "
        + labelled._grouped(first, key, sign)
        + " ;lou@exemple.fr; "
        + (FILLING * 50)[:after]
    )
    assert count(fold(text.encode()), window=window) == {"nir": 1, "email": 1}


@few
@given(seed=st.integers(0, 10**6), window=st.sampled_from([512, 1024, 4096]))
def test_windows_change_nothing(seed: int, window: int) -> None:
    """The hits of a document do not depend on how it is cut."""
    drawn = labelled.documents(6, seed=seed)
    text = "\n".join(
        document.data.decode("utf-8", "replace") for document in drawn if document.name.endswith("txt")
    )
    plain = fold((text * 3).encode())
    assert count(plain, window=window) == count(plain, window=10**7)


@few
@given(digits=st.lists(st.text("0123456789", min_size=1, max_size=14), max_size=200))
def test_random_digits_are_hardly_ever_a_person(digits: list[str]) -> None:
    """Runs of digits of any length but fifteen hold no NIR unless their key is right: one in 97 at the very most."""
    text = ";".join(digits)
    assert count(fold(text.encode())).get("nir", 0) == 0


@few
@given(raw=st.binary(max_size=3000), window=st.integers(MARGIN, 2048))
def test_any_bytes_can_be_looked_at(raw: bytes, window: int) -> None:
    """No sequence of bytes makes the detectors fail, nor count below nothing."""
    assert all(number > 0 for number in count(fold(raw), window=window).values())


@few
@given(st.text("0123456789 .-+()abfr2@,;\n", max_size=600))
def test_signs_in_any_order_can_be_looked_at(text: str) -> None:
    """Nor does any mixture of the signs that numbers are made of."""
    assert all(number > 0 for number in count(fold(text.encode())).values())
