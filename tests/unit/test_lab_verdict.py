"""How good an audit of the laboratory was: what is compared, and with what."""

from __future__ import annotations

from lab.audit import judged
from lab.faults import BY_ID, FAULTS


def test_a_verdict_tells_what_was_missed_from_what_was_made_up() -> None:
    """A fault without its point is unnamed, a point without fault uncaused, one of any laboratory neither."""
    points = [
        {"code": "POS-01", "subject": "srv-gestion"},
        {"code": "RES-01", "subject": "10.71.1.9"},
        {"code": "VU-03", "subject": "sw-siege"},
        {"code": "VU-14", "subject": "siege"},
        {"code": "VU-02", "subject": "machine:srv-gestion:santé des disques"},
    ]
    verdict = judged(["system", "telnet"], points)
    assert verdict.unnamed == (("RES-02", "srv-gestion:23"),)
    assert verdict.uncaused == (("RES-01", "10.71.1.9"),)
    assert [code for code, _subject in verdict.own] == ["VU-03", "VU-14", "VU-02"]


def test_every_fault_is_named_by_something_of_its_own() -> None:
    """No two faults are named by the same weak point: each can be missed, or found, alone."""
    points = [point for fault in FAULTS for point in fault.named]
    assert all(fault.named for fault in FAULTS)
    assert len(points) == len(set(points))
    assert len(BY_ID) == len(FAULTS)
