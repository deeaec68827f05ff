"""A UPS as an audit sees it: NUT's own server, and its imaginary UPS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.ups import ups
from releve.domain.inventory import Device, Equipment
from releve.domain.plan import HostSpec, Reach
from releve.domain.seen import Ups
from tests.integration.nut import NAME, nut

pytestmark = pytest.mark.needs("nut")
TOLD = {
    "ups.status": "OB LB",
    "battery.charge": "17",
    "battery.runtime": "240",
    "battery.mfr.date": "2019/03/01",
    "ups.model": "Essai 3000",
}
SEEN = Ups("onduleur-siege", "OB LB", 17.0, 240.0, "2019/03/01", "Essai 3000", simulated=True)


def device(nut_name: str, address: str = "") -> Equipment:
    """A UPS of the plan."""
    return Equipment("onduleur-siege", "Onduleur du siège", Device.UPS, "principal", address, nut=nut_name)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server whose UPS is on battery, and low."""
    with nut(tmp_path_factory.mktemp("nut"), TOLD) as made:
        yield made


def test_a_ups_is_asked_over_the_protocol_of_nut(port: int) -> None:
    """Its state, charge, runtime and battery date come back, and that NUT's imaginary driver speaks."""
    found = ups(device(f"{NAME}@127.0.0.1:{port}"))
    assert (found.facts, found.gaps) == ((SEEN,), ())


def test_a_ups_can_be_asked_by_the_client_of_its_machine(port: int) -> None:
    """Where the server listens to its own machine alone, its `upsc` gives the very same."""
    host = LocalHost(HostSpec("srv", "principal", Reach.LOCAL))
    found = ups(device(f"{NAME}@srv:{port}"), host=host)
    assert (found.facts, found.gaps) == ((SEEN,), ())
    unknown = ups(device(f"autre@srv:{port}"), host=host)
    assert [gap.code for gap in unknown.gaps] == ["ups-refused"]


def test_a_ups_that_nut_does_not_know_is_a_gap(port: int) -> None:
    """The gap says that the name is to be corrected in the plan."""
    found = ups(device(f"autre@127.0.0.1:{port}"))
    assert [gap.code for gap in found.gaps] == ["ups-refused"]
    assert "ne connaît pas cet onduleur" in found.gaps[0].sentence
