"""What changed since the audit before, and the log that follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from releve.cycle.audit.judge import judge
from releve.cycle.audit.rule import Rule, Severity, Standing, Weakness, WeakPoint
from releve.cycle.audit.show.sarif import sarif
from releve.cycle.audit.trend import trend
from releve.domain.audit import Acceptance, Gap, Topic
from releve.domain.seen import Documents
from tests.fakes.audits import estate

RULE = Rule(
    "CAB-01",
    Severity.MAJOR,
    "un câble abîme des trames",
    "parce que",
    ("source",),
    "remplacer",
    lambda _estate: iter(()),
    (Topic.PORTS,),
)
PAPER = replace(RULE, code="HUM-01", topics=(), severity=Severity.CRITICAL)
BAD = WeakPoint(RULE, Weakness("commutateur:eth3", "7 erreurs", "siege"))
OTHER = WeakPoint(RULE, Weakness("commutateur:eth4", "2 erreurs", "siege"))
SAID = WeakPoint(PAPER, Weakness("siege", "pas imprimé", "siege"))


def test_a_point_is_new_kept_or_mended() -> None:
    """The same code and subject is the same point, whatever its figures have become."""
    grown = replace(BAD, weakness=replace(BAD.weakness, sentence="9 erreurs"))
    found = trend((BAD, SAID), (grown, OTHER), estate())
    assert found.new == (OTHER,)
    assert found.kept == (grown,)
    assert found.mended == (SAID,)
    assert found.unseen == ()


@pytest.mark.parametrize(
    ("topic", "subject", "seen"),
    [
        (Topic.PORTS, "commutateur", False),
        (Topic.PORTS, "serveur", False),  # another appliance of the same site: careful rather than exact
        (Topic.MACHINE, "serveur", True),
    ],
)
def test_what_was_not_looked_at_again_is_not_mended(topic: Topic, subject: str, *, seen: bool) -> None:
    """A gap in what showed the point leaves it open; a gap elsewhere does not."""
    whole = estate()
    looks = tuple(
        replace(look, gaps=(Gap("host-unreachable", "muet"),))
        if (look.errand.topic, look.errand.subject) == (topic, subject)
        else look
        for look in whole.looks
    )
    found = trend((BAD,), (), replace(whole, looks=looks))
    assert (found.mended, found.unseen) == (((BAD,), ()) if seen else ((), (BAD,)))


@pytest.mark.parametrize(
    ("subject", "site", "mended"),
    [
        ("ailleurs", "", False),  # nobody knows where: any gap of the kind may hide it
        ("commutateur:eth3", "foyer", False),  # its very subject, at whatever site it was said to be
        ("ailleurs", "foyer", True),
    ],
)
def test_a_gap_hides_what_it_may_have_shown(subject: str, site: str, *, mended: bool) -> None:
    """The ports of the switch were not read."""
    whole = estate()
    point = replace(BAD, weakness=Weakness(subject, "7 erreurs", site))
    looks = tuple(
        replace(look, gaps=(Gap("host-unreachable", "muet"),))
        if look.errand.key == "ports:commutateur"
        else look
        for look in whole.looks
    )
    found = trend((point,), (), replace(whole, looks=looks))
    assert bool(found.mended) is mended


def test_what_was_seen_in_part_and_now_not_at_all_is_not_mended() -> None:
    """The gap that named a part gives way to one that names nothing: worse, not better."""
    whole = estate()
    look = next(look for look in whole.looks if look.errand.topic is Topic.FILES)
    part, blind = Gap("folder-unreadable", "fermé", "paie"), Gap("folder-missing", "absent")
    partly, lost = (
        replace(whole, looks=(replace(look, facts=facts, gaps=(gap,)),))
        for facts, gap in (((Documents("serveur", "/srv", ()),), part), ((), blind))
    )
    before, after = judge(partly, ()).points, judge(lost, ()).points
    found = trend(before, after, lost)
    assert ("VU-02", f"{look.errand.key}:paie") in {point.key for point in found.unseen}
    assert ("VU-01", look.errand.key) in {point.key for point in found.new}
    better = trend(after, before, partly)
    assert ("VU-01", look.errand.key) in {point.key for point in better.mended}


def test_a_smaller_audit_mends_nothing() -> None:
    """Nor is a point mended for which nothing of its kind was asked."""
    whole = estate()
    few = tuple(item for item in whole.audit.errands if item.topic is not Topic.PORTS)
    found = trend((BAD,), (), replace(whole, audit=replace(whole.audit, errands=few)))
    assert found.unseen == (BAD,)


def test_a_log_of_findings_says_where_how_grave_and_since_when() -> None:
    """Level, line of the plan, stable fingerprint, suppression with its reason, state against the audit before."""
    accepted = Acceptance(
        "HUM-01", "siege", "directrice", date(2026, 10, 1), "déménagement", date(2027, 1, 1)
    )
    lived = replace(SAID, standing=Standing.ACCEPTED, acceptance=accepted)
    since = trend((BAD,), (OTHER, lived), estate())
    log = sarif(
        (OTHER, lived),
        (RULE, PAPER),
        version="1",
        plan="plan.yaml",
        lines={"siege": 5},
        trend=since,
    )
    (run,) = log["runs"]  # type: ignore[misc]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]  # type: ignore[index]
    results = run["results"]  # type: ignore[index]
    assert [(item["ruleId"], item["level"], item["baselineState"]) for item in results] == [
        ("CAB-01", "warning", "new"),
        ("HUM-01", "error", "new"),
        ("CAB-01", "warning", "absent"),
    ]
    assert all(ids[item["ruleIndex"]] == item["ruleId"] for item in results)
    assert results[1]["locations"][0]["physicalLocation"]["region"] == {"startLine": 5}
    assert "déménagement" in results[1]["suppressions"][0]["justification"]
    assert "suppressions" not in results[0]
    assert results[2]["partialFingerprints"] == {"releve/v1": "CAB-01:commutateur:eth3"}
