"""The first plan of each kind of establishment, and the catalogue that it is written from."""

from __future__ import annotations

from datetime import date

import pytest

from releve.cycle.plan.catalogue import catalogue, duration
from releve.cycle.plan.init import first_plan
from releve.cycle.plan.load import judge, parse_plan
from releve.domain.errors import BadInput
from releve.domain.plan import DataKind, Plan, Sensitivity
from releve.domain.units import Clock, parse_span

PROFILES = ("ehpad", "foyer", "ime", "esat", "ssiad", "siège")
TODAY = date(2026, 1, 1)


def first(profile: str) -> Plan:
    """The first plan of a profile, read back."""
    return parse_plan(first_plan(profile, "Les Tilleuls").encode(), "plan.yaml", today=TODAY)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_first_plan_has_no_fault_and_only_known_remarks(profile: str) -> None:
    """What remains to be said: phone numbers, and delays that contradict each other."""
    judgement = judge(first_plan(profile, "Les Tilleuls").encode(), "plan.yaml", today=TODAY)
    assert judgement.faults == ()
    assert {remark.code for remark in judgement.remarks} == {"contact-unreachable", "needs-slower"}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_delay_of_a_first_plan_is_marked_as_proposed(profile: str) -> None:
    """Nobody may take a value of the catalogue for a decision of the association."""
    lines = [line for line in first_plan(profile, "A").splitlines() if line.strip().startswith("tolerance:")]
    assert len(lines) == len(first(profile).applications)
    assert all(line.endswith("# valeur proposée") for line in lines)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_one_needs_comes_before_it_or_is_at_least_there(profile: str) -> None:
    """The dependencies of the chosen applications are chosen too."""
    plan = first(profile)
    known = {application.id for application in plan.applications}
    assert all(set(application.needs) <= known for application in plan.applications)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_first_plan_protects_one_critical_data_set_and_switches_its_application(profile: str) -> None:
    """One application has two instances and data copied in real time; the others are only declared."""
    plan = first(profile)
    (data,) = plan.data_sets
    (switched,) = [application for application in plan.applications if application.ends]
    assert data.sensitivity is Sensitivity.CRITICAL
    assert data.protection.synchronous
    assert switched.data == (data.id,)
    assert data.kind is (DataKind.ACCOUNTING if profile == "siège" else DataKind.HEALTH)


def test_a_house_open_at_night_asks_for_hours_of_the_clock() -> None:
    """The users' file is needed day and night in an EHPAD, in opening hours in an IME."""
    assert first("ehpad").application("dui").need.rto == parse_span("4 h")
    assert first("ime").application("dui").need.rto == parse_span("8 h ouvrées")


def test_every_application_says_what_must_not_be_done() -> None:
    """The block that an action card may not lack is there from the first day."""
    for profile in PROFILES:
        assert all(application.do_not for application in first(profile).applications)


@pytest.mark.parametrize(
    "name", ['Les "Tilleuls"', "L'été : # 1", "- {a: b}", "\\", "Nuit\nversion: 2", "💐", "{x} {0}"]
)
def test_any_name_of_association_is_written_safely(name: str) -> None:
    """Quotes, colons, braces and line ends of a name change nothing else of the plan."""
    plan = parse_plan(first_plan("ehpad", name).encode(), "plan.yaml")
    assert plan.association.name == " ".join(name.split())


def test_an_unknown_profile_names_the_known_ones() -> None:
    """The error lists what may be asked."""
    with pytest.raises(BadInput) as caught:
        first_plan("clinique", "A")
    assert caught.value.code == "profile-unknown"
    assert caught.value.hint == "profils connus : ehpad, foyer, ime, esat, ssiad, siege"


def test_accents_and_capitals_of_a_profile_do_not_matter() -> None:
    """« SIÈGE », « siège » and « siege » are the same."""
    assert first_plan("SIÈGE", "A") == first_plan("siege", "A") == first_plan("siège", "A")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"v": "PT5M", "base": "cal"}, "5 min"),
        ({"v": "P1D", "base": "cal"}, "24 h"),
        ({"v": "P7D"}, "7 j"),
        ({"v": "PT0S"}, "0"),
        ({"v": "PT8H", "base": "ouv"}, "8 h ouvrées"),
        ({"v": "P1D", "base": "ouv"}, "1 j ouvré"),
        ({"v": "P3D", "base": "ouv"}, "3 j ouvrés"),
        (None, ""),
    ],
)
def test_durations_of_the_catalogue_are_written_as_in_a_plan(
    value: dict[str, str] | None, written: str
) -> None:
    """ISO 8601 with a base becomes the French of a plan, that is read back."""
    assert duration(value) == written
    if value is not None:
        business = parse_span(written).clock is Clock.BUSINESS
        assert business == (value.get("base") == "ouv")


def test_the_catalogue_holds_together() -> None:
    """Every code that is named exists, every family has an owner and its instructions."""
    known = catalogue()
    families = {entry.family for entry in known.entries.values()}
    named = {code for entry in known.entries.values() for code in entry.needs}
    named |= {code for profile in known.profiles.values() for code in profile.applications}
    assert named <= set(known.entries)
    assert families <= set(known.owners)
    assert families <= set(known.do_not)
    assert len(known.entries) == 35
