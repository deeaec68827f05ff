"""Which look counts, and which are no longer asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from releve.cycle.audit.estate import brought
from releve.cycle.audit.picture import dropped, newest
from releve.domain.audit import Audit, Gap, Look, Topic
from tests.fakes.audits import NOW, errand, estate, plan

PATH = errand(Topic.PATH, "serveur")
PORTS = errand(Topic.PORTS, "serveur")


def audit(name: str, site: str, *errands: object) -> Audit:
    """An audit made from that site."""
    return replace(estate().audit, id=name, site=site, errands=errands)  # type: ignore[arg-type]


def test_one_reading_gives_the_newest_and_the_one_that_is_preferred() -> None:
    """A look that failed is the newest; an older one that brought something is preferred to it; no more is read."""
    read = []
    good = Look(PORTS, NOW - timedelta(days=2), 0.1)
    bad = Look(PORTS, NOW, 0.1, gaps=(Gap("muet", "muet"),))

    def audits() -> object:
        for name, looks in (("b", (bad,)), ("a", (good,)), ("z", (replace(good, seconds=9.0),))):
            read.append(name)
            yield audit(name, "foyer", PORTS), looks

    assert newest((PORTS,), audits(), lambda _look: True, brought) == ((bad,), (good,))  # type: ignore[arg-type]
    assert read == ["b", "a"]


def test_a_way_is_asked_for_from_one_site() -> None:
    """From another site no way is the same: it was not dropped by the plan. A thing that left the plan is none of it."""
    here, gone = audit("b", "siege"), errand(Topic.PORTS, "vendu")
    assert dropped(plan(), (), (here, audit("a", "foyer", PATH, PORTS, gone))) == (PORTS,)
    assert dropped(plan(), (), (here, audit("a", "siege", PATH))) == (PATH,)
    assert dropped(plan(), (PORTS,), (here, audit("a", "siege", PORTS))) == ()
