"""What retention judges in a vault that was copied without its dates: every one of its snapshots came the same day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from releve.cycle.protect.retention import Held, copied

if TYPE_CHECKING:
    from releve.cycle.protect.register import Roll


def judged(held: Sequence[Held], roll: Roll | None, *, too: bool) -> tuple[list[Held], frozenset[str]]:
    """The same, each with the best date that there is; and those that came with a copy, to be kept.

    One that the list saw before the copy has that date. The others are all of the last moment of the copy, so that
    its order says nothing: one stays for each period that their writers name, as of all that is seen at once.
    `too`: a person wants them judged by that.
    """
    found = copied(held)
    if not found:
        return list(held), found
    first = {name: roll.live[name].first_seen for name in found if name in roll.live} if roll else {}
    store = {one.id: one.arrived or one.seen or one.claimed for one in held}
    before = {name for name, at in first.items() if at < store[name]}
    end = max(store[name] for name in found)
    mended = []
    for one in held:
        if one.id in before:
            mended.append(replace(one, seen=first[one.id], arrived=None))
        elif one.id in found:
            mended.append(replace(one, seen=max(one.seen or end, end), arrived=one.claimed))
        else:
            mended.append(one)
    return mended, frozenset() if too else found - before
