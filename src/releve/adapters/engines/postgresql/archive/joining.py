"""Whether WAL that comes after a new beginning goes on from what is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from releve.adapters.engines.postgresql.timelines import History


def hole(kept: Mapping[int, int], way: History, start: int) -> int | None:
    """Where what is kept ends before WAL of `way.timeline` that begins at `start`; None: nothing is missing between.

    Positions in bytes. `kept`: up to where each timeline is kept; nothing at all has no hole yet. The first file of a
    timeline has what its ancestor wrote before it was left: so what is kept of the ancestor may lead to it.
    """
    if not kept:
        return None
    leading = [way.timeline, *(ancestor for ancestor, left in way.ancestors if start <= left)]
    end = max(kept.get(timeline, 0) for timeline in leading)
    return None if end >= start else max(end, way.began if way.began < start else 0)
