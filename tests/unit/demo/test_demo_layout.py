"""Where an estate stands, and the plan that says so."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from releve.cycle.plan.load import judge
from releve.demo.layout import FILE, Layout, Ports, SiteLayout, free_ports, new_layout, read_layout
from releve.demo.plan_text import plan_text
from releve.demo.programs import Programs
from releve.domain.errors import BadInput

PROGRAMS = Programs(Path("/opt/pg/bin"), "nobody")


@pytest.fixture
def place():
    """A short folder that everybody can walk to, as /tmp is."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def test_ports_are_never_lent_to_clients():
    """Each differs, and stands below those that the kernel gives to outgoing connections."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = free_ports(6)
    assert len(set(ports)) == 6
    assert all(1024 < port < lowest for port in ports)


def test_both_sites_stand_in_the_folder_when_it_will_do(place):
    """A short, reachable folder is its own ground."""
    layout = new_layout(place, PROGRAMS)
    assert [site.folder for site in layout.sites] == [f"{place}/principal", f"{place}/secours"]


def test_a_deep_folder_gets_a_short_ground_elsewhere(place):
    """A Unix socket path holds 107 bytes: the sites move where theirs are short."""
    deep = place / ("d" * 90)
    deep.mkdir()
    layout = new_layout(deep, PROGRAMS)
    try:
        assert layout.ground != layout.folder
        for site in layout.sites:
            assert len(os.fsencode(site.supervisor)) <= 100
            assert len(os.fsencode(site.socket_dir)) + len("/.s.PGSQL.65535.lock") <= 100
    finally:
        Path(layout.ground).rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="root: only root runs the servers under another account")
def test_a_folder_that_the_server_cannot_reach_gets_a_public_ground(place):
    """Below a folder of mode 700, an unprivileged server would not even find its data."""
    place.chmod(0o700)
    layout = new_layout(place, PROGRAMS)
    try:
        assert layout.ground != layout.folder
    finally:
        Path(layout.ground).rmdir()


def test_a_layout_is_taken_up_again_from_its_file(place):
    """What was saved is what is read."""
    layout = new_layout(place, PROGRAMS)
    layout.save()
    assert read_layout(place) == layout


@pytest.mark.parametrize("content", [None, "", "{}", '{"sites": []}', json.dumps([1])])
def test_a_folder_without_an_estate_is_bad_input(place, content):
    """No file, or one that is not ours: one clear error."""
    if content is not None:
        (place / FILE).write_text(content)
    with pytest.raises(BadInput) as caught:
        read_layout(place)
    assert caught.value.code == "demo-no-estate"


@pytest.mark.parametrize("share", [False, True])
def test_the_plan_of_the_estate_has_no_fault(share):
    """The text is a plan that Relève itself accepts, odd paths included."""
    sites = [
        SiteLayout(name, f'/srv/dé "mo"/{name}', f"x:{name}", Ports(base, base + 1, base + 2, base + 3))
        for name, base in (("principal", 20_001), ("secours", 20_011))
    ]
    layout = Layout(
        '/srv/dé "mo"', '/srv/dé "mo"', "/opt/pg/bin", "nobody", (sites[0], sites[1]), share=share
    )
    judgement = judge(plan_text(layout).encode(), "plan.yaml")
    assert not judgement.faults
    assert judgement.plan is not None
    end = judgement.plan.data_set("dossiers").ends["secours"]
    assert (end.data_dir, end.port) == ('/srv/dé "mo"/secours/pg/data', 20_011)
    assert judgement.plan.application("dui").ends["principal"].warm
    assert [item.id for item in judgement.plan.data_sets] == ["dossiers", "documents"][: 1 + share]
