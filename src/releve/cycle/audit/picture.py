"""What is known at one moment: for each thing to look at, the newest look, whichever audit made it. Pure.

An audit may be a part of the whole (some topics only, networks outside their hours): what it did not look at
stays as it was last seen, with its date, and is neither mended nor forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from releve.domain.audit import Audit, Errand, Look


def newest(
    errands: Iterable[Errand],
    audits: Iterable[tuple[Audit, Sequence[Look]]],
    good: Callable[[Look], bool] = lambda _look: True,
) -> tuple[Look, ...]:
    """The newest look of each errand, in their order; none for what no audit looked at. `audits`: the newest first.

    `good`: which looks are preferred, however old; where none is, the newest stands.
    """
    wanted = [errand.key for errand in errands]
    found: dict[str, Look] = {}
    last: dict[str, Look] = {}
    for _audit, looks in audits:
        for look in looks:
            last.setdefault(look.errand.key, look)
            if good(look):
                found.setdefault(look.errand.key, look)
        if found.keys() >= set(wanted):
            break  # what is older is not read at all
    known = last | found
    return tuple(known[key] for key in wanted if key in known)
