"""What one more means would change in a supposition, and why it changes nothing where it does not. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from releve.cycle.objectives.predict import Situation
from releve.cycle.objectives.recovery import LINK, MEMORY, PEOPLE, PROCESSORS, RESTORES
from releve.cycle.objectives.what_if import Line, Supposed, Supposition
from releve.domain.objectives import ComponentKind, Relief
from releve.domain.units import say_count

SEEN = 60.0  # seconds, and
SEEN_CHANCE = 0.01  # of chance, below which nobody sees a difference


@dataclass(frozen=True, slots=True)
class Change:
    """What one more means would change. `people`: so many more; `times`: the relief's machines, so many times."""

    people: int = 0
    times: float = 1.0
    second_link: bool = False

    @property
    def any(self) -> bool:
        """Whether it changes anything."""
        return self != Change()

    @property
    def parts(self) -> tuple[Change, ...]:
        """Each of its means alone."""
        each = (Change(people=self.people), Change(times=self.times), Change(second_link=self.second_link))
        return tuple(part for part in each if part.any)

    @property
    def words(self) -> str:
        """The means in French, as they follow "sans"."""
        said = []
        if self.people:
            said.append("la personne de plus" if self.people == 1 else f"les {self.people} personnes de plus")
        if self.times != 1.0:
            size = f"{self.times:g}".replace(".", ",")
            said.append(
                f"le secours {size} fois plus grand" if self.times > 1 else f"le secours réduit à {size} fois"
            )
        if self.second_link:
            said.append("le second lien")
        return " ni ".join(said)


@dataclass(frozen=True, slots=True)
class Beside:
    """The same without the change: `before` None when the relief of today cannot hold it.

    `idle`: of each means that alone changes nothing, that and why.
    """

    change: Change
    before: Supposition | None
    idle: tuple[str, ...] = ()


def changed(situation: Situation, supposed: Supposed, change: Change) -> tuple[Situation, Supposed]:
    """The same with other means. A second link takes over from a link that fails, and doubles what restores get."""
    relief = situation.relief
    other: Relief = replace(
        relief,
        people=relief.people + change.people,
        processors=max(1, round(relief.processors * change.times)),
        memory=round(relief.memory * change.times),
        restores=max(1, round(relief.restores * change.times)),
        link=relief.link * (2 if change.second_link else 1),
    )
    hit = supposed.hit
    if change.second_link:
        links = _links(situation)
        hit = tuple(node for node in hit if node not in links)
    return replace(situation, relief=other), Supposed(supposed.scenario, hit)


def beside(
    situation: Situation, change: Change, before: Supposition, ask: Callable[[Change], Supposition]
) -> Beside:
    """`ask`: the same supposition with another change."""
    idle = tuple(_why(situation, part, before) for part in change.parts if same(before, ask(part)))
    return Beside(change, before, idle)


def same(one: Supposition, other: Supposition) -> bool:
    """Whether nobody would see a difference between the two."""
    known = {line.application: line for line in other.lines}
    return known.keys() == {line.application for line in one.lines} and all(
        _alike(line, known[line.application]) for line in one.lines
    )


def _alike(one: Line, other: Line) -> bool:
    a, b = one.forecast, other.forecast
    if a is None or b is None:
        return one.way is other.way and a is b
    times = ((a.p50, b.p50), (a.p90, b.p90))
    return abs((a.kept or 0.0) - (b.kept or 0.0)) < SEEN_CHANCE and all(
        x is not None and y is not None and abs(x - y) < SEEN for x, y in times
    )


def _why(situation: Situation, part: Change, before: Supposition) -> str:
    """A means that alone changes nothing: it, and what makes it useless here."""
    relief = situation.relief
    if part.second_link:
        words = "Un second lien ne change rien ici : " + (
            "rien de ce qui s'arrête n'attend le lien touché, et "
            if _links(situation).intersection(before.supposed.hit)
            else "aucun lien déclaré (« kind: link ») n'est touché, et "
        )
        if not _asked(before, LINK):
            return words + (
                "rien n'est restauré à travers le lien"
                if relief.link
                else "le débit du lien vers le secours n'est pas déclaré (« relief: link ») ou ne sert à rien"
            )
        return words + "le débit déclaré suffit déjà aux restaurations"
    if part.people:
        words = f"{say_count(part.people, 'personne')} de plus ne change{'nt' if part.people > 1 else ''} rien ici : "
        if not _asked(before, PEOPLE):
            return words + "rien de cette reprise n'attend une personne du secours"
        return (
            words
            + f"{say_count(relief.people, 'personne')} suffi{'sent' if relief.people > 1 else 't'} à ce qu'il y a à faire"
        )
    words = "Un secours d'une autre taille ne change rien ici : "
    if not any(_asked(before, pool) for pool in (PROCESSORS, MEMORY, RESTORES)):
        return words + "rien de cette reprise ne se fait sur ses machines"
    return words + "ses machines ne sont pas ce qui manque"


def _asked(found: Supposition, pool: str) -> bool:
    """Whether any job of the recovery takes some of that pool."""
    return any(job.demands.get(pool) or job.keeps.get(pool) for job in found.prediction.work.jobs)


def _links(situation: Situation) -> frozenset[str]:
    return frozenset(item.id for item in situation.objectives.components if item.kind is ComponentKind.LINK)
