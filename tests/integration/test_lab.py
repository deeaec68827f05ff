"""The laboratory is what it says: machines apart, real servers, real faults, and nothing left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.audit import inside, said
from lab.estate import POST, address_of
from lab.faults import FAULTS, LOST_ONE_IN

pytestmark = pytest.mark.needs("lab")

ROOT = Path(__file__).resolve().parents[2]


SNMP = """
import json, sys
from pathlib import Path
from releve.adapters.survey.snmp import snmp
from releve.domain.inventory import Device, Equipment, Snmp, SnmpVersion
from releve.domain.secret import SecretRef
from releve.domain.seen import Agent, Port
keys = Path(sys.argv[1])
spec = Snmp(SnmpVersion.V3, user="audit", auth=SecretRef("file", "snmp-auth"), privacy=SecretRef("file", "snmp-privacy"))
device = Equipment("sw-foyer", "", Device.SWITCH, "foyer", "10.71.2.2", spec)
found = snmp(device, secret=lambda ref: (keys / ref.target).read_text().strip(), pause=0.8)
ports = [fact for fact in found.facts if isinstance(fact, Port) and fact.name.startswith("port")]
agent = next(fact for fact in found.facts if isinstance(fact, Agent))
print(json.dumps({
    "simulated": agent.simulated,
    "late": {port.name: port.late for port in ports},
    "grown": {port.name: port.grown.get("late", 0) for port in ports},
}))
"""


def wait_for(true: Any, seconds: float = 60.0) -> None:
    """Until `true()`. Fails after `seconds`."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


class Laboratory:
    """One that runs in `folder`."""

    def __init__(self, folder: Path, faults: str) -> None:
        self.folder = folder
        argv = [sys.executable, "-m", "lab", "up", "--folder", str(folder), "--faults", faults]
        self.log = folder.parent / f"{folder.name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(lambda: said(folder, self.process.pid) or self.process.poll() is not None, 60.0)
            self.told = said(folder, self.process.pid)
            assert self.told, self.log.read_text()
        except BaseException:
            self.process.kill()
            raise

    def run(self, host: str, *argv: str) -> str:
        """What a program prints on a machine. Fails when it fails."""
        command = inside(self.folder, argv)
        command[command.index("--") : command.index("--")] = ["--host", host]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{argv} on {host}: {done.stdout} {done.stderr}"
        return done.stdout

    def ssh(self, host: str, *argv: str) -> str:
        """The same through OpenSSH, from the post."""
        keys = self.folder / "keys"
        options = ("-oBatchMode=yes", f"-oUserKnownHostsFile={keys / 'known_hosts'}", f"-i{keys / 'client'}")
        return self.run(POST, "ssh", *options, f"root@{address_of(host)}", *argv)

    def count(self, host: str, device: str, counter: str) -> int:
        """A counter of the kernel of a machine."""
        place = "" if counter == "carrier_changes" else "statistics/"
        return int(self.run(host, "cat", f"/sys/class/net/{device}/{place}{counter}"))

    def namespaces(self) -> set[str]:
        """Every namespace that it holds, as the kernel names them."""
        kinds = ("mnt", "net", "pid", "uts", "ipc")
        return {
            str(Path(f"/proc/{pid}/ns/{kind}").readlink())
            for pid in self.told["pids"].values()
            for kind in kinds
        }


