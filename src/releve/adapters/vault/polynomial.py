"""The secret of restic's own cutter: an irreducible polynomial of degree 53 over GF(2).

We cut otherwise, but a vault must hold one for restic to add to it. Ben-Or's test, as restic's
chunker does (`polynomials.go`); a value is an int whose bit n is the coefficient of x^n.
"""

from __future__ import annotations

import secrets

DEGREE = 53


def draw() -> int:
    """A random irreducible polynomial of degree 53; about one odd candidate in 19 is."""
    while True:
        candidate = (1 << DEGREE) | secrets.randbits(DEGREE) | 1
        if irreducible(candidate):
            return candidate


def irreducible(value: int) -> bool:
    """Whether nothing of a lower degree divides it."""
    power = 2  # the polynomial x
    for _ in range((value.bit_length() - 1) // 2):
        power = _modulo(_square(power), value)
        if _common(value, power ^ 2) != 1:
            return False
    return True


def _square(value: int) -> int:
    return int("0".join(f"{value:b}"), 2)


def _modulo(value: int, by: int) -> int:
    length = by.bit_length()
    while value.bit_length() >= length:
        value ^= by << (value.bit_length() - length)
    return value


def _common(one: int, other: int) -> int:
    while other:
        one, other = other, _modulo(one, other)
    return one
