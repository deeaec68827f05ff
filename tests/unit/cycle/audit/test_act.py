"""An audit performed: kept look by look, resumed, never stopped by one machine."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from releve.cycle.audit.act import FAULT, FRESH, Watcher, conduct, left, unfinished
from releve.domain.audit import Audit, Errand, Found, Look, Topic
from releve.domain.errors import Unreachable
from releve.domain.seen import Gateway, Ups
from tests.fakes.audits import NOW, errand
from tests.fakes.ledger import FakeAudits

ERRANDS = tuple(errand(Topic.MACHINE, name) for name in ("a", "b", "c", "d"))
AUDIT = Audit("a1", NOW, "f", "tour", ERRANDS)


def see(item: Errand) -> Found:
    """One fact of each machine."""
    return Found((Gateway(item.subject, "10.0.0.1"),))


@pytest.mark.parametrize("at_once", [1, 3, 50])
def test_every_errand_is_looked_at_and_kept(at_once: int) -> None:
    """However many at once, each errand has its look and the audit ends."""
    audits = FakeAudits()
    ended = conduct(AUDIT, ERRANDS, see, audits, lambda: NOW, at_once=at_once, watcher=Watcher())
    assert ended.ended == NOW
    assert [look.errand for look in audits.looks("a1")] == list(ERRANDS)
    assert [look.facts for look in audits.looks("a1")] == [see(item).facts for item in ERRANDS]


def test_no_more_looks_at_once_than_the_plan_says() -> None:
    """With two at a time, two are in flight together and never three."""
    audits, most, going, lock = FakeAudits(), [0], [0], threading.Lock()
    pair = threading.Barrier(2, timeout=10)

    def counted(item: Errand) -> Found:
        with lock:
            going[0] += 1
            most[0] = max(most[0], going[0])
        pair.wait()
        with lock:
            going[0] -= 1
        return see(item)

    conduct(AUDIT, ERRANDS, counted, audits, lambda: NOW, at_once=2, watcher=Watcher())
    assert most == [2]


def test_a_machine_that_does_not_answer_is_a_gap_and_the_others_go_on() -> None:
    """The look is kept with its reason, and no fact."""

    def half(item: Errand) -> Found:
        if item.subject == "b":
            raise Unreachable("host-unreachable", "la machine b n'est pas joignable")
        return see(item)

    audits = FakeAudits()
    conduct(AUDIT, ERRANDS, half, audits, lambda: NOW, at_once=2, watcher=Watcher())
    by_name = {look.errand.subject: look for look in audits.looks("a1")}
    assert by_name["b"].facts == ()
    assert [gap.code for gap in by_name["b"].gaps] == ["host-unreachable"]
    assert by_name["c"].gaps == ()


def test_a_defect_of_ours_is_a_gap_and_is_told() -> None:
    """An exception that nobody expected hides no other look; whoever watches is told of it."""

    def broken(item: Errand) -> Found:
        if item.subject == "a":
            raise ZeroDivisionError
        return see(item)

    told: list[tuple[str, type]] = []
    audits = FakeAudits()
    watcher = Watcher(fault=lambda item, error: told.append((item.subject, type(error))))
    conduct(AUDIT, ERRANDS, broken, audits, lambda: NOW, at_once=2, watcher=watcher)
    assert told == [("a", ZeroDivisionError)]
    assert [gap.code for gap in audits.looks("a1")[0].gaps] == [FAULT]
    assert len(audits.looks("a1")) == 4


def test_a_look_that_no_ledger_can_hold_costs_itself_alone() -> None:
    """It is kept as a gap, whoever watches is told so, and the audit ends."""

    def absurd(item: Errand) -> Found:
        return Found((Ups("onduleur", "OL", float("nan")),)) if item.subject == "b" else see(item)

    audits, told = FakeAudits(), dict[str, Look]()
    watcher = Watcher(done=lambda look: told.update({look.errand.subject: look}))
    assert conduct(AUDIT, ERRANDS, absurd, audits, lambda: NOW, at_once=1, watcher=watcher).ended == NOW
    assert list(told.values()) == audits.looks("a1")
    assert (told["b"].facts, [gap.code for gap in told["b"].gaps]) == ((), ["look-unheld"])
    assert told["c"].facts == see(ERRANDS[2]).facts


def test_an_audit_that_was_cut_is_taken_up_where_it_was() -> None:
    """What was kept is not looked at again, and the audit then ends."""
    audits = FakeAudits()

    def cut(look: Look) -> None:
        if look.errand.subject == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conduct(AUDIT, ERRANDS, see, audits, lambda: NOW, at_once=1, watcher=Watcher(done=cut))
    again = replace(AUDIT, id="a2", started=NOW + timedelta(hours=1))
    found = unfinished(audits, again)
    assert found == AUDIT
    todo = left(audits, AUDIT)
    assert [item.subject for item in todo] == ["c", "d"]
    looked: list[str] = []

    def noted(item: Errand) -> Found:
        looked.append(item.subject)
        return see(item)

    assert conduct(AUDIT, todo, noted, audits, lambda: NOW, at_once=1, watcher=Watcher()).ended == NOW
    assert looked == ["c", "d"]
    assert unfinished(audits, again) is None


@pytest.mark.parametrize(
    "other",
    [
        {"started": NOW + FRESH + timedelta(seconds=1)},
        {"started": NOW - timedelta(seconds=1)},
        {"fingerprint": "another plan"},
        {"errands": ERRANDS[:2]},
    ],
    ids=["a day later", "of the future", "another plan", "another scope"],
)
def test_an_audit_of_something_else_is_begun_anew(other: dict[str, object]) -> None:
    """An interrupted audit is only taken up for the same plan, the same scope and within a day."""
    audits = FakeAudits()
    audits.begin(AUDIT)
    assert unfinished(audits, replace(AUDIT, id="a2")) == AUDIT
    assert unfinished(audits, replace(AUDIT, id="a2", **other)) is None  # type: ignore[arg-type]


def test_part_of_the_errands_leaves_the_audit_open() -> None:
    """Networks outside their window are left for later: the audit has not ended."""
    audits = FakeAudits()
    assert conduct(AUDIT, ERRANDS[:3], see, audits, lambda: NOW, at_once=2, watcher=Watcher()).ended is None
    assert left(audits, AUDIT) == ERRANDS[3:]


def test_a_ledger_that_cannot_keep_stops_the_audit() -> None:
    """A full disk is no gap of a machine: the audit stops and says why."""

    class Full(FakeAudits):
        def keep(self, audit: str, look: Look) -> None:
            raise Unreachable("no-room", "plus de place")

    with pytest.raises(Unreachable, match="plus de place"):
        conduct(AUDIT, ERRANDS, see, Full(), lambda: NOW, at_once=2, watcher=Watcher())
