"""What changed since the audit before. Pure.

A weak point that is no longer found is mended only if what showed it was looked at again: otherwise it is
"not seen again", and stays in the list. One whose look is no longer asked for at all, because its subject left the
plan, is neither: it is said to have left.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, fields

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import WeakPoint


@dataclass(frozen=True, slots=True)
class Trend:
    """The same points, sorted by what became of them."""

    new: tuple[WeakPoint, ...]
    kept: tuple[WeakPoint, ...]
    mended: tuple[WeakPoint, ...]
    unseen: tuple[WeakPoint, ...]
    left: tuple[WeakPoint, ...] = ()

    def at(self, site: str) -> Trend:
        """What became of the points of one site; of all, without one."""
        return Trend(
            *(
                tuple(point for point in getattr(self, item.name) if site in {"", point.weakness.site})
                for item in fields(self)
            )
        )


def trend(
    before: Sequence[WeakPoint],
    after: Sequence[WeakPoint],
    estate: Estate,
    *,
    left: Container[tuple[str, str]] = (),
    met: Sequence[WeakPoint] = (),
) -> Trend:
    """`before`: points of the earlier audit; `after`: of this one, which `estate` describes.

    `left`: keys of those whose subject left the plan. `met`: points that were met in passing lately and that
    nothing has belied since.
    """
    faint = {point.key for point in met}
    before = (*before, *(point for point in met if point.key not in {one.key for one in before}))
    then, now = {point.key for point in before}, {point.key for point in after}
    gone = [point for point in before if point.key not in now]
    out = [point for point in gone if point.key in left]
    unseen = [
        point
        for point in gone
        if point not in out and (point.key in faint or not _looked_again(point, estate))
    ]
    return Trend(
        tuple(point for point in after if point.key not in then),
        tuple(point for point in after if point.key in then),
        tuple(point for point in gone if point not in unseen and point not in out),
        tuple(point for point in unseen if not _told_with_another(point, estate)),
        tuple(out),
    )


def _told_with_another(point: WeakPoint, estate: Estate) -> bool:
    """Whether it says that a look failed, that still fails: it is told with the machine that hides it."""
    return not point.rule.topics and any(
        errand.key == point.weakness.subject and not estate.looked(errand.topic, errand.subject)
        for errand in estate.audit.errands
    )


def unforgotten(
    found: Sequence[WeakPoint], whole: Sequence[WeakPoint], estate: Estate
) -> tuple[WeakPoint, ...]:
    """The points `found` in an estate, and those that an older look showed and nobody reached since.

    `whole`: points of the newest looks that left nothing out, however old: a later look in part may have missed
    the very thing.
    """
    known = {point.key for point in found}
    left = (point for point in whole if point.key not in known and not _looked_again(point, estate))
    return (*found, *left)


def _looked_again(point: WeakPoint, estate: Estate) -> bool:
    """Whether every look that could have shown it again was made, at its place, and brought all back.

    What a rule reads of the plan alone needs no look; a point about a look itself needs that look. A look that
    concerns the same subject or the same site counts as the place: careful rather than exact.
    """
    topics = set(point.rule.topics)
    if not topics:
        about = (
            errand
            for errand in estate.audit.errands
            if f"{point.weakness.subject}:".startswith(f"{errand.key}:")
        )
        return all(estate.looked(errand.topic, errand.subject) for errand in about)
    planned = topics & {errand.topic for errand in estate.audit.errands}
    if not planned or (planned != topics and not point.rule.either):
        return False
    subject, site = point.weakness.subject, point.weakness.site
    return not any(
        topic in topics and (not site or where == site or subject.startswith(name))
        for topic, name, where, _gap in estate.gaps()
    )
