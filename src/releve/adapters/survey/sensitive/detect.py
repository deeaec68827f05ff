"""What a plain text holds of each category, counted: pure, bytes in, numbers out.

The text goes by in windows that fit the processor's cache, each seen with a margin on both sides, so that no
number is cut. Numbers are found as runs of digits (single spaces, dots and hyphens between them allowed) and
checked by their keys in bulk, with NumPy; only what is irregular is looked at one by one, with `re`.

What makes a hit:
  nir      15 digits of the right shape, key right         ins   the one nearest to an OID of the INS, or its name
  iban     length of its country, key right                phone 10 digits in a usual grouping, or +33
  finess   9 signs, key right, "finess" in the document and no "siren" or "siret" just before
  rpps     11 digits, key right, "rpps" in the document     email a name, @, a domain
  health   words of our list; a document counts once two different words are in it
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from releve.adapters.survey.sensitive import keys
from releve.adapters.survey.sensitive.words import health

CATEGORIES = ("nir", "ins", "iban", "finess", "rpps", "phone", "email", "health")
WINDOW = 512 * 1024  # bytes: small enough for a processor's cache, large enough for NumPy's calls (0024)
MARGIN = 256  # bytes seen around a window; nothing that we look for is longer, its context included
_PAD = b"\n" * 16
_NEAR = 100  # bytes between a NIR and the OID that makes it an INS
_FEW = 1000  # numbers of a window
_LABEL = 40  # bytes before a number in which its name is looked for
_DISTINCT = 2  # health words that a document must hold

_DIGIT, _LETTER, _SEPARATOR = 1, 2, 4
_CLASS = np.zeros(256, dtype=np.uint8)
_CLASS[list(b"0123456789")] = _DIGIT
_CLASS[list(b"abcdefghijklmnopqrstuvwxyz")] = _LETTER
_CLASS[list(b" .-")] = _SEPARATOR
_CLASSES = _CLASS.tobytes()
_LOCAL = np.zeros(256, dtype=np.bool_)
_LOCAL[list(b"abcdefghijklmnopqrstuvwxyz0123456789._+-")] = True

_INS = (b"1.2.250.1.213.1.4.", b"matricule ins", b"ins-ni")  # OIDs .8 to .11; INS-NIR, INS-NIA
_NIR = re.compile(rb"(?<![0-9])(?=([1-478](?:[ .-]?[0-9]){14})(?![0-9]))")
_CORSICAN = re.compile(rb"(?<![0-9])[12](?:[ .-]?[0-9]){4}[ .-]?2[ab](?:[ .-]?[0-9]){8}(?![0-9a-z])")
_CORSICAN_FINESS = re.compile(rb"(?<![0-9a-z])2[ab] ?[0-9]{3} ?[0-9]{3} ?[0-9](?![0-9a-z])")
_PHONE = re.compile(rb"(?<![0-9.,])0[1-9]([ .-]?)[0-9]{2}(?:\1[0-9]{2}){3}(?![0-9])")
_ABROAD = re.compile(rb"(?<=\+33)[ .-]?[1-9](?:[ .-]?[0-9]{2}){4}(?![0-9])")
_FINESS = re.compile(rb"(?<![0-9])(?:[0-9]{9}|[0-9]{2} [0-9]{3} [0-9]{3} [0-9])(?![0-9])")
_RPPS = re.compile(rb"(?<![0-9])[18][0-9]{10}(?![0-9])")
_IBAN = re.compile(rb"[a-z]{2}[0-9]{2}(?:[ -]?[a-z0-9]){11,30}")
_DOMAIN = re.compile(rb"(?:[a-z0-9-]{1,63}\.){1,8}(?!png|jpe?g|gif|svg|css|js|webp)[a-z]{2,24}(?![a-z0-9@])")
_COMPANY = re.compile(rb"sire[nt]")

Positions = NDArray[np.int64]
_NONE: Positions = np.zeros(0, dtype=np.int64)


class _Labels:
    """Which names of numbers a whole document says. Each is looked for once, and only when it matters."""

    def __init__(self, plain: bytes) -> None:
        self._plain = plain

    @cached_property
    def finess(self) -> bool:
        return b"finess" in self._plain

    @cached_property
    def rpps(self) -> bool:
        return b"rpps" in self._plain

    @cached_property
    def ins(self) -> tuple[bytes, ...]:
        return tuple(name for name in _INS if name in self._plain)


@dataclass(slots=True)
class Counts:
    """What one document holds: hits by category (absent: none)."""

    hits: Counter[str] = field(default_factory=Counter)
    words: set[int] = field(default_factory=set)

    def found(self) -> Mapping[str, int]:
        """Hits by category; health only once enough different words were seen."""
        few = len(self.words) < _DISTINCT
        return {
            name: self.hits[name] for name in CATEGORIES if self.hits[name] and not (name == "health" and few)
        }


def count(plain: bytes, *, window: int = WINDOW) -> Mapping[str, int]:
    """Hits by category in a text in its plain form (`fold`). `window` in bytes."""
    counts, labels = Counts(), _Labels(plain)
    for start in range(0, len(plain), window):
        low = max(start - MARGIN, 0)
        piece = _PAD + plain[low : start + window + MARGIN] + _PAD
        _Window(piece, labels).into(
            counts, start - low + len(_PAD), min(start + window, len(plain)) - low + len(_PAD)
        )
    return counts.found()


class _Window:
    """One piece of text under the glass. Positions are those of `piece`."""

    def __init__(self, piece: bytes, labels: _Labels) -> None:
        self.piece = piece
        self.plain = np.frombuffer(piece, dtype=np.uint8)
        self.classes = np.frombuffer(piece.translate(_CLASSES), dtype=np.uint8)
        self.places = np.flatnonzero(self.classes == _DIGIT)
        self.labels = labels

    def into(self, counts: Counts, low: int, high: int) -> None:
        """Add what begins between `low` and `high`."""

        def add(category: str, where: Positions) -> None:
            if number := int(np.count_nonzero((where >= low) & (where < high))):
                counts.hits[category] += number

        starts, words = health(self.plain, self.classes == _LETTER)
        inside = (starts >= low) & (starts < high)
        if inside.any():
            counts.hits["health"] += int(np.count_nonzero(inside))
            counts.words.update(int(word) for word in np.unique(words[inside]))
        add("email", self._emails())
        if not len(self.places):
            return
        for category, where in self._numbers():
            add(category, where)

    def _emails(self) -> Positions:
        at = np.flatnonzero(self.plain == ord("@"))
        at = at[_LOCAL[self.plain[at - 1]]]
        return _array(int(place) for place in at if _DOMAIN.match(self.piece, int(place) + 1))

    def _numbers(self) -> Iterator[tuple[str, Positions]]:
        places, classes = self.places, self.classes
        gaps = np.diff(places)
        joined = (gaps == 1) | ((gaps == 2) & (classes[places[:-1] + 1] == _SEPARATOR))
        breaks = np.flatnonzero(~joined)
        begin, end = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(places) - 1]))
        yield "iban", self._ibans(gaps)
        letters = self._letters()
        nirs = [letters[0]]
        if len(letters[1]) and self.labels.finess:
            yield "finess", letters[1]
        sizes = end - begin + 1
        long = sizes >= 9
        begin, sizes, first, last = begin[long], sizes[long], places[begin[long]], places[end[long]]
        free = (classes[first - 1] != _LETTER) & (classes[last + 1] != _LETTER)
        begin, sizes, first, last = begin[free], sizes[free], first[free], last[free]
        spans, taken = last - first + 1, np.zeros(len(begin), dtype=np.bool_)
        for category, rows in self._regular(begin, sizes, first, spans):
            if not len(rows):
                continue
            taken[rows] = True
            if category == "nir":
                nirs.append(first[rows])
            elif category == "phone" or (category == "rpps" and self.labels.rpps):
                yield category, first[rows]
            elif category == "finess" and self.labels.finess:
                yield category, self._unlabelled(first[rows])
        for one in np.flatnonzero(~taken & (spans > sizes)):
            for category, place in self._irregular(int(first[one]), int(last[one]) + 1):
                if category == "nir":
                    nirs.append(_array((place,)))
                else:
                    yield category, _array((place,))
        yield from self._named(np.concatenate(nirs))

    def _regular(
        self, begin: Positions, sizes: Positions, first: Positions, spans: Positions
    ) -> Iterator[tuple[str, Positions]]:
        """Rows of the runs of digits that are one number, whole."""
        values: Positions = self.plain[self.places].astype(np.int64) - ord("0")

        def digits(rows: Positions, width: int) -> keys.Digits:
            return np.asarray(values[begin[rows][:, None] + np.arange(width)])

        rows = np.flatnonzero(sizes == 15)
        yield "nir", rows[keys.nir(digits(rows, 15))]
        rows = np.flatnonzero((sizes == 10) & (values[begin] == 0) & ((spans == 10) | (spans == 14)))
        rows = rows[(digits(rows, 10)[:, 1] > 0) & ((spans[rows] == 10) | self._pairs(first[rows]))]
        yield "phone", rows
        rows = np.flatnonzero((sizes == 11) & (self.plain[first - 1] == ord("+")))
        yield "phone", rows[(digits(rows, 11)[:, :3] @ (100, 10, 1)) // 10 == 33]
        rows = np.flatnonzero((sizes == 13) & (spans <= 18))
        yield "phone", rows[(digits(rows, 13)[:, :5] @ (10000, 1000, 100, 10, 1)) // 10 == 33]
        rows = np.flatnonzero(
            (sizes == 11)
            & (self.plain[first - 1] != ord("+"))
            & ((values[begin] == 1) | (values[begin] == 8))
        )
        yield "rpps", rows[keys.luhn(digits(rows, 11))]
        rows = np.flatnonzero((sizes == 9) & ((spans == 9) | (spans == 12)))
        rows = rows[self.plain[first[rows] - 1] != ord(")")]
        table = digits(rows, 9)
        yield "finess", rows[keys.luhn(table) & (table[:, 0] * 10 + table[:, 1] > 0)]
        rows = np.flatnonzero((sizes == 9) & (self.plain[first - 1] == ord(")")) & (values[begin] > 0))
        rows = rows[[self.piece[at - 3 : at] == b"(0)" for at in map(int, first[rows])]]
        yield "phone", rows

    def _pairs(self, first: Positions) -> NDArray[np.bool_]:
        """Whether ten digits in fourteen signs stand two by two, always with the same sign between."""
        between = self.plain[first[:, None] + np.array((2, 5, 8, 11))]
        return np.asarray((between == between[:, :1]).all(axis=1) & (self.classes[first + 2] == _SEPARATOR))

    def _irregular(self, first: int, last: int) -> Iterator[tuple[str, int]]:
        """Numbers among others, with nothing but a space between."""
        piece = self.piece
        for hit in _NIR.finditer(piece, first, last):
            if keys.nir_text(_signs(hit[1])):
                yield "nir", hit.start()
        for pattern in (_PHONE, _ABROAD):
            for hit in pattern.finditer(piece, first, last):
                yield "phone", hit.start()
        for hit in _FINESS.finditer(piece, first, last):
            if _luhn(hit[0]) and self.labels.finess and len(self._unlabelled(_array((hit.start(),)))):
                yield "finess", hit.start()
        for hit in _RPPS.finditer(piece, first, last):
            if _luhn(hit[0]) and self.labels.rpps:
                yield "rpps", hit.start()

    def _letters(self) -> tuple[Positions, Positions]:
        """NIR and FINESS of Corsica: a 2 followed by a or b."""
        twos = self.places[self.plain[self.places] == ord("2")]
        after = self.plain[twos + 1]
        twos = twos[(after == ord("a")) | (after == ord("b"))]
        people, houses = [], []
        for place in map(int, twos):
            around = _CORSICAN.finditer(self.piece, max(place - 12, 0), place + 20)
            people += [hit.start() for hit in around if keys.nir_text(_signs(hit[0]))]
            if _CORSICAN_FINESS.match(self.piece, place):
                houses.append(place)
        return _array(sorted(set(people))), _array(houses)

    def _ibans(self, gaps: Positions) -> Positions:
        """Two letters and two digits of a known country, then what its length asks for."""
        heads = self.places[np.concatenate(([True], gaps != 1))]
        classes = self.classes
        letters = (classes[heads - 1] == _LETTER) & (classes[heads - 2] == _LETTER)
        alone = (classes[heads - 3] != _LETTER) & (classes[heads - 3] != _DIGIT)
        heads = heads[letters & alone & (classes[heads + 1] == _DIGIT)]
        found = []
        for place in map(int, heads):
            hit = _IBAN.match(self.piece, place - 2)
            if hit and keys.iban(_signs(hit[0])[: keys.IBAN_LENGTHS.get(hit[0][:2].decode("ascii"), 0)]):
                found.append(place - 2)
        return _array(found)

    def _unlabelled(self, where: Positions) -> Positions:
        """Those that are not said to be a company's number (SIREN: nine digits and the same key)."""
        return _array(
            place
            for place in map(int, where)
            if not _COMPANY.search(self.piece, max(place - _LABEL, 0), place)
        )

    def _ins_names(self, where: Positions) -> Positions:
        """Places of what names an INS: around each number when they are few, else everywhere."""
        ranges: Iterable[tuple[int, int]] = ((0, len(self.piece)),)
        if len(where) <= _FEW:
            ranges = ((max(at - _NEAR, 0), at + _NEAR + 32) for at in map(int, where))
        found = {
            p for low, high in ranges for n in self.labels.ins for p in _places(self.piece, n, low, high)
        }
        return _array(sorted(found))

    def _named(self, where: Positions) -> Iterator[tuple[str, Positions]]:
        """The NIR nearest to an OID or a name of the INS, if it is near at all, is an INS."""
        if not len(where):
            return
        where, near = np.sort(where), np.zeros(len(where), dtype=np.bool_)
        names = self._ins_names(where)
        after = np.minimum(np.searchsorted(where, names), len(where) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(names - where[before] < np.abs(where[after] - names), before, after)
        near[nearest[np.abs(where[nearest] - names) <= _NEAR]] = True
        yield "ins", where[near]
        yield "nir", where[~near]


def _places(piece: bytes, name: bytes, low: int, high: int) -> Iterator[int]:
    """Where a name stands: `find` is ten times as fast as a pattern of several."""
    place = piece.find(name, low, high)
    while place >= 0:
        yield place
        place = piece.find(name, place + 1, high)


def _signs(number: bytes) -> str:
    """A number without what stands between its signs."""
    return number.translate(None, b" .-").decode("ascii")


def _luhn(number: bytes) -> bool:
    return bool(keys.luhn(np.array([[int(sign) for sign in _signs(number)]], dtype=np.int64))[0])


def _array(places: object) -> Positions:
    return np.array(list(places), dtype=np.int64)  # type: ignore[call-overload]
