"""A machine as an audit sees it: this very one, and what an old or broken one may answer."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.clock import clock
from releve.adapters.survey.machine import machine
from releve.adapters.survey.probes.disks import health_of, mounts_of, told_of
from releve.adapters.survey.probes.machine import addresses_of, os_release, units_of, updates_of
from releve.domain.audit import Found
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed
from releve.domain.seen import Clock, Disk, Listening, System, Unit, Updates
from tests.fakes.hosts import Call, FakeHost

SPEC = HostSpec("srv", "principal", Reach.LOCAL)
ANY = "0.0.0.0"  # noqa: S104 - read, not bound
PROBES = ("machine", "disks", "sockets", "newest")


def one(found: Found, kind: type[Any]) -> Any:
    """The only fact of that kind."""
    (fact,) = [fact for fact in found.facts if isinstance(fact, kind)]
    return fact


def test_this_machine_tells_its_system_disks_and_clock() -> None:
    """What a probe says of this machine is what other means say of it; what is unseen is named."""
    found = machine(LocalHost(SPEC), SPEC)
    system = one(found, System)
    release = os_release(open("/etc/os-release").read())  # noqa: SIM115, PTH123 - read at once
    assert (system.host, system.os, system.pretty) == ("srv", release["ID"], release["PRETTY_NAME"])
    assert (system.name, system.kernel) == (os.uname().nodename, os.uname().release)
    assert system.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    up = float(open("/proc/uptime").read().split()[0])  # noqa: SIM115, PTH123 - read at once
    assert abs(datetime.now(UTC) - timedelta(seconds=up) - system.started) < timedelta(seconds=5)
    root = next(fact for fact in found.facts if isinstance(fact, Disk) and fact.mount == "/")
    assert root.size == shutil.disk_usage("/").total
    assert not {fact.kind for fact in found.facts if isinstance(fact, Disk)} & {
        "proc",
        "tmpfs",
        "sysfs",
        "cgroup",
    }
    said = one(found, Clock)
    assert abs(said.offset) <= said.margin < 2
    updates = [fact for fact in found.facts if isinstance(fact, Updates)]
    unseen = [gap for gap in found.gaps if "mises à jour" in gap.what]
    assert len(updates) + len(unseen) == 1, "pending updates are either known, or a gap"


ROUTES = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        |-- 10.1.0.0
           /24 link UNICAST
        |-- 10.1.0.10
           /32 host LOCAL
     |-- 10.1.0.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
"""
SIX = """00000000000000000000000000000001 01 80 10 80       lo
fd0000000000000000000000000000aa 02 40 00 80     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
"""


def test_a_machine_tells_its_own_addresses() -> None:
    """Those that others can reach, once each: neither loopback, nor link-local, nor broadcast."""
    assert addresses_of(ROUTES, SIX) == ["10.1.0.10", "fd00::aa"]
    assert addresses_of(ROUTES, "") == ["10.1.0.10"]


@pytest.mark.needs("dpkg")
def test_programs_are_counted_as_dpkg_counts_them() -> None:
    """As many as dpkg says are installed; not one of them is named."""
    from releve.adapters.survey.probes.machine import programs

    argv = ["dpkg-query", "-W", "-f", "${db:Status-Status}\n"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert programs(5.0) == listed.count("installed")


@pytest.mark.needs("dpkg", "lab")
def test_asking_apt_what_waits_writes_nothing(tmp_path: Path) -> None:
    """Its caches, its lists and its logs stay as they are, even for root: what is written goes to an empty layer."""
    asks = (
        "from releve.adapters.survey.probes.machine import Gap, updates\n"
        "try: updates(60.0)\n"
        "except Gap as gap: assert str(gap) == 'lists-absent'"
    )
    layers = f"lowerdir=/var,upperdir={tmp_path}/u,workdir={tmp_path}/w"
    steps = (
        f"mount -t tmpfs x {tmp_path} && mkdir {tmp_path}/u {tmp_path}/w && mount -t overlay -o {layers} x /var &&"
        f' "$0" -P -c "$1" && touch /var/seen && find {tmp_path}/u -mindepth 1'
    )
    command = ["unshare", "--mount", "sh", "-e", "-c", steps, sys.executable, asks]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{tmp_path}/u/seen"]


def test_a_clock_that_is_ahead_shows_how_much_and_within_what() -> None:
    """Our own clock put an hour back: the machine is seen an hour ahead, give or take half a round trip."""
    (seen,) = clock(LocalHost(SPEC), SPEC, timeout=10, wall=lambda: time.time() - 3600).facts
    assert isinstance(seen, Clock)
    assert abs(seen.offset - 3600) <= seen.margin < 2


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_runs_on_an_old_python(probe: str) -> None:
    """Its source is Python 3.8, and it imports the standard library only."""
    source = (files("releve.adapters.survey.probes") / f"{probe}.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
        )
    }
    import sys

    assert names <= sys.stdlib_module_names | {"__future__"}


