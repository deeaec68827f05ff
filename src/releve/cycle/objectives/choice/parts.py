"""A large estate in parts that only share what the whole association pays. Pure."""

from __future__ import annotations

from dataclasses import replace

from releve.cycle.objectives.choice.estate import Estate
from releve.cycle.objectives.choice.prices import Per


def parts(home: Estate) -> tuple[Estate, ...]:
    """The estates of subjects that weigh on one another, in the order of the subjects.

    Two belong together when one uses or needs the other, or when they share what an establishment pays.
    """
    leader = {name: name for name in home.subjects}

    def head(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    together = any(offer.per is Per.ESTABLISHMENT for offer in home.prices.offers)
    first_of: dict[str, str] = {}
    for subject in home.subjects.values():
        near = [*subject.uses, *subject.needs]
        if together:
            near.append(first_of.setdefault(subject.site, subject.id))
        for other in near:
            leader[head(other)] = head(subject.id)
    groups: dict[str, list[str]] = {}
    for name in home.subjects:
        groups.setdefault(head(name), []).append(name)
    wishes: dict[str, list[int]] = {}
    for position, wish in enumerate(home.wishes):
        wishes.setdefault(head(wish.subject), []).append(position)
    duties: dict[str, list[int]] = {}
    for position, duty in enumerate(home.duties):
        duties.setdefault(head(duty.subject), []).append(position)
    return tuple(
        replace(
            home,
            subjects={name: home.subjects[name] for name in names},
            wishes=tuple(home.wishes[position] for position in wishes.get(group, ())),
            duties=tuple(home.duties[position] for position in duties.get(group, ())),
        )
        for group, names in groups.items()
    )
