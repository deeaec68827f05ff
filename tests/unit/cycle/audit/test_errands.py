"""What an audit sets out to look at."""

from __future__ import annotations

from datetime import UTC, datetime

from releve.cycle.audit.errands import TOPIC_FR, errands, scan_opens
from releve.domain.audit import Topic
from tests.fakes.audits import PLAN, errand, plan
from tests.unit.cycle.audit.cases import estate

CALENDAR = (
    'calendars: [{id: nuit, open: {mon: ["20:00-24:00"], tue: ["00:00-06:00"]}}]\naudit: {window: nuit}\n'
)


def test_everything_declared_is_looked_at_once() -> None:
    """Networks, machines, equipment and data each get the looks that fit them, a workstation two more."""
    found = errands(plan(), "foyer")
    assert len(found) == len(set(found))
    assert {item.key for item in found} == {
        "network:lan",
        *(f"{topic}:serveur" for topic in ("connections", "ports", "machine", "path")),
        *(
            f"{topic}:accueil"
            for topic in ("connections", "ports", "machine", "path", "documents", "sensitive")
        ),
        "ports:commutateur",
        "ups:onduleur",
        *(f"{topic}:bureautique" for topic in ("files", "sensitive", "copies")),
    }


def test_a_network_that_may_not_be_looked_at_is_left_alone() -> None:
    """`audit: false` on a network takes its scan out of the plan of action, and every look at what stands on it.

    The copies of its data are known without asking it; the UPS has no address of its own.
    """
    closed = PLAN.replace("country: FR}", "country: FR, audit: false}")
    assert errand(Topic.NETWORK, "lan") in errands(plan())
    assert {item.key for item in errands(plan(closed), "foyer")} == {"copies:bureautique", "ups:onduleur"}


def test_the_way_to_a_machine_of_our_own_site_is_no_link() -> None:
    """From the machine's own site no path is measured; from nowhere in particular, neither."""
    assert not [item for item in errands(plan(), "siege") if item.topic is Topic.PATH]
    assert not [item for item in errands(plan()) if item.topic is Topic.PATH]


def test_data_are_looked_at_where_they_are_held() -> None:
    """After a switch at the relief, and from its machine; a site that is none of its ends counts for nothing."""
    whole = estate().plan

    def base(holders: dict[str, str]) -> list[str]:
        return [
            item.site
            for item in errands(whole, "siege", holders)
            if item.subject == "dossiers" and item.topic in {Topic.BASE, Topic.COPIES}
        ]

    assert base({}) == ["siege", "siege"]
    assert base({"dossiers": "foyer"}) == ["foyer", "foyer"]
    assert base({"dossiers": "ailleurs"}) == ["siege", "siege"]


def test_every_topic_has_its_words() -> None:
    """A topic without French words could not be shown."""
    assert set(TOPIC_FR) == set(Topic)


def test_a_scan_waits_for_the_window_of_the_plan() -> None:
    """Inside the hours: now. Outside: their next opening. No window: now. A window that never opens: never."""
    monday = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
    evening = datetime(2026, 10, 5, 19, 0, tzinfo=UTC)  # 21:00 in Paris
    whole = plan(PLAN + CALENDAR)
    assert scan_opens(plan(), monday) == monday
    assert scan_opens(whole, evening) == evening
    assert scan_opens(whole, monday) == datetime(2026, 10, 5, 18, 0, tzinfo=UTC)
    shut = CALENDAR.replace(
        "open: {", "closed: [{from: 2026-10-01, to: 2027-06-30}, {from: 2027-07-01, to: 2028-06-30}], open: {"
    )
    assert scan_opens(plan(PLAN + shut), monday) is None