def said(text: bytes, code: int = 0) -> FakeHost:
    """A machine whose python3 answers that to everything."""
    return FakeHost(programs={"python3": lambda _: Completed(code, text, b"")})


@pytest.mark.parametrize(
    "host",
    [
        said(b""),
        said(b"Bienvenue sur srv\n"),
        said(b"[1, 2]"),
        said(b"\xff\x00" * 500),
        said(b"", code=1),
        FakeHost(gone=True),
        FakeHost(),
    ],
    ids=["silent", "words", "list", "bytes", "failed", "gone", "no-python"],
)
def test_a_machine_that_answers_nothing_of_use_is_a_gap(host: FakeHost) -> None:
    """No fact at all, and one gap for the whole machine."""
    found = machine(host, SPEC)
    assert (found.facts, len(found.gaps), found.gaps[0].what) == ((), 1, "")


WHOLE: dict[str, Any] = {
    "system": {
        "name": "srv",
        "os": "debian",
        "version": "12",
        "pretty": "Debian",
        "kernel": "6.1",
        "started": 1_700_000_000,
        "memory": 1,
        "memory_free": None,
        "swap_used": 0,
        "processors": 2,
        "virtual": False,
        "manager": "systemd",
        "synchronised": True,
    },
    "programs": 12,
    "units": [["ssh.service", "running", True]],
    "updates": {"pending": 3, "security": 1, "lists": 1_700_000_000.0},
    "gaps": [],
    "disks": [
        {"mount": "/", "kind": "ext4", "size": 9, "free": 1, "inodes": 0, "inodes_free": 0, "health": ""}
    ],
    "listening": [["tcp", ANY, 22, "sshd"]],
    "hidden": False,
}


def told(change: Callable[[dict[str, Any]], None]) -> Found:
    """What is understood of that answer, changed."""
    answer = json.loads(json.dumps(WHOLE))
    change(answer)
    return machine(said(json.dumps(answer).encode()), SPEC)


def test_a_whole_answer_gives_every_fact() -> None:
    """One fact of each kind; a file system without a count of inodes has none, and not zero."""
    found = told(lambda _: None)
    kinds = {type(fact) for fact in found.facts}
    assert kinds == {System, Unit, Updates, Disk, Listening}  # its clock is no number here
    assert one(found, Disk).inodes is None
    assert one(found, Unit) == Unit("srv", "ssh.service", "running", enabled=True)
    assert [gap.what for gap in found.gaps] == ["horloge"]


@pytest.mark.parametrize(
    ("part", "value", "lost", "what"),
    [
        ("system", "gros serveur", System, "système"),
        ("system", {}, System, "système"),
        ("units", [["ssh.service"]], Unit, "services"),
        ("units", 4, Unit, "services"),
        ("updates", {"pending": -1, "security": 0, "lists": None}, Updates, "mises à jour"),
        ("updates", {"pending": True, "security": 0, "lists": None}, Updates, "mises à jour"),
        ("updates", {"pending": 1, "security": 0, "lists": 1e300}, Updates, "mises à jour"),
        ("disks", [{"mount": "/"}], Disk, "disques"),
        ("listening", [["tcp", ANY, 70_000, ""]], Listening, "ports en écoute"),
    ],
)
def test_one_strange_part_costs_that_part_alone(part: str, value: object, lost: type[Any], what: str) -> None:
    """The part is a gap by its name, and every other fact is there."""
    found = told(lambda answer: answer.update({part: value}))
    kinds = {type(fact) for fact in found.facts}
    assert kinds == {System, Unit, Updates, Disk, Listening} - {lost}
    assert ("answer-unclear", what) in {(gap.code, gap.what) for gap in found.gaps}