def gone(namespaces: set[str]) -> bool:
    """Whether no process is left in any of them; the dead that nobody buried yet do not count."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = {str(place.readlink()) for place in (process / "ns").iterdir()}
        except OSError:  # it ended while we looked, or has: nothing is held by the dead
            continue
        if held & namespaces:
            return False
    return True


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """One with every fault, for all the tests of this file.

    Its end is looked at too: in order, nothing left, what the post wrote in its folder brought back beside what an
    earlier laboratory left there.
    """
    folder = tmp_path_factory.mktemp("labo") / "all"
    (folder / "state" / "photos").mkdir(parents=True)
    (folder / "state" / "photos" / "earlier").write_text("kept\n")
    made = Laboratory(folder, "all")
    namespaces = made.namespaces()
    try:
        assert made.run(POST, "cat", str(folder / "state" / "photos" / "earlier")) == "kept\n"
        made.run(POST, "sh", "-c", f"echo yes > {made.folder / 'state' / 'said'}")
        assert not (made.folder / "state" / "said").exists()
        yield made
    finally:
        made.process.send_signal(signal.SIGINT)
        code = made.process.wait(20)
    assert code == 0, made.log.read_text()
    assert gone(namespaces)
    assert sorted(path.name for path in made.folder.iterdir()) == ["keys", "lock", "plan.yaml", "state"]
    assert (made.folder / "state" / "said").read_text() == "yes\n"
    assert (made.folder / "state" / "photos" / "earlier").read_text() == "kept\n"


def test_its_machines_have_their_own_names_systems_files_and_processes(lab: Laboratory) -> None:
    """What one machine holds, is called and runs is nowhere on another, nor on the computer."""
    look = "hostname; . /etc/os-release; echo $ID $VERSION_ID; ls /srv; cat /proc/1/comm; pgrep -c mariadbd || true"
    seen = {
        host: lab.ssh(host, look).split("\n") for host in ("srv-dossiers", "srv-gestion", "poste-accueil")
    }
    assert seen["srv-dossiers"][:5] == ["srv-dossiers", "debian 13", "partage", "labo-init", "0"]
    assert seen["srv-gestion"][:5] == ["srv-gestion", "debian 9", "copies", "labo-init", "1"]
    assert seen["poste-accueil"][:4] == ["poste-accueil", "debian 13", "labo-init", "0"]
    lab.run("srv-gestion", "touch", "/etc/only-here")
    assert not Path("/etc/only-here").exists()
    assert lab.run("srv-dossiers", "find", "/etc", "-name", "only-here") == ""
    assert lab.run("poste-accueil", "ls", "/root", "/tmp").split() == ["/root:", "/tmp:"]


@pytest.mark.torture
def test_its_network_is_its_own(lab: Laboratory) -> None:
    """No machine of it has a way to the computer's networks, and the computer has none to them."""
    routes = lab.run("srv-dossiers", "ip", "-o", "route").splitlines()
    assert {line.split()[0] for line in routes} <= {"default", "10.71.1.0/24", "10.71.9.0/24"}
    here = subprocess.run(["ip", "-o", "route"], capture_output=True, text=True, check=True).stdout
    assert "10.71." not in here
    assert "eth-siege" in lab.run("routeur", "ip", "-o", "link")


def test_its_servers_answer_to_the_post(lab: Laboratory) -> None:
    """Samba, PostgreSQL, MariaDB, telnet, the unknown machine's page and NUT answer where the plan says."""
    wanted = {("srv-dossiers", "445,5432"), ("srv-gestion", "23,3306"), ("machine-inconnue", "80")}
    places = {"machine-inconnue": "10.71.1.77"}
    for host, ports in wanted:
        told = lab.run(POST, "nmap", "-n", "-p", ports, places.get(host) or address_of(host))
        assert told.count("open") == len(ports.split(",")), told
    assert lab.run(POST, "upsc", "onduleur-siege@10.71.1.5", "ups.status") == "OL RB\n"
    assert lab.run(POST, "upsc", "onduleur-foyer@10.71.2.5", "ups.status") == "OL\n"
    rows = "select count(*) from paie.bulletin"
    assert (
        lab.run("srv-gestion", "mariadb", "--no-defaults", "-S/run/mysqld/mysqld.sock", "-Nse", rows)
        == "500\n"
    )


@pytest.mark.torture
def test_every_fault_is_really_there(lab: Laboratory) -> None:
    """This kernel could cause each of them, or says which it cannot and why."""
    assert set(lab.told["faults"]) == {fault.id for fault in FAULTS}
    assert len(FAULTS) >= 12
    missing = {name: why for name, why in lab.told["faults"].items() if why}
    assert set(missing) <= {"frames", "half-duplex", "loss"}, (
        missing
    )  # those that ask something rare of a kernel


