"""The choice of protections on generated estates, beside a table of tiers. Fictional prices, all of them.

`measured()`: for 40 and for 60 x 40 = 2,400 needs, raw seconds of each run, total, bound, gap; and beside
it the usual way: a table that gives each tier of RTO its typical answer (`tiers`), what it costs on the
same estate and which demands it breaks. JSON-ready.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import Any

from releve.cycle.objectives.choice.curve import Curve, curve_of, curve_of_all
from releve.cycle.objectives.choice.estate import Estate, Pick, estate
from releve.cycle.objectives.choice.measure import bill, broken
from releve.cycle.objectives.choice.picture import svg
from releve.cycle.objectives.choice.prices import Kind, Medium, Offer, Per, PriceList, Serves
from releve.cycle.objectives.choice.reasons import reasons
from releve.cycle.objectives.choice.solve import Choice, Limits, choose
from releve.cycle.objectives.choice.wishes import Objective, Subject, SubjectKind, Wish, duties
from releve.domain.plan import DataKind, Sensitivity

HOUR, DAY, GO = 3600, 86_400, 10**9
_RTO = (15 * 60, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, DAY, 3 * DAY)
_DATA = (DataKind.HEALTH, DataKind.ACCOUNTING, DataKind.HR, DataKind.OFFICE)


def price_list() -> PriceList:
    """A fictional list: every amount is invented for this bench."""
    copy, relief, support = Serves.DATA_SET, Serves.APPLICATION, Serves.SUPPORT
    each, app, all_, site = Per.DATA_SET, Per.APPLICATION, Per.ASSOCIATION, Per.ESTABLISHMENT
    return PriceList(
        (
            Offer("sync", "copie synchrone (fictif)", Kind.SYNCHRONOUS, copy, 90_000, 60_000, each, rpo=0, rto=60, site="relief", requires=("link", "server")),
            Offer("live", "copie en temps réel (fictif)", Kind.REALTIME, copy, 40_000, 24_000, each, rpo=60, rto=300, site="relief", requires=("server",)),
            Offer("hourly", "copie horaire (fictif)", Kind.HOURLY, copy, 15_000, 9_000, each, rpo=HOUR, rto=900, throughput=60e6, site="relief", requires=("backup",)),
            Offer("daily", "copie quotidienne (fictif)", Kind.DAILY, copy, 5_000, 3_000, each, rpo=DAY, rto=1800, throughput=40e6, site="relief", requires=("backup",)),
            Offer("cloud", "copie chez un hébergeur (fictif)", Kind.DAILY, copy, 0, 2_000, each, rpo=DAY, rto=7200, throughput=10e6, third_party="Hébergeur", medium=Medium.CLOUD),
            Offer("cloud-hds", "copie chez un hébergeur HDS (fictif)", Kind.DAILY, copy, 0, 5_000, each, rpo=DAY, rto=7200, throughput=10e6, third_party="Hébergeur HDS", hds=True, medium=Medium.CLOUD),
            Offer("tape", "bande hors ligne (fictif)", Kind.OFFLINE_COPY, copy, 2_000, 1_500, each, rpo=7 * DAY, rto=DAY, throughput=80e6, site="safe", offline=True, medium=Medium.TAPE, requires=("library",)),
            Offer("hot", "secours chaud (fictif)", Kind.HOT, relief, 150_000, 90_000, app, rto=60, site="relief", requires=("link", "server")),
            Offer("warm", "secours tiède (fictif)", Kind.WARM, relief, 60_000, 40_000, app, rto=1200, site="relief", requires=("server",)),
            Offer("cold", "secours froid (fictif)", Kind.COLD, relief, 20_000, 12_000, app, rto=3 * HOUR, site="relief", requires=("server",)),
            Offer("spare", "matériel de rechange (fictif)", Kind.SPARE_HARDWARE, relief, 3_000, 1_000, app, rto=DAY, site="relief", requires=("stock",)),
            Offer("stock", "réserve de matériel (fictif)", Kind.SPARE_HARDWARE, support, 200_000, 0, site),
            Offer("link", "second lien (fictif)", Kind.SECOND_LINK, support, 50_000, 120_000, site),
            Offer("server", "serveur de secours (fictif)", Kind.RELIEF_SERVER, support, 900_000, 150_000, all_, capacity_applications=60),
            Offer("backup", "serveur de sauvegarde (fictif)", Kind.BACKUP_SERVER, support, 400_000, 60_000, all_, capacity_bytes=40_000 * GO),
            Offer("library", "robot de bandes (fictif)", Kind.BACKUP_SERVER, support, 250_000, 30_000, all_),
        ),
        reaction=5 * 60,
    )  # fmt: skip


def generated(establishments: int, applications: int, seed: int = 7) -> tuple[list[Subject], list[Wish]]:
    """Establishments of `applications` each: a directory that the others need, one data set an application."""
    chance = random.Random(seed)
    subjects: list[Subject] = []
    wishes: list[Wish] = []
    for place in range(establishments):
        site = f"e{place:02d}"
        for number in range(applications):
            app, data = f"{site}-a{number:02d}", f"{site}-d{number:02d}"
            kind = chance.choice(_DATA)
            critical = number and kind in {DataKind.HEALTH, DataKind.ACCOUNTING} and chance.random() < 0.5
            sensitivity = Sensitivity.CRITICAL if critical else Sensitivity.STANDARD
            volume = chance.choice((2, 10, 40, 150, 600)) * GO if number else 2 * GO
            subjects.append(Subject(data, data, SubjectKind.DATA_SET, site, kind if number else DataKind.ACCOUNTS, sensitivity, volume))  # fmt: skip
            needs = (f"{site}-a00",) if number and chance.random() < 0.7 else ()
            subjects.append(Subject(app, app, SubjectKind.APPLICATION, site, uses=(data,), needs=needs))
            rto = chance.choice(_RTO[1:] if number else _RTO[3:4])
            wishes.append(Wish(f"{app}-rto", app, Objective.RTO, rto, "personne fictive", "estate généré"))
            if chance.random() < 0.3:
                wishes.append(
                    Wish(
                        f"{data}-rpo",
                        data,
                        Objective.RPO,
                        chance.choice((900, HOUR, DAY)),
                        "personne fictive",
                    )
                )
    return subjects, wishes


def tiers(home: Estate) -> set[Pick]:
    """The usual way: each application gets the typical answer of its tier, each data set that of its RPO."""
    picks: set[Pick] = set()
    rto = {w.subject: w.seconds for w in home.wishes if w.objective is Objective.RTO}
    rpo = {w.subject: w.seconds for w in home.wishes if w.objective is Objective.RPO}
    for subject in home.subjects.values():
        if subject.kind is SubjectKind.APPLICATION:
            asked = rto.get(subject.id, 30 * DAY)
            relief = ((15 * 60, "hot"), (2 * HOUR, "warm"), (4 * HOUR, "cold"), (DAY, "cold"))
            picks.add((subject.id, next((offer for limit, offer in relief if asked <= limit), "spare")))
        else:
            asked = rpo.get(subject.id, DAY)
            if subject.sensitivity is Sensitivity.CRITICAL:
                asked = min(asked, 900)
            copies = ((0, "sync"), (900, "live"), (HOUR, "hourly"))
            picks.add((subject.id, next((offer for limit, offer in copies if asked <= limit), "daily")))
            picks.add((subject.id, "tape"))  # 3-2-1 is known to the usual way too
    return picks


def one(establishments: int, runs: int = 3, limits: Limits | None = None) -> dict[str, Any]:
    """Raw values of one size. `seconds`: each run; times exclude the sentences (`reasons_seconds`)."""
    subjects, wishes = generated(establishments, 40)
    prices = price_list()
    seconds: list[float] = []
    totals: list[int] = []
    found: Choice | None = None
    for _ in range(runs):
        begun = time.perf_counter()
        answer = choose(subjects, wishes, prices, limits=limits or Limits())
        seconds.append(round(time.perf_counter() - begun, 3))
        if not isinstance(answer, Choice):
            raise AssertionError("the generated estate can be kept")
        found = answer
        totals.append(answer.total)
    if found is None:
        raise ValueError("no run")
    begun = time.perf_counter()
    said = reasons(found)
    told = time.perf_counter() - begun
    usual = _usual(estate(subjects, wishes, prices))
    return {
        "establishments": establishments,
        "applications": establishments * 40,
        "subjects": len(subjects),
        "wishes": len(wishes),
        "duties": len(list(duties(subjects))),
        "offers": len(prices.offers),
        "seconds": seconds,
        "totals_cents": totals,
        "bound_cents": found.bound,
        "gap": found.gap,
        "proven": found.proven,
        "picks": len(found.picks),
        "reasons_seconds": round(told, 3),
        "picks_without_reason": sum(not sentences for sentences in said.values()),
        "tiers": usual,
    }


def _usual(home: Estate) -> dict[str, Any]:
    chosen = home.selection(tiers(home))
    lost = broken(home, chosen, home.demands)
    return {
        "total_cents": sum(line.total for line in bill(home, chosen)),
        "broken_wishes": sum(isinstance(demand, Wish) for demand in lost),
        "broken_rules": sum(not isinstance(demand, Wish) for demand in lost),
    }


def curves() -> dict[str, Any]:
    """Both curves on 40 applications: seconds of work, points, and the picture."""
    subjects, wishes = generated(1, 40)
    prices = price_list()
    begun = time.perf_counter()
    one_app = curve_of("e00-a05", subjects, wishes, prices)
    half = time.perf_counter()
    everything = curve_of_all(subjects, wishes, prices)
    drawn = time.perf_counter()
    if not isinstance(one_app, Curve) or not isinstance(everything, Curve):
        raise AssertionError("the generated estate can be kept")
    size = len(svg(everything))
    return {
        "application": {"seconds": round(half - begun, 3), "points": len(one_app.points), "proven": one_app.proven},
        "association": {"seconds": round(drawn - half, 3), "points": len(everything.points), "proven": everything.proven},
        "picture": {"seconds": round(time.perf_counter() - drawn, 3), "bytes": size},
    }  # fmt: skip


def measured(sizes: Iterable[int] = (1, 60)) -> dict[str, Any]:
    """Every size (establishments of 40 applications each), and the curves."""
    return {"sizes": [one(size) for size in sizes], "curves": curves()}
