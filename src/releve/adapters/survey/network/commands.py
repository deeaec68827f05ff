"""What is asked of nmap, as data. Pure. Never outside the networks of the plan (`domain/bounds`).

Nothing is asked that could trouble a device: no script, no version detection, no system detection. A port
is asked whether it opens, and no more. Names are never looked up (`-n`): a resolver outside would learn them.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network

from releve.domain.bounds import guard
from releve.domain.inventory import AuditSpec, Network

_SORTS = (
    "21,22,23",  # files and screens: in clear (FTP, Telnet), or not (SSH)
    "25,110,143,465,587,993",  # mail
    "53,88,111,135,389,636,5985",  # names, directory, remote calls of Windows and Unix
    "80,443,8000,8080,8443,10000",  # pages, and the pages that administer a device
    "139,445,548,873,2049",  # shares: Windows, Apple, rsync, NFS
    "515,631,9100",  # printers
    "1433,1521,3306,5432,6379,27017",  # databases
    "3389,5900",  # screens from afar
    "3493",  # UPS (NUT)
    "554,1883,5060,5061",  # cameras, sensors and nurse calls, telephones
    "5000,5001,8006",  # storage boxes and hypervisors, by their usual pages
)
PORTS = ",".join(_SORTS)
"""TCP ports that tell what a device of a care home is. What nmap is given when the plan names no ports."""

KNOCKS = "22,80,135,443,445,3389,9100"
"""TCP ports knocked at to know who lives: a Windows machine keeps silent to an echo, a printer may too."""

BLOCK = 64  # addresses a call: an interrupted scan has lost seconds
TIMING = "3"  # nmap's own ordinary pace; 4 and 5 give up early on a slow link and then say "nobody"
WAIT = ("--initial-rtt-timeout", "500ms", "--max-rtt-timeout", "1s")
"""How long an answer is waited for. Between two sites a second is out of all use already (see `paths`); nmap's own
ten would make a routed network of silent machines take minutes."""

RETRIES = 2  # a lost packet must not hide a port; nmap's 10 would spend minutes on a filtered machine
STEADY = 300  # packets a second: nmap takes every dead address behind a router for a loss, and would crawl
HOST_TIMEOUT = 120  # seconds for one address: a tar pit is then named as such and costs no more


class Method(StrEnum):
    """How packets are made: by hand (needs the right to), or by the system's own connect()."""

    SYN = "syn"
    CONNECT = "connect"


def blocks(network: Network) -> tuple[str, ...]:
    """The ranges in which `network` is scanned, one call each, in the order of addresses."""
    whole = network.addresses
    step = max(whole.prefixlen, whole.max_prefixlen - BLOCK.bit_length() + 1)
    return tuple(str(part) for part in whole.subnets(new_prefix=step))


def spared(network: Network) -> tuple[str, ...]:
    """Addresses that stand for all machines at once (IPv4): a packet to them would wake everybody."""
    whole = network.addresses
    if whole.version != 4 or whole.num_addresses < 4:
        return ()
    return (str(whole.network_address), str(whole.broadcast_address))


def ports(spec: AuditSpec) -> str:
    """What is given to `-p`, in nmap's notation."""
    return spec.ports or PORTS


def timing(spec: AuditSpec, method: Method) -> tuple[str, ...]:
    """How the packets go out, and how fast: what a report states."""
    tcp, udp = asked(ports(spec), method)
    asking = [] if method is Method.SYN else ["--unprivileged"]
    asking += (["-sS"] if method is Method.SYN else ["-sT"]) if tcp else []
    asking += ["-sU"] if udp else []
    asking = asking if tcp or udp else [*asking, "-sn"]
    pace = [f"-T{TIMING}", "--min-rate", str(min(spec.rate, STEADY)), "--max-rate", str(spec.rate)]
    pace += ["--max-retries", str(RETRIES)]
    return (*asking, *pace, *WAIT, "--host-timeout", f"{HOST_TIMEOUT}s")


def discovery(method: Method) -> tuple[str, ...]:
    """How it is known who lives. On a cable of our own nmap asks by ARP (or NDP) instead, when it may."""
    return ("-PE", f"-PS{KNOCKS}", "-PA80") if method is Method.SYN else (f"-PS{KNOCKS}",)


def nmap(network: Network, block: str, spec: AuditSpec, method: Method) -> list[str]:
    """The command line for one block of `network`. Raises `Refused` as `guard` does."""
    range_ = guard(block, (network,))
    family = ["-6"] if range_.version == 6 else []
    tcp, udp = asked(ports(spec), method)
    given = ",".join(part for part in (f"T:{tcp}" if tcp else "", f"U:{udp}" if udp else "") if part)
    left_out = spared(network)
    return [
        "nmap",
        *family,
        "-n",
        "-oX",
        "-",
        *timing(spec, method),
        *discovery(method),
        *(["-p", given] if given else []),
        *(["--exclude", ",".join(left_out)] if left_out else []),
        str(range_),
    ]


def route(block: str) -> list[str]:
    """How it is asked whether a packet for `block` could leave. Nothing is sent."""
    return ["ip", "-oneline", "route", "get", str(next(iter(ip_network(block).hosts())))]


def asked(wanted: str, method: Method) -> tuple[str, str]:
    """The TCP ports and the UDP ports of `wanted`. Without the right to make packets there are none of UDP."""
    kept: dict[str, list[str]] = {"T": [], "U": []}
    protocol = "T"
    for word in wanted.split(","):
        head, colon, rest = word.rpartition(":")
        protocol = head if colon and head in kept else protocol
        if rest:
            kept[protocol].append(rest)
    return ",".join(kept["T"]), ",".join(kept["U"]) if method is Method.SYN else ""
