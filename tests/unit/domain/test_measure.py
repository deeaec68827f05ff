"""Verdicts: need, commitment and measure, never mixed and never green without a measure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from releve.domain.incident import Incident
from releve.domain.measure import Measure, Verdict, judge, measured, side_by_side, worst
from releve.domain.plan import Application, Tolerance
from releve.domain.units import parse_span
from tests.golden.report.scenario import BEGAN, after, application, plan

KEPT, BROKEN, UNKNOWN = Verdict.KEPT, Verdict.BROKEN, Verdict.NOT_MEASURED
LATER = BEGAN + timedelta(minutes=5)
INCIDENT = Incident("inc-1", "principal", "", "directrice", BEGAN, BEGAN)


def app(rto: str, rpo: str = "0", calendar: str = "", promised: str = "") -> Application:
    """An application with that need, and that promise when there is one."""
    need = Tolerance(parse_span(rto), parse_span(rpo), calendar)
    commitment = Tolerance(parse_span(promised), parse_span("0")) if promised else None
    return application("dui", "DUI", need, commitment=commitment)


def witness(seconds: float | None, lost: int | None = 0, acknowledged: int | None = 10) -> Measure:
    """What a witness saw."""
    return Measure("dui", seconds, lost, acknowledged, "témoin")


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0.0, KEPT), (60.0, KEPT), (60.001, BROKEN), (None, UNKNOWN)]
)
def test_an_outage_is_kept_up_to_the_last_instant(seconds: float | None, verdict: Verdict) -> None:
    """An outage as long as the need is kept; a thousandth longer is not."""
    judged = judge(app("1 min"), INCIDENT, plan(), witness(seconds), BEGAN)
    assert judged.need_rto is verdict


@pytest.mark.parametrize(("hours", "verdict"), [(72.0, KEPT), (72.001, BROKEN)])
def test_a_need_in_business_hours_runs_on_its_calendar(hours: float, verdict: Verdict) -> None:
    """Eight business hours begun on Friday at closing time last until Monday at closing time."""
    closing = BEGAN.replace(hour=15, minute=0, second=0, microsecond=0)
    incident = replace(INCIDENT, began_at=closing)
    judged = judge(app("8 h ouvrées", calendar="bureau"), incident, plan(), witness(hours * 3600), closing)
    assert judged.need_rto is verdict


def test_a_commitment_is_judged_apart_from_the_need() -> None:
    """A promise that is broken does not hide that users had what they need, and the whole is broken."""
    judged = judge(app("4 h", promised="10 s"), INCIDENT, plan(), witness(30.0), LATER)
    assert (judged.need_rto, judged.commitment_rto) == (KEPT, BROKEN)
    assert judged.rto is BROKEN
    assert judged.verdict is BROKEN


def test_nothing_promised_has_no_verdict() -> None:
    """Without a commitment there is nothing to keep or to break."""
    judged = judge(app("4 h"), INCIDENT, plan(), witness(30.0), LATER)
    assert judged.commitment_rto is None
    assert judged.commitment_rpo is None
    assert judged.verdict is KEPT


@pytest.mark.parametrize(
    ("rpo", "lost", "acknowledged", "age", "verdict"),
    [
        ("0", 0, 10, None, KEPT),
        ("0", 1, 10, 0.0, BROKEN),
        ("0", 0, 0, None, UNKNOWN),
        ("0", 0, None, None, UNKNOWN),
        ("0", None, 10, None, UNKNOWN),
        ("15 min", 3, 10, 900.0, KEPT),
        ("15 min", 3, 10, 901.0, BROKEN),
        ("15 min", 3, 10, None, UNKNOWN),
        ("15 min", 0, 10, None, KEPT),
        ("1 h ouvrée", 3, 10, 3600.0, KEPT),
        ("1 h ouvrée", 3, 10, 3700.0, BROKEN),
    ],
)
def test_a_loss_is_judged_by_content(
    rpo: str, lost: int | None, acknowledged: int | None, age: float | None, verdict: Verdict
) -> None:
    """Nothing lost counts only if writes were watched; an allowed loss counts by its age."""
    closing = BEGAN.replace(hour=15, minute=0, second=0, microsecond=0)
    seen = Measure("dui", 1.0, lost, acknowledged, "témoin", age)
    incident = replace(INCIDENT, began_at=closing)
    assert judge(app("4 h", rpo, "bureau"), incident, plan(), seen, closing).need_rpo is verdict


@pytest.mark.parametrize(
    ("now", "verdict"),
    [(BEGAN + timedelta(hours=4), UNKNOWN), (BEGAN + timedelta(hours=4, seconds=1), BROKEN)],
)
def test_an_outage_that_lasts_too_long_is_broken_without_a_witness(now: datetime, verdict: Verdict) -> None:
    """Nobody needs to measure an outage that is still there when its time has run out."""
    assert judge(app("4 h"), INCIDENT, plan(), None, now).need_rto is verdict


def test_an_application_that_is_not_switched_is_never_judged_without_a_witness() -> None:
    """Relève knows nothing of an application that it does not switch: not measured, for ever."""
    elsewhere = replace(app("4 h"), ends={})
    judged = judge(elsewhere, INCIDENT, plan(), None, BEGAN + timedelta(days=9))
    assert judged.verdict is UNKNOWN


def test_the_record_of_the_incident_measures_the_outage_only() -> None:
    """Without a witness, the outage is what the record shows; the data stay not measured."""
    incident = replace(INCIDENT, restored={"dui": after(90)})
    seen = measured(app("4 h"), incident, None)
    assert (seen.rto_seconds, seen.lost) == (90.0, None)
    assert "registre" in seen.basis
    judged = judge(app("4 h"), incident, plan(), None, LATER)
    assert (judged.rto, judged.rpo) == (KEPT, UNKNOWN)


def test_the_witness_comes_before_the_record() -> None:
    """What users saw counts more than what the record says; the record only fills what is missing."""
    incident = replace(INCIDENT, restored={"dui": after(90)})
    assert measured(app("4 h"), incident, witness(95.0)).rto_seconds == 95.0
    completed = measured(app("4 h"), incident, witness(None, 0, 7))
    assert (completed.rto_seconds, completed.acknowledged) == (90.0, 7)


def test_the_worst_of_nothing_is_not_measured() -> None:
    """An empty list of verdicts is not good news."""
    assert worst(()) is UNKNOWN
    assert worst((KEPT, None)) is KEPT
    assert worst((KEPT, UNKNOWN)) is UNKNOWN
    assert worst((KEPT, UNKNOWN, BROKEN)) is BROKEN


def test_side_by_side_keeps_the_three_apart() -> None:
    """Need, commitment and measure are three fields, with a verdict on each promise."""
    found = side_by_side(app("4 h", promised="10 s"), INCIDENT, plan(), witness(30.0), LATER)
    assert found == {
        "id": "dui",
        "name": "DUI",
        "need": {"rto": "4 h", "rpo": "0", "calendar": None},
        "commitment": {"rto": "10 s", "rpo": "0", "calendar": None},
        "measure": {
            "rto_seconds": 30.0,
            "lost": 0,
            "acknowledged": 10,
            "loss_seconds": None,
            "basis": "témoin",
        },
        "verdict": "broken",
        "verdicts": {"need": {"rto": "kept", "rpo": "kept"}, "commitment": {"rto": "broken", "rpo": "kept"}},
    }
