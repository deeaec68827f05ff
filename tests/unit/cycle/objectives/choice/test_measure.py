"""What a selection gives and costs, against sums made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releve.cycle.objectives.choice.estate import estate
from releve.cycle.objectives.choice.measure import Measure, bill, broken
from releve.cycle.objectives.choice.prices import Medium, Per, PriceList
from releve.cycle.objectives.choice.wishes import Duty, Loss, duties, elsewhere, respected
from releve.domain.errors import BadInput
from releve.domain.plan import DataKind, Sensitivity
from tests.choices import (
    CLOUD,
    DAILY,
    DAY,
    GO,
    HOUR,
    LIVE,
    PRICES,
    SERVER,
    SPARE,
    TAPE,
    WARM,
    application,
    data,
    rpo,
    rto,
)


def test_the_chain_adds_up() -> None:
    """Reaction, then what it needs, then its own relief and the restores of its data, one after the other."""
    subjects = [
        data("d"),
        data("e"),
        application("annuaire", "e"),
        application("paie", "d", "e", needs=("annuaire",)),
    ]
    home = estate(subjects, [], replace(PRICES, reaction=60), ())
    picks = [
        (s, o)
        for s, o in (
            ("d", "daily"),
            ("e", "live"),
            ("annuaire", "warm"),
            ("paie", "warm"),
        )
    ]
    measure = Measure(home, home.selection(picks), {})
    # annuaire: 1200 + 300; paie: 1200 + (600 + 10 Go / 100 Mo/s = 100) + 300
    assert measure.obtained(rto("annuaire", 0)) == 60 + 1500
    assert measure.obtained(rto("paie", 0)) == 60 + 1500 + 1200 + 700 + 300
    assert measure.obtained(rpo("paie", 0)) == DAY
    assert measure.obtained(rto("e", 0)) == 60 + 300


def test_one_copy_gives_both_the_delay_and_the_loss() -> None:
    """The quick stale copy does not lend its delay to the fresh slow one."""
    slow_fresh = replace(LIVE, id="fresh", rto=2 * HOUR)
    home = estate([data("d")], [rto("d", HOUR), rpo("d", 300)], PriceList((slow_fresh, DAILY)), ())
    lost = broken(home, home.selection([("d", "fresh"), ("d", "daily")]), home.demands)
    assert lost == [rto("d", HOUR)]


def test_after_the_loss_of_the_site_what_stood_there_is_gone() -> None:
    """A copy at home counts for a breakdown, not for a fire."""
    home = estate([data("d")], [], PriceList((replace(DAILY, site="paris"),)), ())
    measure = Measure(home, home.selection([("d", "daily")]), {})
    assert measure.obtained(rto("d", 0)) is None
    assert measure.obtained(rto("d", 0, Loss.MACHINE)) == 700


def test_a_third_party_without_a_site_is_elsewhere() -> None:
    """Nothing said: here. A third party: elsewhere, unless it says that it stands here."""
    here = data("d")
    assert elsewhere(CLOUD, here)
    assert not elsewhere(replace(CLOUD, site="paris"), here)
    assert not elsewhere(replace(DAILY, site=""), here)


def test_what_is_shared_is_paid_once_and_by_whole_units() -> None:
    """Three applications on a server that bears two: two servers, each application its own part."""
    subjects = [application(name) for name in ("a", "b", "c")]
    home = estate(subjects, [], PRICES, ())
    lines = bill(home, home.selection([(s.id, "warm") for s in subjects]))
    server = next(line for line in lines if line.offer == "server")
    assert (server.units, server.total, server.users) == (2, 2 * SERVER.initial, ("a", "b", "c"))
    assert sum(line.total for line in lines) == 2000_00 + 3 * (100_00 + 5 * 50_00)


def test_an_establishment_pays_for_itself() -> None:
    """What is paid by establishment is paid once for each."""
    offer = replace(SPARE, per=Per.ESTABLISHMENT)
    subjects = [application("a"), application("b"), application("c", site="lille")]
    home = estate(subjects, [], PriceList((offer,)), ())
    lines = bill(home, home.selection([(s.id, "spare") for s in subjects]))
    assert [(line.scope, line.users) for line in lines] == [("paris", ("a", "b")), ("lille", ("c",))]


def test_an_application_brings_the_copies_that_its_relief_requires() -> None:
    """A relief that requires a copy requires it for each data set of the application."""
    hot = replace(WARM, requires=("server", "live"))
    home = estate([data("d"), data("e"), application("a", "d", "e")], [], PriceList((LIVE, hot, SERVER)), ())
    assert home.selection([("a", "warm")]) == {
        "a": {"warm", "server"},
        "d": {"live"},
        "e": {"live"},
    }


CRITICAL = data("d", sensitivity=Sensitivity.CRITICAL, data=DataKind.HEALTH)


@pytest.mark.parametrize(
    ("rule", "kept", "lost"),
    [
        ("critical-elsewhere", [LIVE], [DAILY]),
        ("critical-elsewhere", [LIVE], [replace(LIVE, site="paris")]),
        ("critical-elsewhere", [LIVE], [replace(LIVE, rpo=16 * 60)]),
        ("daily-offsite", [DAILY], [replace(DAILY, site="paris"), TAPE]),
        ("hds", [replace(CLOUD, hds=True), DAILY], [CLOUD, DAILY]),
        ("offline-copy", [TAPE], [DAILY, CLOUD]),
        ("replication-is-not-backup", [LIVE, TAPE], [LIVE]),
        ("three-two-one", [DAILY, TAPE], [TAPE]),
        ("three-two-one", [DAILY, TAPE], [DAILY, CLOUD]),
        ("three-two-one", [DAILY, TAPE], [DAILY, replace(TAPE, medium=Medium.DISK)]),
    ],
)
def test_a_rule_is_kept_or_broken(rule: str, kept: list, lost: list) -> None:
    """Each rule, on the smallest purchase that keeps it and on one that does not."""
    assert respected(rule, CRITICAL, kept)
    assert not respected(rule, CRITICAL, lost)


def test_who_falls_under_which_rule() -> None:
    """Critical data: real time; the rest: daily; health data, and what uses it: certified host."""
    office = data("f")
    found = {(d.rule, d.subject) for d in duties([CRITICAL, office, application("a", "d")])}
    every = ("three-two-one", "offline-copy", "replication-is-not-backup")
    assert found == {
        ("critical-elsewhere", "d"),
        ("daily-offsite", "f"),
        ("hds", "d"),
        ("hds", "a"),
        *((rule, name) for rule in every for name in ("d", "f")),
    }
    assert Duty("hds", "a").id == "hds:a"


@pytest.mark.parametrize(
    ("subjects", "wishes", "rules", "code"),
    [
        ([data("d"), application("d")], [], (), "subject-twice"),
        ([application("a", "x")], [], (), "subject-unknown"),
        ([application("a")], [rto("b", 1)], (), "subject-unknown"),
        ([application("a")], [rto("a", -1)], (), "duration"),
        ([application("a", needs=("b",)), application("b", needs=("a",))], [], (), "needs-circle"),
        ([application("a")], [], ("hdz",), "rule-unknown"),
    ],
)
def test_a_wrong_estate_is_refused(subjects: list, wishes: list, rules: tuple[str, ...], code: str) -> None:
    """Each has its code."""
    with pytest.raises(BadInput) as caught:
        estate(subjects, wishes, PRICES, rules)
    assert caught.value.code == code


def test_restoring_takes_the_time_to_carry_it() -> None:
    """Fixed time plus volume over throughput, rounded up; no throughput, nothing to carry."""
    assert DAILY.restore_seconds(GO + 1) == 600 + 11
    assert LIVE.restore_seconds(10**15) == 300
    assert SERVER.restore_seconds(1) is None