@pytest.mark.torture
def test_malformed_packets_are_counted_by_the_kernel(lab: Laboratory) -> None:
    """Frame errors of the tunnel (lengths too, where the kernel tells them apart) grow at the file server alone."""
    if lab.told["faults"]["frames"]:
        pytest.skip(f"lab: {lab.told['faults']['frames']}")
    counters = ("rx_frame_errors", "rx_length_errors")

    def counted(host: str) -> int:
        return sum(lab.count(host, "vx0", name) for name in counters)

    first = counted("srv-dossiers")
    wait_for(lambda: counted("srv-dossiers") > first)
    assert counted(POST) == 0


@pytest.mark.torture
def test_a_link_comes_and_goes(lab: Laboratory) -> None:
    """The carrier of the reception's machine changed forty times and more; its neighbour's twice, at its birth."""
    wait_for(lambda: lab.count("poste-accueil", "eth0", "carrier_changes") >= 40)
    assert lab.count("srv-gestion", "eth0", "carrier_changes") <= 2


@pytest.mark.torture
def test_packets_are_lost_between_the_sites_and_not_within(lab: Laboratory) -> None:
    """Of fourteen echoes to the other site some do not come back; to a neighbour all do."""
    if lab.told["faults"]["loss"]:
        pytest.skip(f"lab: {lab.told['faults']['loss']}")
    asked = ("ping", "-n", "-q", "-i", "0.05", "-c", str(2 * LOST_ONE_IN))
    away = lab.run(POST, *asked, address_of("srv-dossiers"))
    near = lab.run(POST, *asked, address_of("poste-foyer"))
    assert " 0% packet loss" not in away
    assert " 0% packet loss" in near


@pytest.mark.torture
def test_a_card_is_at_half_duplex(lab: Laboratory) -> None:
    """A real interface says 100 Mb/s and half duplex."""
    if lab.told["faults"]["half-duplex"]:
        pytest.skip(f"lab: {lab.told['faults']['half-duplex']}")
    told = lab.run("poste-foyer", "cat", "/sys/class/net/lan1/speed", "/sys/class/net/lan1/duplex")
    assert told.split() == ["100", "half"]


@pytest.mark.torture
def test_a_connection_that_nothing_declares_stands(lab: Laboratory) -> None:
    """The home's machine holds a connection to port 9443 of the head office."""
    line = f":{9443:04X} 01"
    wait_for(lambda: line in lab.run("poste-foyer", "cat", "/proc/net/tcp"))


@pytest.mark.torture
def test_the_switch_counts_errors_and_says_that_they_are_made_up(lab: Laboratory) -> None:
    """Through SNMP 3: late collisions grow on one port alone, and the agent says "simulated"."""
    told = lab.run(POST, sys.executable, "-c", SNMP, str(lab.folder / "keys"))
    found = json.loads(told)
    assert found["simulated"] is True
    assert found["late"].pop("port3") > 0
    assert set(found["late"].values()) == {0}
    assert found["grown"]["port3"] > 0, "two a second"


@pytest.mark.torture
def test_a_second_one_in_the_same_folder_is_refused(lab: Laboratory) -> None:
    """One sentence, exit code 2, and the first goes on."""
    argv = [sys.executable, "-m", "lab", "up", "--folder", str(lab.folder)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"erreur : un laboratoire tourne déjà dans {lab.folder}\n")
    assert lab.run(POST, "hostname") == f"{POST}\n"


def test_nothing_is_left_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    """SIGKILL to the command: no process, no network, no mount of it is left, and it starts again."""
    killed = Laboratory(tmp_path / "labo", "none")
    namespaces = killed.namespaces()
    assert len(namespaces) > 40
    assert set(killed.told["faults"]) == set()
    killed.process.kill()
    killed.process.wait()
    wait_for(lambda: gone(namespaces))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    again = Laboratory(tmp_path / "labo", "none")
    os.kill(again.process.pid, signal.SIGTERM)
    assert again.process.wait(20) == 0