def test_what_the_probe_could_not_see_is_a_gap_with_a_sentence() -> None:
    """Updates without lists are not "none pending": the gap says what to do."""
    found = told(lambda answer: answer.update({"updates": None, "gaps": [["updates", "lists-absent"]]}))
    assert not any(isinstance(fact, Updates) for fact in found.facts)
    (gap,) = [gap for gap in found.gaps if gap.what == "mises à jour"]
    assert "apt update" in gap.sentence


def test_the_health_of_a_disk_that_is_not_its_own_is_not_asked_of_a_virtual_machine() -> None:
    """The gap of a missing smartctl stands on a real machine, and not on a virtual one."""

    def answer(call: Call, *, virtual: bool) -> Completed:
        gaps = [["/", "smart-missing"]] if b"mountinfo" in call.stdin else []
        whole = {**WHOLE, "system": {**WHOLE["system"], "virtual": virtual}, "gaps": gaps}
        return Completed(0, json.dumps(whole).encode(), b"")

    codes = [
        {
            gap.code
            for gap in machine(FakeHost(programs={"python3": partial(answer, virtual=virtual)}), SPEC).gaps
        }
        for virtual in (False, True)
    ]
    assert "smart-missing" in codes[0]
    assert "smart-missing" not in codes[1]


def test_the_health_of_disks_is_one_part_of_a_look() -> None:
    """Whatever file systems lie on them: one name, and their places in the sentence."""
    found = told(lambda answer: answer.update({"gaps": [["/", "smart-silent"], ["/srv", "smart-silent"]]}))
    (gap,) = {gap for gap in found.gaps if gap.code == "smart-silent"}
    assert gap.what == "santé des disques"
    assert ", /, /srv : santé inconnue" in gap.sentence


def test_a_name_cannot_command_a_terminal() -> None:
    """Signs that a terminal obeys are replaced, and what is long is cut."""
    found = told(lambda answer: answer["system"].update(name="\x1b[2Jsrv\n" + "a" * 500))
    name = one(found, System).name
    assert name.isprintable()
    assert len(name) == 200


def test_without_systemd_what_listens_stands_for_the_services() -> None:
    """Each program once; those that we may not know are a gap."""

    def change(answer: dict[str, Any]) -> None:
        answer["units"] = None
        answer["listening"] = [["tcp", "::", 80, "nginx"], ["tcp", "::", 443, "nginx"], ["udp", "::", 53, ""]]
        answer["hidden"] = True

    found = told(change)
    assert [fact for fact in found.facts if isinstance(fact, Unit)] == [Unit("srv", "nginx", "running")]
    assert ("programs-hidden", "services") in {(gap.code, gap.what) for gap in found.gaps}


def test_systemctl_is_read_whatever_its_age() -> None:
    """Running, ended and failed services; a failed unit of another sort too; nothing that merely exists."""
    now = (
        "ssh.service loaded active running OpenBSD Secure Shell server\n"
        "● sauvegarde.service loaded failed failed Sauvegarde de nuit\n"
        "donnees.mount loaded failed failed /srv/donnees\n"
        "racine.mount loaded active mounted /\n"
        "keyboard-setup.service loaded active exited Clavier\n"
        "plymouth.service not-found inactive dead plymouth.service\n"
    )
    kept = (
        "ssh.service enabled enabled\nsauvegarde.service disabled enabled\nkeyboard-setup.service static -\n"
    )
    assert units_of(now, kept) == [
        ["ssh.service", "running", True],
        ["sauvegarde.service", "failed", False],
        ["donnees.mount", "failed", None],
        ["keyboard-setup.service", "exited", None],
    ]


