"""What is asked of whom: never of an address that the plan does not declare, or forbids."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from releve.adapters.survey.around import Survey
from releve.domain.audit import Errand, Topic
from releve.domain.errors import Refused
from releve.domain.inventory import Inventory, Network
from releve.domain.plan import VaultPlace
from releve.domain.ports import Completed
from releve.domain.protection import ServerFacts, ServerState
from releve.domain.secret import SecretRef
from releve.domain.seen import Copy
from tests.fakes.audits import NOW, PLAN, plan
from tests.fakes.hosts import FakeHost
from tests.fakes.ledger import FakeLedger
from tests.fakes.looks import Looks
from tests.fakes.plans import data_set, share
from tests.fakes.plans import plan as two_sites

CLOSED = "networks: [{id: ici, name: Ici, site: siege, range: 127.0.0.2/32, audit: false}, "


def survey(text: str, host: Callable[[str], Any] = lambda name: pytest.fail(name)) -> Survey:
    """Looks over the plan of a text; its machines are never reached unless `host` is given."""
    never: Any = lambda *_: pytest.fail("asked")
    return Survey(plan(text), "siege", host, lambda _: "public", never, never, never, lambda: True)


@pytest.mark.parametrize(
    ("address", "code"), [("127.0.0.2", "network-not-audited"), ("192.0.2.7", "address-not-declared")]
)
def test_no_word_goes_to_an_address_out_of_bounds(address: str, code: str) -> None:
    """Neither SNMP (whose community travels in clear) nor NUT: refused before anything is sent."""
    text = PLAN.replace("networks: [", CLOSED).replace("10.1.0.2", address)
    text = text.replace("onduleur@10.1.0.10", f"onduleur@{address}")
    with socket.socket(type=socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.2", 0))
        port = agent.getsockname()[1]
        text = text.replace('version: "2c",', f'version: "2c", port: {port},')
        for topic, subject in ((Topic.PORTS, "commutateur"), (Topic.UPS, "onduleur")):
            with pytest.raises(Refused) as caught:
                survey(text).see(Errand(topic, subject, "siege"))
            assert caught.value.code == code
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.recv(1)


@pytest.mark.parametrize("topic", [Topic.MACHINE, Topic.CONNECTIONS, Topic.PORTS, Topic.DOCUMENTS])
def test_a_machine_on_a_forbidden_network_is_not_even_opened(topic: Topic) -> None:
    """Whatever is asked of it, and whoever planned it."""
    closed = PLAN.replace("country: FR}", "country: FR, audit: false}")
    with pytest.raises(Refused) as caught:
        survey(closed).see(Errand(topic, "serveur", "siege"))
    assert caught.value.code == "network-not-audited"


def test_a_ups_out_of_bounds_is_asked_on_the_machine_that_has_it() -> None:
    """Its server is named by a machine of the plan: that machine is asked, through its own way in."""
    text = PLAN.replace("onduleur@10.1.0.10", "onduleur@serveur")
    machine = FakeHost(programs={"upsc": lambda _: Completed(0, b"ups.status: OL\n", b"")})
    found = survey(text, lambda _name: machine).see(Errand(Topic.UPS, "onduleur", "siege"))
    assert [type(fact).__name__ for fact in found.facts] == ["Ups"]


@pytest.mark.parametrize("itself", ["127.0.0.1", "localhost"])
def test_this_machine_itself_needs_no_network(itself: str) -> None:
    """A NUT server of our own: loopback is on no network."""
    text = PLAN.replace("onduleur@10.1.0.10", f"onduleur@{itself}:9")
    found = survey(text).see(Errand(Topic.UPS, "onduleur", "siege"))
    assert [gap.code for gap in found.gaps] == ["ups-silent"]
    assert "Onduleur" not in found.gaps[0].sentence  # whoever shows it says whose it is


def test_no_end_of_a_data_set_is_asked_on_a_forbidden_network() -> None:
    """Neither for what is in its databases nor for its copies: the copy that follows is seen where it is, its vault not."""
    vault = VaultPlace("rest:http://10.1.0.9:8000/coffre", SecretRef("file", "/k"))
    data = replace(data_set(), vault={"secours": vault})
    ends = {**data.ends, "principal": replace(data.ends["principal"], address="10.1.0.7")}
    closed = Inventory((Network("lan", "Réseau", "principal", "10.1.0.0/24", audit=False),))
    whole = replace(two_sites(), data_sets=(replace(data, ends=ends),), inventory=closed)
    asked: list[str] = []

    class Ends(Looks):
        def facts(self, site: str) -> ServerFacts:
            asked.append(site)
            return ServerFacts(site, NOW, ServerState.CLOSED, following="principal")

    never: Any = lambda *_: pytest.fail("asked")
    look = Survey(
        whole, "secours", never, never, lambda _: Ends(), FakeLedger(), lambda _: None, lambda: True
    )
    with pytest.raises(Refused) as caught:
        look.see(Errand(Topic.BASE, "dossiers", "principal"))
    assert caught.value.code == "network-not-audited"
    assert look.see(
        Errand(Topic.BASE, "dossiers", "secours")
    ).gaps  # asked where it is held, and nobody answers
    found = look.see(Errand(Topic.COPIES, "dossiers", "principal"))
    copy, kept = found.facts
    assert isinstance(copy, Copy)
    assert isinstance(kept, Copy)
    assert (kept.how, kept.found, [gap.code for gap in found.gaps]) == (
        "vault",
        None,
        ["network-not-audited"],
    )
    assert (copy.site, copy.found, copy.at, asked) == ("secours", True, None, ["secours"])


def test_data_are_read_at_the_site_of_their_errand() -> None:
    """Who holds them is said by whoever planned the look: after a switch, the relief."""
    asked: list[str] = []

    def host(name: str) -> FakeHost:
        asked.append(name)
        return FakeHost(name, gone=True)

    never: Any = lambda *_: pytest.fail("asked")
    whole = replace(two_sites(), data_sets=(share(),))
    look = Survey(whole, "secours", host, never, never, never, never, lambda: True)
    for site in ("principal", "secours"):
        look.see(Errand(Topic.FILES, "documents", site))
    assert asked == ["srv-principal", "srv-secours"]
