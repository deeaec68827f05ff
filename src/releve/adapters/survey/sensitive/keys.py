"""Keys of the numbers that identify people, accounts and establishments. Pure; digits in, verdicts out.

NIR: 13 digits and a key, 97 minus their remainder by 97; a birth in Corsica counts 2A as 19 and 2B as 18
(décret 82-103 of 22 January 1982 and INSEE's page on the number). IBAN: ISO 13616, remainder 1 by 97 once the
first four signs go to the end. FINESS (9) and RPPS (11): Luhn's formula (ISO/IEC 7812-1); for FINESS of
Corsica no published rule was found for the letter, so its key is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.int64]  # one row a number, one column a digit
Verdicts = NDArray[np.bool_]

IBAN_LENGTHS: Mapping[str, int] = MappingProxyType(  # the SWIFT registry's lengths, near countries first
    {
        "fr": 27,
        "mc": 27,
        "be": 16,
        "lu": 20,
        "ch": 21,
        "de": 22,
        "it": 27,
        "es": 24,
        "pt": 25,
        "nl": 18,
        "gb": 22,
    }
    | {
        "ie": 22,
        "at": 20,
        "pl": 28,
        "ro": 24,
        "dk": 18,
        "se": 24,
        "fi": 18,
        "no": 15,
        "gr": 27,
        "cz": 24,
        "hu": 28,
    }
)
_TENS = 10 ** np.arange(12, -1, -1, dtype=np.int64)
_SEXES = np.isin(np.arange(10), (1, 2, 3, 4, 7, 8))  # 3, 4, 7 and 8: not yet, or never, in the register
_MONTHS = np.isin(np.arange(100), [*range(1, 13), *range(20, 43), *range(50, 100)])  # past 12: month unknown
_DOUBLED = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], dtype=np.int64)


def nir(digits: Digits) -> Verdicts:
    """Rows of 15: sex or waiting number, month, department, rank and key all as a NIR (or NIA) has them."""
    month, department = digits[:, 3] * 10 + digits[:, 4], digits[:, 5] * 10 + digits[:, 6]
    shape = _SEXES[digits[:, 0]] & (department > 0) & _MONTHS[month]
    rank = digits[:, 10] * 100 + digits[:, 11] * 10 + digits[:, 12]
    key = digits[:, 13] * 10 + digits[:, 14]
    return np.asarray(shape & (rank > 0) & (97 - (digits[:, :13] @ _TENS) % 97 == key))


def nir_text(number: str) -> bool:
    """One NIR of 15 signs, Corsica's letters allowed (lower case)."""
    if len(number) != 15:
        return False
    first = number[:13].replace("2a", "19").replace("2b", "18") if number[5:7] in {"2a", "2b"} else number
    if not (whole := first[:13] + number[13:]).isdigit():
        return False
    return bool(nir(np.array([[int(sign) for sign in whole]], dtype=np.int64))[0])


def luhn(digits: Digits) -> Verdicts:
    """Rows of any width whose last digit is their key."""
    others = digits.copy()
    others[:, -2::-2] = _DOUBLED[others[:, -2::-2]]
    return np.asarray(others.sum(axis=1) % 10 == 0)


def iban(number: str) -> bool:
    """A whole IBAN, lower case, without spaces."""
    if IBAN_LENGTHS.get(number[:2]) != len(number) or not number[4:].isalnum():
        return False
    moved = number[4:] + number[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1