def test_updates_are_upgrades_and_those_of_security_apart() -> None:
    """A new dependency is no update; Debian and Ubuntu name their security archives differently."""
    text = (
        "Inst libc6 [2.36-9] (2.36-9+deb12u14 Debian-Security:12/oldstable-security [amd64])\n"
        "Inst tzdata [2024a] (2025b Debian:12.11/stable [all])\n"
        "Inst curl [7.81] (7.82 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])\n"
        "Inst linux-image-6.1.0-40 (6.1.153 Debian-Security:12/stable-security [amd64])\n"
        "Conf libc6 (2.36-9+deb12u14 Debian-Security:12/oldstable-security [amd64])\n"
    )
    assert updates_of(text) == (3, 2)


def test_a_file_system_counts_once_and_pseudo_ones_do_not() -> None:
    """Bind mounts, pictures and /proc are left out; a network share is not; escapes are read."""
    text = (
        "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
        "23 22 0:5 / /proc rw - proc proc rw\n"
        "24 22 254:1 /srv /var/www rw - ext4 /dev/vda1 rw\n"
        "25 22 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro\n"
        "26 22 0:44 / /mnt/le\\040partage rw shared:3 - cifs //nas/p rw\n"
        "27 22 0:50 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw\n"
        "28 22 0:51 / /run/user/0/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw\n"
        "29 22 0:52 / /nuage rw - fuse.sshfs moi@x: rw\n"
        "30 22 254:2 / /mnt rw - ext4 /dev/vda2 rw\n"
        "31 22 254:3 / /mnt rw - ext4 /dev/vda3 rw\n"
        "ligne étrange\n"
    )
    found = {place: device for device, place, _ in mounts_of(text, {"proc", "cifs", "overlay", "fuse"})}
    assert found == {
        "/": "254:1",
        "/mnt/le partage": "0:44",
        "/nuage": "0:52",
        "/mnt": "254:3",
    }


def test_an_overlay_at_the_root_is_the_disk_of_who_lives_in_it() -> None:
    """A container, or a machine of a laboratory, has no other."""
    line = "27 22 0:50 / / rw - overlay overlay rw\n"
    assert mounts_of(line, {"overlay"}) == [("0:50", "/", "overlay")]


def test_the_health_behind_several_disks_is_said_to_be_unknown(tmp_path: Path) -> None:
    """RAID, LVM over two disks and ZFS leave a gap; one disk below a partition is asked; a server's is not ours."""
    for name in ("md0/slaves", "sda/sda1", "sdb", "dm-0/slaves"):
        (tmp_path / "devices" / name).mkdir(parents=True)
    (tmp_path / "devices/sda/sda1/partition").touch()
    numbers = tmp_path / "dev"
    numbers.mkdir()
    for number, name in (("9:0", "md0"), ("8:1", "sda/sda1"), ("254:0", "dm-0")):
        (numbers / number).symlink_to(tmp_path / "devices" / name)
    for above, below in (("md0", "sda"), ("md0", "sdb"), ("dm-0", "md0")):
        (tmp_path / f"devices/{above}/slaves/{below}").symlink_to(tmp_path / "devices" / below)
    asked: list[str] = []

    def ask(disk: str) -> str:
        asked.append(disk)
        return "passed"

    def told(device: str, kind: str) -> str:
        return told_of(device, kind, ask, f"{numbers}/")

    assert told("8:1", "ext4") == "passed"
    assert {told("9:0", "ext4"), told("254:0", "xfs"), told("0:44", "zfs")} == {"?smart-unknown"}
    assert {told("0:50", "nfs4"), told("0:51", "fuse.sshfs"), told("0:52", "overlay")} == {""}
    assert asked == ["sda"]


@pytest.mark.parametrize(
    ("text", "health"),
    [
        ('{"smart_status": {"passed": true}}', "passed"),
        ('{"smart_status": {"passed": false}}', "failed"),
        ('{"smartctl": {"exit_status": 2}}', ""),
        ('{"smart_status": {"passed": "yes"}}', ""),
        ("smartctl 6.6", ""),
    ],
)
def test_the_health_of_a_disk_is_what_smartctl_says_or_nothing(text: str, health: str) -> None:
    """An answer that is neither yes nor no is no answer."""
    assert health_of(text) == health
