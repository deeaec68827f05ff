"""The names of a folder in their order: of a wide one in one piece, 4 bytes a name beside its own and not 60."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice

_WIDE = 20_000  # names: some 1.6 MB as objects


class Names:
    """Names by number, as a list has them."""

    def __init__(self, ordered: Iterable[bytes]) -> None:
        """`ordered`: fewer than 4 GB of them, each looked at once."""
        self._ends = array("I", [0])
        whole = BytesIO()
        end = 0
        for name in ordered:
            end += whole.write(name)
            self._ends.append(end)
        self._all = whole.getvalue()  # its own buffer, not a copy

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[bytes]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._all[self._ends[number] : self._ends[number + 1]]


def in_order(names: Iterable[bytes]) -> list[bytes] | Names:
    """These names, sorted. Of many, so many at once are objects: each part is put in order, then all are merged."""
    rest = iter(names)
    part = sorted(islice(rest, _WIDE))
    more = list(islice(rest, 1))
    if not more:
        return part
    runs = [Names(part)]
    while part := more + list(islice(rest, _WIDE)):
        runs.append(Names(sorted(part)))
        more = []
    return Names(heapq.merge(*runs))
