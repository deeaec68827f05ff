"""The audit against the laboratory: it names the faults that were put in, and nothing false."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.audit import RELEVE, answered, inside, running
from lab.faults import FAULTS

Points = set[tuple[str, str]]

# fault -> what names it: (rule, subject), as the laboratory itself says. Every fault stands here, each once.
NAMED: dict[str, Points] = {fault.id: set(fault.named) for fault in FAULTS}
# True of any laboratory: disks, memory, packages and clock are those of the machine that it runs on, and its
# switches and UPS say themselves that their figures are made up.
OF_THE_MACHINE = {"POS-04", "POS-05", "POS-06", "POS-07", "POS-11", "POS-14", "POS-16", "POS-17"}
OF_THE_MACHINE |= {"VU-14"}  # where it is virtual, the health of its disks is its hypervisor's
SIMULATED = ("VU-03", {"sw-siege", "sw-foyer", "onduleur-siege", "onduleur-foyer", "onduleur-4g-siege"})


@contextmanager
def looked_at(faults: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, str]]]:
    """What the audit of a laboratory found, what its run said, and why each fault could not be put in."""
    with tempfile.TemporaryDirectory(prefix="rlv-labo-") as name, running(Path(name), faults) as lab:
        folder = Path(name)
        why: dict[str, str] = lab["faults"]
        answered(folder, [fault for fault, lacks in why.items() if not lacks])
        run = said(folder, "run")
        yield said(folder, "show"), run, why


def said(folder: Path, order: str) -> dict[str, Any]:
    """What `releve audit …` says at the audit post, in JSON."""
    argv = [str(RELEVE), "audit", order, "--plan", str(folder / "plan.yaml"), "--json"]
    done = subprocess.run(inside(folder, argv), capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def put_in(found: dict[str, Any]) -> Points:
    """The weak points that are neither the machine's own nor a laboratory's."""
    points = {(item["code"], item["subject"]) for item in found["weak_points"]}
    return {
        (code, subject)
        for code, subject in points
        if code not in OF_THE_MACHINE and not (code == SIMULATED[0] and subject in SIMULATED[1])
    }


def test_every_fault_of_the_laboratory_has_its_name() -> None:
    """A fault that nothing is expected to name would prove nothing; twelve at least are put in."""
    assert all(NAMED.values())
    assert len(NAMED) >= 12


@pytest.mark.needs("lab")
def test_the_audit_names_what_was_put_in_and_nothing_false() -> None:
    """All faults at once: each is named where it is, nothing else is, everything planned was looked at."""
    with looked_at("all") as (found, run, why):
        caused = {name for name, lacks in why.items() if not lacks}
        assert len(caused) >= 12, why
        expected = set().union(*(NAMED[name] for name in caused))
        assert put_in(found) == expected
        assert run["looks"] == run["planned"] > 30
        assert run["not_seen"] == 0
        sentences = {(item["code"], item["subject"]): item["sentence"] for item in found["weak_points"]}
        assert "prise A-12" in sentences["CAB-01", "sw-siege:port3"]  # a bad socket has a name


@pytest.mark.needs("lab")
@pytest.mark.torture
def test_a_healthy_laboratory_has_no_weak_point() -> None:
    """Without a fault nothing is named but what is true of the machine itself."""
    with looked_at("none") as (found, run, _why):
        assert put_in(found) == set()
        assert run["looks"] == run["planned"]


@pytest.mark.needs("lab")
@pytest.mark.torture
@pytest.mark.parametrize("fault", sorted(NAMED))
def test_one_fault_alone_is_named_alone(fault: str) -> None:
    """Each by itself: what names it does not hang on the others."""
    with looked_at(fault) as (found, _run, why):
        assert why == {fault: ""}
        assert put_in(found) == NAMED[fault]
