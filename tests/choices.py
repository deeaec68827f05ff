"""Small estates and fictional prices for the tests of the choice of protections."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations

from releve.cycle.objectives.choice.estate import Estate, Pick
from releve.cycle.objectives.choice.measure import bill, broken
from releve.cycle.objectives.choice.prices import Kind, Medium, Offer, Per, PriceList, Serves
from releve.cycle.objectives.choice.wishes import Loss, Objective, Subject, SubjectKind, Wish
from releve.domain.plan import DataKind, Sensitivity

HOUR, DAY, GO = 3600, 86_400, 10**9
COPY, RELIEF, SUPPORT = Serves.DATA_SET, Serves.APPLICATION, Serves.SUPPORT

LIVE = Offer(
    "live",
    "copie en temps réel",
    Kind.REALTIME,
    COPY,
    400_00,
    100_00,
    Per.DATA_SET,
    rpo=60,
    rto=300,
    site="lyon",
)
DAILY = Offer(
    "daily",
    "copie du soir",
    Kind.DAILY,
    COPY,
    50_00,
    20_00,
    Per.DATA_SET,
    rpo=DAY,
    rto=600,
    throughput=100e6,
    site="lyon",
)
CLOUD = Offer(
    "cloud",
    "copie en nuage",
    Kind.DAILY,
    COPY,
    0,
    10_00,
    Per.DATA_SET,
    rpo=DAY,
    rto=HOUR,
    throughput=10e6,
    third_party="Nuage SA",
    medium=Medium.CLOUD,
)
TAPE = Offer(
    "tape",
    "bande",
    Kind.OFFLINE_COPY,
    COPY,
    5_00,
    5_00,
    Per.DATA_SET,
    rpo=7 * DAY,
    rto=DAY,
    throughput=50e6,
    site="coffre",
    offline=True,
    medium=Medium.TAPE,
)
WARM = Offer(
    "warm",
    "secours tiède",
    Kind.WARM,
    RELIEF,
    100_00,
    50_00,
    Per.APPLICATION,
    rto=1200,
    site="lyon",
    requires=("server",),
)
SPARE = Offer(
    "spare", "rechange", Kind.SPARE_HARDWARE, RELIEF, 10_00, 1_00, Per.APPLICATION, rto=DAY, site="lyon"
)
SERVER = Offer(
    "server",
    "serveur de secours",
    Kind.RELIEF_SERVER,
    SUPPORT,
    1000_00,
    0,
    Per.ASSOCIATION,
    site="lyon",
    capacity_applications=2,
)
OFFERS = (LIVE, DAILY, CLOUD, TAPE, WARM, SPARE, SERVER)
PRICES = PriceList(OFFERS, reaction=0)


def data(name: str, /, **more: object) -> Subject:
    """A data set of Paris."""
    return replace(Subject(name, name, SubjectKind.DATA_SET, "paris", volume=10 * GO), **more)


def application(name: str, /, *uses: str, **more: object) -> Subject:
    """An application of Paris."""
    return replace(Subject(name, name, SubjectKind.APPLICATION, "paris", uses=uses), **more)


def rto(subject: str, seconds: int, loss: Loss = Loss.SITE) -> Wish:
    """At most that long without it."""
    return Wish(f"rto-{subject}", subject, Objective.RTO, seconds, "Mme Fictive", "entretien", loss)


def rpo(subject: str, seconds: int) -> Wish:
    """At most that much lost."""
    return Wish(f"rpo-{subject}", subject, Objective.RPO, seconds, "M. Fictif", "entretien")


def subsets(picks: list[Pick]) -> Iterator[tuple[Pick, ...]]:
    """Every set of picks."""
    return chain.from_iterable(combinations(picks, size) for size in range(len(picks) + 1))


def by_hand(home: Estate) -> int | None:
    """The least total over every set of picks that keeps everything, in cents; None where none does."""
    picks = [(s.id, o.id) for s in home.subjects.values() for o in home.direct(s)]
    best: int | None = None
    for chosen in subsets(picks):
        selection = home.selection(chosen)
        if broken(home, selection, home.demands):
            continue
        total = sum(line.total for line in bill(home, selection))
        best = total if best is None else min(best, total)
    return best


def invented(seed: int, *, wide: bool = False) -> tuple[list[Subject], list[Wish], PriceList]:
    """A random tiny estate: two data sets, two applications, a handful of offers. `wide`: more of both."""
    chance = random.Random(seed)
    kinds = (DataKind.HEALTH, DataKind.OFFICE)
    levels = (Sensitivity.CRITICAL, Sensitivity.STANDARD)
    count = 5 if wide else 2
    sites = ("paris", "lille") if wide else ("paris",)
    sets = [
        data(
            f"d{n}",
            data=chance.choice(kinds),
            sensitivity=chance.choice(levels),
            site=chance.choice(sites),
            volume=chance.choice((1, 50, 400)) * GO,
        )
        for n in range(count)
    ]
    apps = [
        application(
            f"a{n}",
            *chance.sample([s.id for s in sets], chance.choice((1, 2))),
            needs=tuple(f"a{m}" for m in range(n) if chance.random() < 0.5),
            site=chance.choice(sites),
        )
        for n in range(count)
    ]
    wishes = [rto(a.id, chance.choice((HOUR, 2 * HOUR, DAY, 3 * DAY))) for a in apps if chance.random() < 0.8]
    wishes += [rpo(s.id, chance.choice((300, DAY))) for s in sets if chance.random() < 0.6]
    wishes += [rpo(apps[0].id, DAY)] if chance.random() < 0.3 else []
    offers = [TAPE]
    copies = chance.sample((LIVE, DAILY, CLOUD, replace(CLOUD, id="hds", hds=True)), 2)
    reliefs = chance.sample((WARM, SPARE), chance.choice((1, 2)))
    for offer in (*copies, *reliefs):
        per = chance.choice((offer.per, Per.ESTABLISHMENT, Per.ASSOCIATION))
        offers.append(
            replace(
                offer,
                initial=chance.randrange(0, 500_00),
                yearly=chance.randrange(0, 100_00),
                per=per,
                capacity_bytes=200 * GO
                if per is not offer.per and offer.serves is COPY and chance.random() < 0.5
                else 0,
            )
        )
    capacity = chance.choice((0, 1))
    offers.append(replace(SERVER, capacity_applications=capacity, initial=chance.randrange(0, 900_00)))
    return [*sets, *apps], wishes, PriceList(tuple(offers), reaction=chance.choice((None, 600)))
