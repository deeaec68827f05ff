"""What a Linux machine's interfaces say, and what is made of answers that make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.survey.interfaces import _SUMS, interfaces, lldp, ports
from releve.adapters.survey.probes import interfaces as probe
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed
from releve.domain.seen import Lldp, Port
from tests.fakes.hosts import FakeHost

SPEC = HostSpec("serveur", "siege", Reach.LOCAL)
COUNTS = {
    "rx_packets": 100,
    "tx_packets": 50,
    "rx_crc_errors": 7,
    "tx_window_errors": None,
    "carrier_changes": 2,
}
FACE = {"state": "up", "carrier": 1, "speed": 100, "duplex": "half", "alias": "A-12", "ability": 1000}


def told(**over: Any) -> dict[str, Any]:
    """What the probe prints of one interface, read twice."""
    second = {**COUNTS, "rx_packets": 120, "rx_crc_errors": 9, "carrier_changes": 4}
    whole = {"faces": {"eth0": FACE}, "first": {"eth0": COUNTS}, "second": {"eth0": second}, "seconds": 2.0}
    return {**whole, "failed": "", **over}


def test_two_readings_tell_what_grew() -> None:
    """Counters are those of the later reading, growth is by name, what nobody could read stays unknown."""
    (port,) = ports("serveur", told()).facts
    assert port == Port(
        "serveur",
        "eth0",
        up=True,
        alias="A-12",
        speed=100_000_000,
        ability=1_000_000_000,
        duplex="half",
        packets=170,
        crc=9,
        changes=4,
        seconds=2.0,
        grown={"packets": 20, "crc": 2, "changes": 2},
    )


def test_one_reading_tells_no_growth() -> None:
    """Without a second reading `seconds` is 0: nothing may be said of growth."""
    (port,) = ports("serveur", told(second=None)).facts
    assert isinstance(port, Port)
    assert (port.seconds, dict(port.grown), port.crc) == (0.0, {}, 7)


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"faces": []}, "answer-unclear"),
        ({"first": {"eth0": 3}}, "answer-unclear"),
        ({"seconds": "deux"}, "answer-unclear"),
        ({"faces": {}}, "interfaces-unseen"),
        ({"failed": "Permission denied"}, "interfaces-unseen"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_gap(over: dict[str, Any], code: str) -> None:
    """Never a port at zero, never an exception."""
    found = ports("serveur", told(**over))
    assert found.facts == ()
    assert [gap.code for gap in found.gaps] == [code]


def test_frames_that_nobody_asked_for_are_no_loss() -> None:
    """What the kernel drops because no program here wants it (LLDP) says nothing of a cable; what no room was for does."""
    counts = {**COUNTS, "rx_dropped": 900, "rx_missed_errors": 3, "rx_fifo_errors": 2, "tx_dropped": 1}
    (port,) = ports("serveur", told(first={"eth0": counts}, second=None)).facts
    assert isinstance(port, Port)
    assert port.discards == 6
    assert set(_SUMS["discards"]) <= set(probe._COUNTERS)


def test_names_of_the_other_end_are_text() -> None:
    """Half a sign, an order to a terminal or a null go neither into a picture nor into a file."""
    mean = "a\x1b[2J\ud800\0\ufffe"
    (port,) = ports("serveur", told(faces={mean: {**FACE, "alias": mean}}, first={mean: COUNTS})).facts
    assert isinstance(port, Port)
    assert (port.name, port.alias) == ("a?[2J???", "a?[2J???")
    value = [{"value": mean}]
    heard = {"lldp": [{"interface": [{"name": mean, "chassis": [{"name": value}], "port": [{"id": value}]}]}]}
    (near,) = lldp("serveur", json.dumps(heard).encode()) or ()
    assert near == Lldp("serveur", "a?[2J???", "a?[2J???", "a?[2J???")
    (gap,) = ports("serveur", told(faces={mean: 3})).gaps
    assert gap.what == "a?[2J???"


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "1e999"])
def test_a_number_that_json_does_not_have_is_no_answer(seconds: str) -> None:
    """Whatever machine says so, the ledger could not keep it."""
    probe = json.dumps(told()).replace("2.0", seconds).encode()
    found = interfaces(FakeHost("serveur", {"python3": lambda _: Completed(0, probe, b"")}), SPEC, 0)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["answer-unclear"])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda s: st.lists(s) | st.dictionaries(st.text(max_size=3), s),
        max_leaves=6,
    )
)
def test_no_answer_breaks_the_reader(value: Any) -> None:
    """Whatever stands in the place of a face or a count, the rest is read."""
    found = ports("serveur", told(faces={"eth0": {**FACE, "speed": value, "alias": value}, "eth1": value}))
    assert "eth0" in {fact.name for fact in found.facts if isinstance(fact, Port)}
    lldp("serveur", json.dumps(value).encode())


def test_a_machine_that_is_gone_is_a_gap() -> None:
    """The reason is the machine's, and there is one."""
    found = interfaces(FakeHost("serveur", gone=True), SPEC, 0)
    assert found.facts == ()
    assert len(found.gaps) == 1


def test_neighbours_of_lldpd() -> None:
    """The name and port of the other end; without a name its address; another language is no answer."""
    port = {"id": [{"type": "mac", "value": "02:00:00:00:00:01"}], "descr": [{"value": "Gi0/4"}]}
    named = {"id": [{"type": "mac", "value": "02:00:00:00:00:02"}], "name": [{"value": "sw-rdc"}]}
    heard = {"lldp": [{"interface": [{"name": "eth0", "chassis": [named], "port": [port]}]}]}
    assert lldp("serveur", json.dumps(heard).encode()) == (Lldp("serveur", "eth0", "sw-rdc", "Gi0/4"),)
    del named["name"], port["descr"]
    (nameless,) = lldp("serveur", json.dumps(heard).encode()) or ()
    assert (nameless.neighbour, nameless.neighbour_port) == ("02:00:00:00:00:02", "02:00:00:00:00:01")
    assert lldp("serveur", b'{"lldp": [{"interface": [{"name": "eth0"}]}]}') is None
    assert lldp("serveur", b"error: unable to connect") is None


def test_lldpd_that_does_not_answer_is_a_gap() -> None:
    """Installed and silent is not the same as absent."""
    probe = json.dumps(told()).encode()
    programs = {"python3": lambda _: Completed(0, probe, b"")}
    assert interfaces(FakeHost("serveur", dict(programs)), SPEC, 0).gaps == ()
    programs["lldpcli"] = lambda _: Completed(1, b"", b"unable to connect")
    assert [gap.code for gap in interfaces(FakeHost("serveur", programs), SPEC, 0).gaps] == ["lldp-silent"]
