"""What stands on a network that nobody may look at: by its addresses, those of its servers, or for want of any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releve.domain.bounds import guard_device, guard_server, unseeable
from releve.domain.errors import Refused
from releve.domain.inventory import Inventory, Network
from releve.domain.plan import HostSpec, Plan, Reach, SshSpec
from tests.fakes.plans import data_set, plan

HERE = Network("ici", "Ici", "principal", "127.0.0.0/24", audit=False)
LAN = Network("lan", "Réseau", "principal", "10.1.0.0/24", audit=False)


def machines(*hosts: HostSpec, closed: Network = LAN) -> Plan:
    """A plan of these machines and one closed network, no data."""
    return replace(plan(), hosts=hosts, data_sets=(), inventory=Inventory((closed,)))


def reached(address: str, *addresses: str, site: str = "principal") -> HostSpec:
    """A machine reached by SSH at `address`."""
    ssh = SshSpec(address, 22, "releve", "/k", "/h")
    return HostSpec("srv", site, Reach.SSH, ssh, addresses=addresses)


@pytest.mark.parametrize(
    ("host", "closed", "seen"),
    [
        (reached("localhost"), HERE, False),
        (reached("LOCALHOST", site="secours"), HERE, False),
        (reached("localhost"), LAN, True),
        (reached("srv.exemple.fr"), LAN, False),
        (reached("srv.exemple.fr", site="secours"), LAN, True),
        (reached("srv.exemple.fr", "10.2.0.9"), LAN, True),
        (reached("srv.exemple.fr", "10.1.0.9"), LAN, False),
        (reached("srv.exemple.fr"), replace(LAN, audit=True), True),
    ],
)
def test_a_name_is_on_the_closed_network_of_its_site_unless_its_addresses_say_where(
    host: HostSpec, closed: Network, *, seen: bool
) -> None:
    """A name tells no network; this machine's own name tells one."""
    assert (unseeable(machines(host, closed=closed)) == frozenset()) is seen


def test_a_machine_is_where_its_servers_are_too() -> None:
    """Its database is asked at an address of its own, which counts like the others."""
    whole = replace(plan(), inventory=Inventory((LAN,)))
    assert unseeable(whole) == frozenset()
    data = data_set()
    ends = {**data.ends, "principal": replace(data.ends["principal"], address="10.1.0.7")}
    assert unseeable(replace(whole, data_sets=(replace(data, ends=ends),))) == {"srv-principal"}
    tunnel = {**data.ends, "principal": replace(data.ends["principal"], upstream_address="10.1.0.7")}
    assert unseeable(replace(whole, data_sets=(replace(data, ends=tunnel),))) == {"srv-principal"}


def test_the_name_of_this_machine_opens_no_closed_network() -> None:
    """`localhost` is the address that it stands for."""
    guard_device("localhost", (LAN,))
    with pytest.raises(Refused) as caught:
        guard_device("localhost", (HERE,))
    assert caught.value.code == "network-not-audited"


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("rest:http://relais:mot@10.1.0.9:8000/coffre", False),
        ("s3:https://10.1.0.9/seau/dossier", False),
        ("s3:https://10.2.0.9/seau", True),
        ("s3:https://s3.exemple.fr/seau", True),
        ("/srv/coffre", True),
    ],
)
def test_a_server_on_a_closed_network_is_not_asked(address: str, *, asked: bool) -> None:
    """It is on no machine of the plan: its own address says where it is."""
    url = address.partition(":")[2]
    if asked:
        guard_server(url, (LAN,))
        return
    guard_server(url, (replace(LAN, audit=True),))
    with pytest.raises(Refused) as refused:
        guard_server(url, (LAN,))
    assert refused.value.code == "network-not-audited"
