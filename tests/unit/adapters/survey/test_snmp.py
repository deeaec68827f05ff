"""What SNMP agents count, and what is made of those that lie, loop or fall silent. The agents are real, ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysnmp.proto.api import v2c

from releve.adapters.survey.snmp import ask, parse, snmp
from releve.adapters.survey.snmp.ask import Reading
from releve.adapters.survey.snmp.columns import COUNTERS, UPTIME, WHO, Column
from releve.domain.audit import Found
from releve.domain.errors import BadInput
from releve.domain.secret import SecretRef
from releve.domain.seen import Agent as Said
from releve.domain.seen import Lldp, Port
from tests import agents
from tests.agents import COMMUNITY, Agent, Endless, Loop, Lossy, Noise, counter, running, switch, text


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents on 127.0.0.1 answer at once or never."""
    monkeypatch.setattr(ask, "TIMEOUT", 0.3)


def look(agent: Agent, *, pause: float = 0.05, patience: float = 0.2, community: str = COMMUNITY) -> Found:
    """One look at an agent."""
    with running(agent) as port:
        return snmp(agents.device(port), secret=lambda _: community, pause=pause, patience=patience)


def ports(found: Found) -> dict[str, Port]:
    """The ports by name."""
    return {fact.name: fact for fact in found.facts if isinstance(fact, Port)}


def codes(found: Found) -> set[str]:
    """The codes of the gaps."""
    return {gap.code for gap in found.gaps}


def test_a_switch_tells_its_ports_and_its_neighbours() -> None:
    """Names, labels, speed and what the port could do, duplex, cable errors and their growth, LLDP."""
    found = look(Agent(switch()))
    assert found.gaps == ()
    (said,) = [fact for fact in found.facts if isinstance(fact, Said)]
    assert (said.name, said.uptime, said.simulated) == ("sw-rdc", 6001.0, True)
    good, bad = ports(found)["Gi0/1"], ports(found)["Gi0/2"]
    assert (good.alias, good.speed, good.ability, good.duplex) == ("prise A-1", 10**9, 10**9, "full")
    assert (good.crc, good.late, good.collisions) == (0, 0, None)
    assert (bad.speed, bad.ability, bad.duplex, bad.late) == (10**8, 10**9, "half", 9)
    assert bad.grown == {"crc": 7, "packets": 500}
    assert good.grown == {"packets": 500}
    assert bad.seconds >= 0.05
    assert bad.changed == 102.0
    (near,) = [fact for fact in found.facts if isinstance(fact, Lldp)]
    assert near == Lldp("sw-essai", "Gi0/2", "borne-etage", "02:00:00:00:00:43")


def test_an_agent_that_answers_from_memory_is_not_believed() -> None:
    """Two readings that agree in everything are one: growth is not seen, and the ports say so."""
    still = {name: value for name, value in switch().items() if not callable(value)}
    still[UPTIME] = v2c.TimeTicks(600_000)
    agent = Agent(still)
    found = look(agent, patience=0.3)
    assert codes(found) == {"snmp-cached"}
    assert {port.seconds for port in ports(found).values()} == {0.0}
    assert agent.reading >= 2


def test_an_agent_that_restarts_between_readings_tells_no_growth() -> None:
    """Its counters begin again: what is then smaller or larger means nothing."""
    found = look(Agent(switch(**{UPTIME: lambda reading: v2c.TimeTicks(600_000 if reading == 1 else 300)})))
    assert codes(found) == {"snmp-restarted"}
    assert all(not port.grown for port in ports(found).values())


def test_a_counter_of_32_bits_goes_round() -> None:
    """Past the largest value it starts at 0 again, and still it has grown."""
    errors = {"1.3.6.1.2.1.2.2.1.14.1": lambda reading: counter(2**32 - 2 if reading == 1 else 3)}
    found = look(Agent(switch(**errors)))
    assert ports(found)["Gi0/1"].grown["errors"] == 5


@pytest.mark.parametrize("agent", [Noise(), Agent()], ids=["noise", "nothing"])
def test_what_an_unreadable_agent_says_is_a_gap(agent: Agent) -> None:
    """Random bytes, or an agent that holds nothing: no port, and a reason."""
    found = look(agent)
    assert ports(found) == {}
    assert codes(found) & {"snmp-silent", "snmp-no-ports"}


def test_a_wrong_community_is_a_silence() -> None:
    """An agent does not answer whom it does not know; the secret is in no sentence."""
    found = look(Agent(switch()), community="pas-la-bonne")
    assert found.facts == ()
    assert codes(found) == {"snmp-silent"}
    assert "pas-la-bonne" not in repr(found)


def test_a_secret_that_cannot_be_had_is_a_gap() -> None:
    """No question is asked without it."""

    def secret(ref: SecretRef) -> str:
        raise BadInput("secret-absent", f"{ref} n'est pas définie")

    found = snmp(agents.device(9), secret=secret)
    assert codes(found) == {"secret-absent"}


