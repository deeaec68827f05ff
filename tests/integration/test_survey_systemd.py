"""The services of a machine where systemd really is process 1: namespaces and a cgroup tree of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.survey.machine import machine
from releve.domain.plan import HostSpec, Reach
from releve.domain.seen import System, Unit
from tests.integration.inside import Inside
from tests.systemd import ALONE, TARGET, booted, says
from tests.waiting import until

ENABLED = f"[Install]\nWantedBy={TARGET}\n"
UNITS = {
    TARGET: f"{ALONE}Wants=residents.service sauvegarde.service clavier.service essais.service absente.mount\n",
    "residents.service": f"{ALONE}[Service]\nExecStart=/bin/sleep infinity\n{ENABLED}",
    "sauvegarde.service": f"{ALONE}[Service]\nType=oneshot\nExecStart=/bin/false\n{ENABLED}",
    "clavier.service": f"{ALONE}[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "essais.service": f"{ALONE}[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=600\n{ENABLED}",
    "absente.mount": f"{ALONE}[Mount]\nWhat=/nulle-part\nWhere=/absente\n",
    "inutile.service": f"{ALONE}[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
}
HERE = HostSpec("serveur", "siege", Reach.LOCAL)


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """A machine that systemd has finished to start."""
    with booted(tmp_path / "units", UNITS) as before:
        # the start may be over before the program of a service has ended
        until(
            lambda: says(before, "show", "--value", "--property=SubState", "essais.service") == "auto-restart"
        )
        yield Inside(HERE, before)


@pytest.mark.needs("root", "systemd")
def test_what_systemd_keeps_running_is_told_as_it_says_it(inside: Inside) -> None:
    """Running, ended, failed, a mount that failed; what starts with the machine, and what nobody enabled."""
    found = machine(inside, HERE)
    (system,) = [fact for fact in found.facts if isinstance(fact, System)]
    assert system.manager == "systemd"
    states = {fact.name: (fact.state, fact.enabled) for fact in found.facts if isinstance(fact, Unit)}
    assert {name: states.get(name) for name in UNITS if name != TARGET} == {
        "residents.service": ("running", True),
        "sauvegarde.service": ("failed", True),
        "clavier.service": ("exited", None),
        "essais.service": ("auto-restart", True),
        "absente.mount": ("failed", None),
        "inutile.service": None,
    }
    assert not [gap for gap in found.gaps if gap.what == "services"]
