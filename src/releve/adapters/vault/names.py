"""The names of a folder in their order: of a wide one in one piece, 4 bytes a name beside its own and not 60."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

_WIDE = 20_000  # names: some 1.6 MB as objects


class Names:
    """Names by number, as a list has them."""

    def __init__(self, names: Iterable[bytes]) -> None:
        """`names`: fewer than 4 GB of them."""
        ordered = sorted(names)
        self._ends = array("I", accumulate(map(len, ordered), initial=0))
        self._all = b"".join(ordered)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[bytes]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._all[self._ends[number] : self._ends[number + 1]]


def in_order(names: Sequence[bytes]) -> list[bytes] | Names:
    """These names, sorted."""
    return Names(names) if len(names) > _WIDE else sorted(names)
