"""What counts as a hit and what only looks like it, in plain text; and what the documentation says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import labelled
from releve.adapters.survey.sensitive import keys
from releve.adapters.survey.sensitive.detect import count
from releve.adapters.survey.sensitive.extract import plain
from releve.adapters.survey.sensitive.fold import fold
from releve.adapters.survey.sensitive.pdf import PdfReader

PAGE = Path(__file__).parents[4] / "docs" / "concepts" / "audit-sensitivity.md"


def found(text: str) -> Mapping[str, int]:
    """Hits of a text in UTF-8."""
    return count(fold(text.encode()))


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        # 97 - 2690549588157 % 97 = 80
        ("Né : 2 69 05 49 588 157 80.", {"nir": 1}),
        ("269054958815780", {"nir": 1}),
        ("2690549588157 80;suite", {"nir": 1}),
        ("2\u00a069\u202f05 49 588 157 80", {"nir": 1}),
        ("2 69 05 49 588 157 81", {}),
        ("Corse : 1 69 05 2A 588 157 67", {"nir": 1}),  # 97 - 1690519588157 % 97 = 67
        ("Corse : 169052b58815794", {"nir": 1}),  # 97 - 1690518588157 % 97 = 94
        ("Corse : 1 69 05 2A 588 157 68", {}),
        ("2 69 05 49 588 157 80 06 12 34 56 78", {"nir": 1, "phone": 1}),
        ("269054958815780^^^ASIP&1.2.250.1.213.1.4.8&ISO^INS", {"ins": 1}),
        ("Matricule INS 269054958815780", {"ins": 1}),
        ("instance 269054958815780", {"nir": 1}),
        ("IBAN FR76 3000 6000 0112 3456 7890 189", {"iban": 1}),
        ("fr7630006000011234567890189,", {"iban": 1}),
        ("FR76 3000 6000 0112 3456 7890 188", {}),
        ("DE89 3704 0044 0532 0130 00", {"iban": 1}),
        ("n° FINESS 750712184", {"finess": 1}),
        ("Finess : 75 071 218 4", {"finess": 1}),
        ("750712184", {}),
        ("finess absent, SIREN 750712184", {}),
        ("FINESS 2A0000014", {"finess": 1}),
        ("RPPS 10003456785", {}),
        ("06 12 34 56 78 / 06.12.34.56.78 / 0612345678 / 06-12-34-56-78", {"phone": 4}),
        ("+33 6 12 34 56 78, +33612345678, 0033612345678, +33 (0)6 12 34 56 78", {"phone": 4}),
        ("0 612 345 678 et 06 1234 5678 et 06 12.34 56 78", {}),
        ("00 12 34 56 78", {}),
        ("camille.exemple@exemple.fr, <a@b.org>", {"email": 2}),
        ("logo@2x.png, @compte, a@b, x@y.", {}),
        ("Diabète traité, nouvelles ordonnances", {"health": 2}),
        ("DIABÈTE, diabète", {}),  # one word alone tells nothing
        ("le 12/05/2026 à 10:30, 1 234 567,89 €, 192.168.1.10", {}),
    ],
)
def test_what_is_a_hit(text: str, hits: Mapping[str, int]) -> None:
    """Each category follows its key and its context, and nothing else."""
    assert found(text) == hits


def test_luhn_tells_a_rpps_that_is_named() -> None:
    """Eleven digits whose key is right count only in a document that says RPPS."""
    number = "1000345678" + str(next(k for k in range(10) if keys.luhn(_row(f"1000345678{k}"))[0]))
    assert found(f"Docteur Exemple, RPPS {number}") == {"rpps": 1}
    assert found(f"Dossier {number}") == {}


def _row(number: str) -> keys.Digits:
    import numpy as np

    return np.array([[int(sign) for sign in number]], dtype=np.int64)


def test_the_corsican_key_is_insees() -> None:
    """2A counts as 19 and 2B as 18."""
    for letters, digits in (("2a", "19"), ("2b", "18")):
        key = 97 - int(f"16905{digits}588157") % 97
        assert keys.nir_text(f"16905{letters}588157{key:02d}")
        assert not keys.nir_text(f"16905{letters}588157{key % 97 + 1:02d}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    """The same text gives the same hits whatever it is written in."""
    text = "Antécédents : épilepsie ; tél. 06 12 34 56 78 ; camille@exemple.fr"
    assert count(fold(text.encode(encoding))) == {"phone": 1, "email": 1, "health": 2}


def test_a_text_cut_within_a_character_is_still_utf8() -> None:
    """The end of what was read of a long file does not change how the rest is read."""
    assert count(fold("épilepsie et antécédents é".encode()[:-1])) == {"health": 2}


def test_the_rates_are_at_least_those_of_the_page() -> None:
    """Precision and recall on the labelled set are what docs/concepts/audit-sensitivity.md states, or better."""
    text = PAGE.read_text(encoding="utf-8")
    row = re.compile(r"^\| `(\w+)` \|[^|]+\| (\d+),(\d) % \| (\d+),(\d) % \|", re.MULTILINE)
    stated = {m[1]: (float(f"{m[2]}.{m[3]}"), float(f"{m[4]}.{m[5]}")) for m in row.finditer(text)}
    assert set(stated) == set(labelled.CATEGORIES)
    with PdfReader() as pdf:
        drawn = labelled.documents(2000, papers=True)
        rates = labelled.rates([(d.truth, count(plain(d.data, pdf.text))) for d in drawn])
    for category, (precision, recall) in stated.items():
        assert round(rates[category]["precision"] * 100, 1) >= precision, category
        assert round(rates[category]["recall"] * 100, 1) >= recall, category


def test_the_labelled_set_has_cases_that_no_key_follows() -> None:
    """The rates could be lower than 1: what cannot be found is planted, and what must not be is there too."""
    drawn = labelled.documents(300, seed=7)
    assert any(not document.truth for document in drawn)
    assert all(sum(document.truth[c] for document in drawn) > 20 for c in labelled.CATEGORIES)
    rates = labelled.rates([(document.truth, {"nir": 1}) for document in drawn])
    assert rates["nir"]["precision"] < 0.5
    assert rates["iban"]["recall"] == 0.0
