"""What is said of an estate beside what was known before: nothing leaves the page that nobody looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Standing
from releve.cycle.audit.verdict import Verdict, verdict
from releve.domain.audit import Acceptance, Gap, Look, Topic
from releve.domain.seen import Connection, Fact, Neighbour, Service
from tests.fakes.audits import NOW, PLAN, errand, estate

LAN, PEERS = (Topic.NETWORK, "lan"), (Topic.CONNECTIONS, "accueil")
TELNET = Neighbour("lan", "10.1.0.77", services=(Service("tcp", 23),))
STRANGER = Connection("accueil", "tcp", "10.1.0.20", "203.0.113.9", 443, outgoing=True, times=3)


def lately(days: int, fact: Fact) -> Look:
    """A look of so many days ago that met one thing."""
    topic, subject = LAN if isinstance(fact, Neighbour) else PEERS
    return Look(errand(topic, subject), NOW - timedelta(days=days), 0.1, (fact,))


def unseen(found: Verdict) -> set[str]:
    """The codes of what was not seen again."""
    assert found.since is not None
    return {point.rule.code for point in found.since.unseen}


def test_what_is_met_in_passing_is_not_mended_by_its_silence() -> None:
    """A device that is off, a connection that is not up this time: not seen again, two audits later as well."""
    now, quiet = estate(), (estate(name="a0"),)
    older = (lately(14, TELNET), lately(14, STRANGER))
    assert unseen(verdict(now, (), (estate([(*LAN, TELNET), (*PEERS, STRANGER)]),), (), older)) == {
        "RES-01",
        "RES-02",
        "ECH-02",
    }
    assert unseen(verdict(now, (), quiet, (), older)) == {"RES-01", "RES-02", "ECH-02"}
    assert unseen(verdict(now, (), quiet, ())) == set()


def test_what_answers_says_what_it_is_now() -> None:
    """A device that answers without the service has none any longer; an older answer says nothing against a newer."""
    plain = replace(TELNET, services=())
    now = estate([(*LAN, plain)])
    found = verdict(now, (), (estate([(*LAN, TELNET)]),), (), (lately(7, TELNET),))
    assert found.since is not None
    assert unseen(found) == set()
    assert {point.rule.code for point in found.since.mended} == {"RES-02"}
    silent = verdict(estate(), (), (estate(),), (), (lately(3, plain), lately(7, TELNET)))
    assert unseen(silent) == {"RES-01"}


def test_what_the_plan_explains_is_mended() -> None:
    """A device that the plan knows by now is no stranger, even where it kept silent."""
    text = PLAN.replace(
        "equipment:\n",
        "equipment:\n  - {id: imprimante, name: Imprimante, kind: printer, site: siege, address: 10.1.0.77}\n",
    )
    before = estate([(*LAN, replace(TELNET, services=()))])
    found = verdict(estate(text=text), (), (before,), (), (lately(7, replace(TELNET, services=())),))
    assert found.since is not None
    assert unseen(found) == set()
    assert "RES-01" in {point.rule.code for point in found.since.mended}


def without(found: Estate, topic: Topic, subject: str) -> Estate:
    """The same, from a plan that has no such thing any more."""
    key = errand(topic, subject).key
    kept = tuple(one for one in found.audit.errands if one.key != key)
    looks = tuple(look for look in found.looks if look.errand.key != key)
    return replace(found, audit=replace(found.audit, errands=kept), looks=looks)


def test_what_left_the_plan_leaves_the_list_once_and_alone() -> None:
    """It is neither mended nor unseen, that once; what stands at the same site and was not reached is unseen, as before."""
    peer = replace(STRANGER, host="serveur", local="10.1.0.10")
    before = estate([(*LAN, TELNET), (*PEERS, STRANGER), (Topic.CONNECTIONS, "serveur", peer)])
    older = (lately(7, TELNET), replace(lately(7, STRANGER), facts=(STRANGER,)))
    now = blind(without(estate(), *LAN), Topic.CONNECTIONS, "serveur")
    first = verdict(now, (), (before,), (), older)
    assert first.since is not None
    assert {point.rule.code for point in first.since.left} == {"RES-01", "RES-02", "RES-05"}
    subjects = {point.weakness.subject for point in first.since.unseen if point.rule.code == "ECH-02"}
    assert subjects == {"accueil→internet:443", "serveur→internet:443"}
    second = verdict(now, (), (now,), (), older)
    assert second.since is not None
    assert {point.rule.code for point in second.since.unseen} == {"ECH-02"}
    assert second.since.left == ()


def test_what_was_not_seen_again_is_not_new_when_it_is() -> None:
    """A device that was off and answers again is still there, or mended: it was never forgotten."""
    quiet, older = (estate(name="a0"),), (lately(14, TELNET),)
    again = verdict(estate([(*LAN, TELNET)]), (), quiet, (), older).since
    plain = verdict(estate([(*LAN, replace(TELNET, services=()))]), (), quiet, (), older).since
    assert again is not None
    assert plain is not None
    assert (
        {one.rule.code for one in again.new},
        {one.rule.code for one in again.kept} >= {"RES-01", "RES-02"},
    ) == (
        set(),
        True,
    )
    assert {one.rule.code for one in plain.mended} == {"RES-02"}


@pytest.mark.parametrize(("then", "now"), [("curl", ""), ("", "curl")])
def test_a_program_that_nobody_may_know_is_the_one_with_the_same_ends(then: str, now: str) -> None:
    """One exchange, and not two, when the account that looks has gained or lost the right to name it."""
    named = replace(STRANGER, program=then)
    found = verdict(
        estate([(*PEERS, replace(STRANGER, program=now))]), (), (estate(name="a0"),), (), (lately(7, named),)
    )
    assert "ECH-02" not in unseen(found)
    other = verdict(
        estate([(*PEERS, replace(STRANGER, program="nc"))]),
        (),
        (estate(name="a0"),),
        (),
        (lately(7, replace(named, program="curl")),),
    )
    assert "ECH-02" in unseen(other)


def test_a_machine_that_goes_down_is_told_once_with_what_failed_before() -> None:
    """Its ports could not be read; now nothing of it can: one point more grave, and not two."""
    before = blind(estate(), Topic.PORTS, "accueil")
    now = estate()
    for one in now.audit.errands:
        if one.subject == "accueil":
            now = blind(now, one.topic, "accueil")
    found = verdict(now, (), (before,), ())
    assert found.since is not None
    keys = {point.key for point in found.points if point.rule.code == "VU-01"}
    assert ("VU-01", "machine:accueil") in keys
    assert ("VU-01", "ports:accueil") not in keys


def blind(found: Estate, topic: Topic, subject: str) -> Estate:
    """The same, that look failed."""
    looks = tuple(
        replace(look, facts=(), gaps=(Gap("host-unreachable", "muette"),))
        if (look.errand.topic, look.errand.subject) == (topic, subject)
        else look
        for look in found.looks
    )
    return replace(found, looks=looks)


def test_what_is_not_seen_again_stands_with_the_word_of_today() -> None:
    """It counts, until somebody lives with it; and no longer once that is withdrawn."""
    before, now = estate([(*LAN, TELNET)]), blind(estate(), *LAN)
    note = Acceptance("RES-02", "10.1.0.77:23", "directrice", date(2026, 10, 1), "remplacé", date(2027, 1, 1))
    for notes, standing in (
        ((), Standing.OPEN),
        ((note,), Standing.ACCEPTED),
        ((note, replace(note, withdrawn=True)), Standing.OPEN),
    ):
        found = verdict(now, notes, (before,), ())
        (point,) = [one for one in found.points if one.rule.code == "RES-02"]
        assert point.standing is standing
        assert (point in found.live) is (standing is Standing.OPEN)


def test_a_look_that_fails_each_time_is_new_once() -> None:
    """Compared with the newest look too, though an older one is preferred for what it had brought."""
    bad = blind(estate(), *LAN)
    found = verdict(bad, (), (bad, estate()), ())
    assert found.since is not None
    assert ("VU-01", "network:lan") in {point.key for point in found.since.kept}
    assert found.since.new == ()
