"""The real servers of the laboratory, from Debian's packages: what each needs, how it starts, when it answers.

Each one is a function that prepares and starts it on the machine where it is called, and returns a question
that is true once it answers. Nothing here outlives the machine's first process.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from lab import agent, cables, kernel
from lab.databases import mariadb, postgresql
from lab.estate import LOCKED, OVERLAY, POST, address_of
from lab.files import write
from lab.keys import SNMP_USER
from lab.programs import Machine, Ready, listens
from lab.traffic import hold, serve_pages

_AGENT = Path(agent.__file__).read_text(encoding="utf-8")  # now: the machines do not see the project


def sshd(machine: Machine) -> Ready:
    """OpenSSH: keys only, nobody's name looked up."""
    write("/etc/ssh/labo_host", machine.keys.hosts[machine.node.name][0], 0o600)
    write("/etc/ssh/labo_keys", machine.keys.client[1])
    lines = (
        "AddressFamily inet",
        "AuthorizedKeysFile /etc/ssh/labo_keys",
        "HostKey /etc/ssh/labo_host",
        "KbdInteractiveAuthentication no",
        "MaxStartups 50:30:100",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "PidFile none",
        "UseDNS no",
        "UsePAM no",
    )
    write("/etc/ssh/labo_config", "\n".join(lines) + "\n")
    Path("/run/sshd").mkdir(mode=0o755)
    machine.start("sshd", ["sshd", "-D", "-e", "-f", "/etc/ssh/labo_config"])
    return lambda: listens(22)


def samba(machine: Machine) -> Ready:
    """A share of files, for accounts only."""
    Path("/srv/partage").mkdir(parents=True, exist_ok=True)
    state = "/var/lib/samba/labo"
    folders = {word: f"{state}/{word}" for word in ("private", "state", "cache", "lock", "pid")}
    for folder in (*folders.values(), "/run/samba", "/var/log/samba"):
        Path(folder).mkdir(parents=True)
        Path(folder).chmod(0o755)
    lines = [
        "[global]",
        "server role = standalone server",
        "disable netbios = yes",
        "smb ports = 445",
        "interfaces = 0.0.0.0/0",
        "map to guest = never",
        "load printers = no",
        "disable spoolss = yes",
        "server min protocol = SMB2",
        "log file = /var/log/samba.log",
        *(f"{key} directory = {folders[key]}" for key in ("state", "cache", "lock", "pid")),
        f"private dir = {folders['private']}",
        "[partage]",
        "path = /srv/partage",
        "read only = no",
        "guest ok = no",
    ]
    write("/etc/samba/labo.conf", "\n".join(lines) + "\n")
    machine.start("smbd", ["smbd", "--foreground", "--no-process-group", "-s", "/etc/samba/labo.conf"])
    return lambda: listens(445)


def nut(machine: Machine) -> Ready:
    """A UPS: NUT's own driver of imaginary ones, and its server."""
    name = machine.node.name
    write("/etc/nut/nut.conf", "MODE=netserver\n")
    write(
        "/etc/nut/ups.conf",
        f"maxretry = 1\n[{name}]\n  driver = dummy-ups\n  port = ups.dev\n  desc = Labo\n",
    )
    write("/etc/nut/upsd.conf", "LISTEN 0.0.0.0 3493\nMAXAGE 60\n")
    write("/etc/nut/upsd.users", "", 0o640)
    write("/etc/nut/ups.dev", "".join(f"{key}: {value}\n" for key, value in machine.ups.items()))
    Path("/run/nut").mkdir(mode=0o755)
    machine.start("dummy-ups", ["dummy-ups", "-F", "-a", name, "-u", "root"])
    machine.start("upsd", ["upsd", "-F", "-u", "root"])
    return lambda: listens(3493) and _nut_says(name, "ups.status")


def _nut_says(ups: str, variable: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", 3493), 1.0) as line:
            line.sendall(f"GET VAR {ups} {variable}\nLOGOUT\n".encode())
            return line.makefile("rb").readline().startswith(b"VAR ")
    except OSError:
        return False


def snmpd(machine: Machine) -> Ready:
    """The agent of a switch: true counters of its ports, and the laboratory's own for what no virtual cable has."""
    program = write("/usr/local/lib/labo/counters.py", _AGENT)
    write("/etc/labo/counters.json", json.dumps(machine.counters))
    keys = machine.keys
    lines = (
        "agentaddress udp:161",
        f"createUser {SNMP_USER} SHA {keys.snmp_auth} AES {keys.snmp_privacy}",
        f"rouser {SNMP_USER} authpriv",
        f"sysName {machine.node.name}",
        "sysDescr Commutateur du laboratoire ; compteurs simulés : erreurs CRC et collisions (EtherLike-MIB)",
        "interface br0 209 10000000000",  # IANAifType bridge: no cable of its own
        f"pass_persist -p 1 {agent.TREE} /usr/bin/env python3 -I {program}",
    )
    write("/etc/labo/snmpd.conf", "\n".join(lines) + "\n", 0o600)
    Path("/var/lib/snmp").mkdir(exist_ok=True)
    others = "-smux,dot3StatsTable"  # a door of another protocol, and the table that ours stands for
    machine.start("snmpd", ["snmpd", "-f", "-Lo", "-C", "-I", others, "-c", "/etc/labo/snmpd.conf"], MIBS="")
    wanted = f":{161:04X}"
    return lambda: any(
        line.split()[1].endswith(wanted)
        for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    )


def tunnel(machine: Machine) -> Ready:
    """The private network between the file server and the relief (VXLAN, RFC 7348): a real interface each."""
    here = machine.node
    other = next(name for name in (POST, "srv-dossiers") if name != here.name)
    last = here.address.rpartition(".")[2] if here.name == POST else "1"
    lines = (
        f"link add vx0 type vxlan id 71 local {here.address} remote {address_of(other)} dstport 4789 nolearning",
        f"address add {OVERLAY}.{last}/24 dev vx0",
        "link set vx0 up",
    )
    try:
        cables.run(iter(lines))
    except RuntimeError as lacking:  # a kernel without VXLAN: the fault that needs it says so (lab.faults)
        write("/var/log/tunnel.log", f"{lacking}\n")
    return lambda: True


def lock(_machine: Machine) -> Ready:
    """Copies that nobody can change from here: their folder is mounted read-only over itself."""
    place = Path(LOCKED)
    kernel.mount(LOCKED, place, flags=kernel.BIND)
    kernel.mount("none", place, flags=kernel.BIND | kernel.REMOUNT | kernel.READ_ONLY)
    return lambda: True


def lldpd(machine: Machine) -> Ready:
    """Who is at the other end of each cable, where the program is installed; a computer without it is one too."""
    Path("/run/lldpd").mkdir(mode=0o755)
    shutil.chown("/run/lldpd", "_lldpd", "_lldpd")
    machine.start("lldpd", ["lldpd", "-d", "-I", "eth*,port*"])
    return lambda: Path("/run/lldpd.socket").exists()


def clients(machine: Machine) -> Ready:
    """What people do all day: the share of files held open from every workstation."""
    server = address_of("srv-dossiers")
    machine.fork("explorateur", lambda: hold(server, 445))
    return lambda: True


def page(machine: Machine) -> Ready:
    """A small web server, such as a device brings along."""
    machine.fork("page", lambda: serve_pages(80))
    return lambda: listens(80)


SERVICES: Mapping[str, Callable[[Machine], Ready]] = {
    function.__name__: function
    for function in (sshd, samba, postgresql, mariadb, nut, snmpd, tunnel, lock, lldpd, clients, page)
}
