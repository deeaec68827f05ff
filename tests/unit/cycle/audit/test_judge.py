"""What the rules found, what people accepted of it, and what nothing could verify."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.judge import blinded, judge
from releve.cycle.audit.rule import READ_FR, Rule, Severity, Standing, Weakness
from releve.cycle.audit.rules import RULES
from releve.domain.audit import Acceptance, Answer, Topic
from tests.unit.cycle.audit.cases import estate


def rule(
    code: str, *found: Weakness, severity: Severity = Severity.MINOR, topics: tuple[Topic, ...] = ()
) -> Rule:
    """A rule that names what it is told to."""

    def check(_estate: Estate) -> Iterator[Weakness]:
        yield from found

    return Rule(code, severity, "titre", "parce que", ("source",), "remède", check, topics)


WEAK = rule("RES-01", Weakness("b", "une phrase"), Weakness("a", "une phrase"))
ACCEPTED = Acceptance("RES-01", "a", "directrice", date(2026, 9, 1), "remplacé en mai", date(2026, 10, 5))


def test_the_gravest_comes_first_then_the_code_then_the_subject() -> None:
    """The order is that in which a person should act, and the same at each run."""
    grave = rule("VU-09", Weakness("z", "grave"), severity=Severity.CRITICAL)
    points = judge(estate(), (), (WEAK, rule("CAB-01", Weakness("c", "léger")), grave)).points
    assert [point.key for point in points] == [
        ("VU-09", "z"),
        ("CAB-01", "c"),
        ("RES-01", "a"),
        ("RES-01", "b"),
    ]


@pytest.mark.parametrize(
    ("notes", "standing"),
    [
        ((), Standing.OPEN),
        ((ACCEPTED,), Standing.ACCEPTED),  # the last day is still accepted
        ((replace(ACCEPTED, until=date(2026, 10, 4)),), Standing.EXPIRED),
        ((ACCEPTED, replace(ACCEPTED, withdrawn=True)), Standing.OPEN),
        ((ACCEPTED, replace(ACCEPTED, withdrawn=True), replace(ACCEPTED, why="encore")), Standing.ACCEPTED),
        ((replace(ACCEPTED, subject="c"), replace(ACCEPTED, code="RES-02")), Standing.OPEN),
        ((Answer("QUE-01", "", good=False, by="directrice", on=date(2026, 9, 1)),), Standing.OPEN),
    ],
)
def test_an_acceptance_holds_for_one_point_until_its_day(
    notes: tuple[Acceptance | Answer, ...], standing: Standing
) -> None:
    """Only the last word on that code and subject counts, and an expired one comes back marked as such."""
    point = next(point for point in judge(estate(), notes, (WEAK,)).points if point.weakness.subject == "a")
    assert point.standing is standing
    assert (point.acceptance is None) is (standing is Standing.OPEN)


def test_the_same_weakness_twice_is_told_once() -> None:
    """A cause seen twice at one place is one point."""
    twice = rule("RES-01", Weakness("a", "une phrase"), Weakness("a", "une phrase"))
    assert len(judge(estate(), (), (twice,)).points) == 1


def test_two_sentences_for_one_subject_are_a_defect_of_the_rule() -> None:
    """Acceptances hang on code and subject: a rule that gives one subject two meanings is refused."""
    with pytest.raises(ValueError, match="RES-01 names 'a' twice"):
        judge(estate(), (), (rule("RES-01", Weakness("a", "une"), Weakness("a", "deux")),))


def test_a_rule_that_nothing_fed_is_not_verified() -> None:
    """No look planned, no look that came back, no audit before: each says so, and is not taken for "there is none"."""
    silent = rule("ALI-01", topics=(Topic.UPS,))
    blind = {
        f"ups:ups{number}": [{"ups": None}, {"gap": {"code": "nut", "sentence": "NUT ne répond pas"}}]
        for number in (1, 2, 3, 4)
    }
    assert judge(estate(), (), (silent,)).unjudged == ()
    assert judge(estate({"looks": blind}), (), (silent,)).unjudged == (
        (silent, "aucun regard de ce genre n'a abouti (onduleur)"),
    )
    bare = {"equipment": {f"ups{number}": {"nut": ""} for number in (1, 2, 3, 4)}}
    assert judge(estate({"plan": bare}), (), (silent,)).unjudged == (
        (silent, "le plan ne demande aucun regard de ce genre (onduleur)"),
    )
    compares = replace(silent, topics=(), compares=(Topic.FILES,))
    assert judge(estate(), (), (compares,)).unjudged == ()
    assert judge(replace(estate(), earlier=()), (), (compares,)).unjudged == (
        (compares, "il faut un audit d'avant, auquel comparer"),
    )


def test_of_two_looks_of_which_either_suffices_one_is_enough() -> None:
    """Made-up figures are told by an agent or by a UPS: where ports were looked at, no UPS is missed."""
    either = replace(rule("VU-03", topics=(Topic.PORTS, Topic.UPS)), either=True)
    bare = {"equipment": {f"ups{number}": {"nut": ""} for number in (1, 2, 3, 4)}}
    assert judge(estate({"plan": bare}), (), (either,)).unjudged == ()
    assert judge(replace(estate(), looks=()), (), (either,)).unjudged == (
        (either, "aucun regard de ce genre n'a abouti (prises et câbles d'un appareil)"),
    )
    assert "VU-03" not in {item.code for item, _why in judge(estate({"plan": bare}), ()).unjudged}


def test_a_rule_whose_looks_failed_is_told_from_one_that_nobody_asked_for() -> None:
    """A gate counts the first, never the second, nor what waits for an audit to compare with."""
    silent = rule("ALI-01", topics=(Topic.UPS,))
    both = replace(rule("VU-03", topics=(Topic.PORTS, Topic.UPS)), either=True)
    compares = replace(silent, code="DON-01", topics=(), compares=(Topic.FILES,))
    bare = estate({"plan": {"equipment": {f"ups{number}": {"nut": ""} for number in (1, 2, 3, 4)}}})

    def codes(whole: Estate) -> list[str]:
        return [item.code for item in blinded(judge(whole, (), (silent, both, compares)), whole)]

    assert codes(replace(estate(), looks=(), earlier=())) == ["ALI-01", "VU-03"]
    assert codes(replace(estate(), earlier=())) == []
    assert codes(replace(bare, earlier=())) == []
    assert codes(replace(bare, looks=(), earlier=())) == ["VU-03"]


def test_a_rule_is_not_verified_by_a_look_that_brought_other_facts() -> None:
    """Every machine told its clock and kept its system to itself: no rule says that its systems are fine."""
    parts = ("system", "disk", "unit", "updates")
    gap = {"gap": {"code": "host-unclear", "sentence": "réponse illisible", "what": "système"}}
    clock = {"clock": {"offset": 0.0, "margin": 0.1, "synchronised": True}}
    looks = {
        f"machine:{name}": [*({part: None} for part in parts), clock, gap]
        for name in ("srv1", "srv2", "poste1")
    }
    torn = estate({"looks": looks})
    judged = judge(torn, ())
    said = {rule.code: why for rule, why in judged.unjudged}
    assert said["POS-01"] == "aucun regard n'a rapporté ce qu'elle lit (système)"
    assert said["POS-13"] == "aucun regard n'a rapporté ce qu'elle lit (disques)"
    assert "POS-16" not in said
    assert {rule.code for rule in blinded(judged, torn)} >= {"POS-01", "POS-13"}


def test_what_a_whole_look_did_not_find_is_not_hidden() -> None:
    """No neighbour at the end of any cable is not verified either; a gate does not wait for what is not there."""
    bare = estate({"looks": {"ports:sw1": [{"lldp": None}]}})
    judged = judge(bare, ())
    assert [rule.code for rule, _why in judged.unjudged] == ["CAB-10"]
    assert blinded(judged, bare) == ()


def test_what_a_rule_reads_has_its_words() -> None:
    """A type without French words could not be told."""
    assert {kind for rule in RULES for kind in rule.reads} == set(READ_FR)


def test_a_rule_that_named_something_was_verified() -> None:
    """What was found needs no other proof."""
    found = rule("ALI-01", Weakness("ups1", "sur batterie"), topics=(Topic.UPS,))
    unseen = replace(estate(), looks=())
    assert judge(unseen, (), (found,)).unjudged == ()


def test_no_rule_speaks_of_what_was_not_looked_at() -> None:
    """With every look missing, only what the plan itself says and what was not seen is named."""
    blind = replace(estate(), looks=(), earlier=())
    found = judge(blind, ())
    assert {point.rule.code for point in found.points} == {"VU-01"}
    assert len(found.points) == len(blind.audit.errands)
    assert {item.code for item, _why in found.unjudged} >= {"RES-01", "CAB-01", "POS-01", "COP-01", "DON-03"}


def test_a_look_of_gaps_alone_brought_nothing() -> None:
    """Whether its gaps name a part or not: what was seen of nothing proves nothing; an empty look without gap does."""
    gap = {"gap": {"code": "place-denied", "sentence": "droits insuffisants", "what": "/srv/archives"}}
    found = estate({"looks": {"files:archives": [{"files": None}, gap]}})
    assert not found.looked(Topic.FILES, "archives")
    part = estate({"looks": {"files:archives": [gap]}})
    assert part.looked(Topic.FILES, "archives")
    assert estate({"looks": {"files:archives": [{"files": None}]}}).looked(Topic.FILES, "archives")
    assert not replace(found, looks=()).looked(Topic.FILES, "archives")


def test_every_gap_is_named_once() -> None:
    """One whole look, one part of another: one point each, under the rule of its kind."""
    gaps = {
        "machine:srv2": [
            {"gap": {"code": "smartctl", "sentence": "smartctl n'est pas installé", "what": "disques"}}
        ],
        "files:archives": [
            {"files": None},
            {"gap": {"code": "place-denied", "sentence": "droits insuffisants"}},
        ],
        # A gap that names its part, in a look that saw nothing at all.
        "network:lan2": [
            {"neighbour": None},
            {"gap": {"code": "command-missing", "sentence": "nmap", "what": "nmap"}},
        ],
    }
    keys = [point.key for point in judge(estate({"looks": gaps}), ()).points]
    assert keys == [
        ("VU-01", "files:archives"),
        ("VU-01", "network:lan2:nmap"),
        ("VU-02", "machine:srv2:disques"),
    ]
