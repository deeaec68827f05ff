"""The plan drawn for a person and given as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from releve.cycle.plan.load import parse_plan, read_plan
from releve.cycle.plan.show import show, tree, worst_case
from releve.cycle.plan.value import plan_value

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests/golden/plan"
VALID = (GOLDEN / "valid.yaml").read_text(encoding="utf-8")


def test_the_example_is_drawn_as_in_the_golden_text() -> None:
    """Table, tree, places, protections and people of the EHPAD, to the character."""
    plan = read_plan(ROOT / "examples/ehpad.yaml")
    drawn = show(plan, year=2026).replace(plan.source, "plan.yaml").replace(plan.fingerprint[:12], "…")
    golden = GOLDEN / "show-ehpad.txt"
    if os.environ.get("RELEVE_GOLDEN") == "write":
        golden.write_text(drawn, encoding="utf-8")
    assert drawn == golden.read_text(encoding="utf-8")


def test_business_hours_show_their_longest_wait() -> None:
    """Eight hours of a 9–17 office can be ninety-six hours of the clock: Friday evening, Monday off."""
    days = ", ".join(f'{day}: ["09:00-17:00"]' for day in ("mon", "tue", "wed", "thu", "fri"))
    text = VALID.replace('mon: ["09:00-12:30", "13:30-17:00"], tue: ["09:00-12:30"]', days)
    text = text.replace("rto: 1 h}", "rto: 8 h ouvrées, calendar: bureau}")
    plan = parse_plan(text.encode(), "plan.yaml")
    worst = worst_case(plan.application("reseau").need, plan, 2026)
    assert worst is not None
    assert worst.total_seconds() == 96 * 3600
    assert "8 h ouvrées (au pire 96 h)" in show(plan, year=2026)
    assert worst_case(plan.application("dui").need, plan, 2026) is None


def test_the_tree_draws_a_shared_foundation_once() -> None:
    """What was drawn with its own needs is named again, not unfolded again."""
    more = "".join(
        f"  - {{id: {name}, name: {name}, owner: directrice, needs: [{needs}], tolerance: {{rto: 4 h}}}}\n"
        for name, needs in (("a", "dui"), ("b", "dui, reseau"))
    )
    plan = parse_plan(VALID.replace("approvals:", more + "approvals:").encode(), "plan.yaml")
    assert tree(plan).splitlines() == [
        "a",
        "└─ Dossier de l'usager [basculée par Relève]",
        "   └─ Réseau",
        "b",
        "├─ Dossier de l'usager [basculée par Relève] (déjà vu)",
        "└─ Réseau",
    ]


def test_the_tree_of_a_long_chain_needs_no_recursion() -> None:
    """A thousand applications in a row are a thousand lines."""
    items = "".join(
        f"  - {{id: a{n}, name: A{n}, owner: directrice, needs: [a{n + 1}], tolerance: {{rto: 1 h}}}}\n"
        for n in range(1_050)
    )
    last = "  - {id: a1050, name: fin, owner: directrice, tolerance: {rto: 1 h}}\n"
    plan = parse_plan((VALID.split("applications:")[0] + "applications:\n" + items + last).encode(), "p")
    assert len(tree(plan).splitlines()) == 1_051


def test_the_json_value_is_json_and_holds_no_secret() -> None:
    """The value can be written as it is; where secrets lie is not part of it."""
    plan = read_plan(ROOT / "examples/deux-serveurs.yaml")
    text = json.dumps(plan_value(plan, year=2026))
    (application,) = json.loads(text)["applications"]
    assert application["need"] == {
        "rto": "4 h",
        "rto_worst_seconds": 14_400.0,
        "rpo": "0",
        "rpo_seconds": 0.0,
        "calendar": "",
    }
    assert application["switched"] is True
    assert "password" not in text


def test_nothing_to_lose_is_null_and_not_a_year() -> None:
    """An application without data has no RPO in the JSON, and says so in words."""
    plan = parse_plan(VALID.encode(), "plan.yaml")
    need = plan_value(plan, year=2026)["applications"][0]["need"]  # type: ignore[index]
    assert (need["rpo"], need["rpo_seconds"]) == (None, None)
    assert "sans donnée" in show(plan, year=2026)


def test_a_share_says_where_it_goes_and_through_what() -> None:
    """Folders instead of addresses, the vault by its name, the hour of a daily copy."""
    text = show(read_plan(ROOT / "examples/partage.yaml"), year=2026)
    assert "(srv1, /srv/documents) vers Établissement du Nord (srv2, /srv/documents)" in text
    assert "copie en temps réel, par « Coffre chiffré du secours », chiffrée" in text
    assert "copie une fois par jour à 02:00" in text


CLOSED = (
    "holidays: FR-57, school: B, closed: [{from: 24/12/2026, to: 2027-01-02},"
    ' {from: 2026-08-01, to: 2026-08-21, name: "fermeture d\'août"}], open:'
)


def test_the_hours_that_count_are_drawn_with_what_closes_them() -> None:
    """Slots, holidays, school and closures in order of date, in words; a projection says so."""
    plan = parse_plan(VALID.replace("holidays: FR, open:", CLOSED).encode(), "plan.yaml")
    drawn = """\
bureau (Europe/Paris)
  lundi : 09:00-12:30, 13:30-17:00
  mardi : 09:00-12:30
  fermé les jours fériés : Moselle
  fermé pendant les vacances scolaires de la zone B (publiées jusqu'au 04/07/2028 ; au-delà, calculées : à vérifier)
  fermé du 01/08/2026 au 21/08/2026 : fermeture d'août
  fermé du 24/12/2026 au 02/01/2027
"""
    assert drawn in show(plan, year=2026)
    (calendar,) = json.loads(json.dumps(plan_value(plan, year=2026)["calendars"]))
    assert calendar == {
        "id": "bureau",
        "timezone": "Europe/Paris",
        "holidays": "FR-57",
        "open": {"mon": ["09:00-12:30", "13:30-17:00"], "tue": ["09:00-12:30"]},
        "closed": [
            {"from": "2026-12-24", "to": "2027-01-02", "name": ""},
            {"from": "2026-08-01", "to": "2026-08-21", "name": "fermeture d'août"},
        ],
        "school": "B",
        "school_published_until": "2028-07-04",
    }


def test_a_place_that_never_closes_is_drawn_in_one_line() -> None:
    """Care runs by day and by night: no list of seven days."""
    always = ", ".join(f'{day}: ["00:00-24:00"]' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    text = VALID.replace('mon: ["09:00-12:30", "13:30-17:00"], tue: ["09:00-12:30"]', always)
    assert "  jour et nuit, tous les jours\n" in show(parse_plan(text.encode(), "plan.yaml"), year=2026)


def test_a_closure_counts_in_the_worst_case_that_is_shown() -> None:
    """Eight business hours from Friday 17:00 around August: the worst case in hours of the clock, and days."""
    days = ", ".join(f'{day}: ["09:00-17:00"]' for day in ("mon", "tue", "wed", "thu", "fri"))
    text = VALID.replace('mon: ["09:00-12:30", "13:30-17:00"], tue: ["09:00-12:30"]', days)
    text = text.replace("rto: 1 h}", "rto: 8 h ouvrées, calendar: bureau}")
    text = text.replace("holidays: FR,", "holidays: FR, closed: [{from: 2026-08-01, to: 2026-08-21}],")
    plan = parse_plan(text.encode(), "plan.yaml")
    assert "8 h ouvrées (au pire 576 h, soit 24 j)" in show(plan, year=2026)