def test_an_agent_that_walks_in_circles_is_left() -> None:
    """The part that was seen is kept, and one gap names every table that was not whole."""
    found = look(Loop(switch()))
    assert codes(found) >= {"snmp-loop"}
    assert len([gap for gap in found.gaps if gap.code == "snmp-loop"]) == 1
    assert all(port.seconds == 0.0 for port in ports(found).values())


def test_an_endless_table_is_bounded() -> None:
    """An agent that makes rows up is left after so many, and none of them is a port."""
    agent = Endless(switch())
    found = look(agent)
    assert codes(found) == {"snmp-endless", "snmp-no-ports"}
    assert ports(found) == {}
    assert agent.asked < 300


class Dying(Agent):
    """Falls silent after so many questions."""

    def raw(self, datagram: bytes) -> bytes | None:
        return super().raw(datagram) if self.asked < 12 else None


def test_a_link_that_loses_hides_nothing() -> None:
    """Three datagrams in a row are lost: asked again, and the reading is whole."""
    agent = Lossy(switch())
    found = look(agent)
    assert agent.asked > 23
    assert found.gaps == ()
    assert len(found.facts) == len(look(Agent(switch())).facts)


def test_an_agent_that_dies_midway_leaves_what_it_had_said() -> None:
    """What was read is kept, the rest is unknown (never 0), and nobody waits at every column."""
    agent = Dying(switch())
    found = look(agent)
    assert "snmp-silent" in codes(found)
    assert ports(found)["Gi0/1"].crc is None
    assert agent.asked < 20


def test_values_that_make_no_sense_are_unknown_and_named() -> None:
    """A state that is a word, a count that is a name: no port without a state, no figure without a number."""
    over = {
        "1.3.6.1.2.1.2.2.1.8.2": text("allumé"),
        "1.3.6.1.2.1.10.7.2.1.3.1": v2c.ObjectIdentifier((1, 3, 6)),
        "1.3.6.1.2.1.1.5.0": v2c.OctetString(b"\x00\xff\x1b[31m rdc"),
    }
    found = look(Agent(switch(**over)))
    assert set(ports(found)) == {"Gi0/1"}
    assert ports(found)["Gi0/1"].crc is None
    assert {gap.code: gap.what for gap in found.gaps} == {
        "snmp-garbage": "oper, fcs",
        "snmp-port-unclear": "Gi0/2",
    }
    (said,) = [fact for fact in found.facts if isinstance(fact, Said)]
    assert "\x1b" not in said.name


def test_an_agent_that_does_not_count_cable_errors_says_nothing_of_cables() -> None:
    """Without EtherLike-MIB, CRC and late collisions are unknown and a gap says so."""
    rows = {name: value for name, value in switch().items() if not name.startswith("1.3.6.1.2.1.10.7.")}
    found = look(Agent(rows))
    assert codes(found) == {"snmp-no-ethernet"}
    assert {port.crc for port in ports(found).values()} == {None}


def test_what_a_port_can_do_is_what_it_offers() -> None:
    """The capability bits of MAU-MIB come before the name; a bit that we do not know says nothing."""
    offered = {
        "1.3.6.1.2.1.26.5.1.1.9.1.1": v2c.OctetString(bytes((0b01001100, 0, 0))),
        "1.3.6.1.2.1.26.5.1.1.9.2.1": v2c.OctetString(bytes((0b01001100, 0b00000001, 0b10000000))),
    }
    found = look(Agent(switch(**offered)), pause=0)
    assert ports(found)["Gi0/1"].ability == 10**8
    assert ports(found)["Gi0/2"].ability == 10**9  # by its name


_VALUE = st.integers(-(2**70), 2**70) | st.binary(max_size=12)
_INDEX = st.tuples(st.integers(0, 5)) | st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@st.composite
def _readings(draw: Any) -> Reading:
    columns = {
        column: draw(st.dictionaries(_INDEX, _VALUE, max_size=3))
        for column in draw(st.sets(st.sampled_from(list(Column)), max_size=12))
    }
    return Reading({UPTIME: draw(_VALUE)}, columns, [], draw(st.floats(0, 100)))


@settings(deadline=None)
@given(_readings(), _readings())
def test_no_value_of_an_agent_breaks_the_reader(first: Reading, second: Reading) -> None:
    """Whatever a table holds: facts whose counts are None or at least 0, and growth above 0."""
    from releve.adapters.survey.snmp.lldp import neighbours

    neighbours("sw", first)
    parse.doubts(first, (*WHO, *COUNTERS))
    parse.agent("sw", first)
    for port in parse.ports("sw", first, second):
        counts = (port.packets, port.crc, port.frame, port.length, port.late, port.errors, port.discards)
        assert all(count is None or count >= 0 for count in counts)
        assert all(growth > 0 for growth in port.grown.values())
        assert len(port.name) <= 255


@pytest.fixture(autouse=True)
def _no_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that an agent sends ends in a log."""
    yield
    assert caplog.records == []
