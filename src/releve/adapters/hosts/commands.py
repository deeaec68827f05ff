"""What is typed to a service manager, and what its answers mean. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from releve.domain.errors import BadInput
from releve.domain.plan import Manager, ServiceSpec
from releve.domain.ports import Completed


class Status(StrEnum):
    """What a manager says of a service."""

    RUNNING = "running"
    STOPPED = "stopped"
    MOVING = "moving"  # starting or stopping: ask again
    ABSENT = "absent"  # the manager knows no such service
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verbs:
    """The three argv lists of a service."""

    start: tuple[str, ...]
    stop: tuple[str, ...]
    status: tuple[str, ...]


def verbs(spec: ServiceSpec) -> Verbs:
    """The argv lists of a service. Raises `BadInput` when the plan's entry lacks something."""
    match spec.manager:
        case Manager.SYSTEMD:
            _require(spec, "unit", (spec.unit,))
            return Verbs(
                ("systemctl", "--no-ask-password", "start", "--", spec.unit),
                ("systemctl", "--no-ask-password", "stop", "--", spec.unit),
                # `show` and not `is-active`: it tells a stopped unit from one that does not exist
                ("systemctl", "show", "--property=LoadState,ActiveState", "--", spec.unit),
            )
        case Manager.PG_CTLCLUSTER:
            _require(spec, "version et cluster", (spec.version, spec.cluster))
            # Under systemd and root, pg_ctlcluster hands start and stop to systemctl by itself, and
            # the server stays a unit of its own: --skip-systemctl-redirect would make an orphan of it.
            which = ("pg_ctlcluster", spec.version, spec.cluster)
            return Verbs((*which, "start"), (*which, "stop", "-m", "fast"), (*which, "status"))
        case Manager.COMMAND:
            _require(spec, "start, stop et status", (spec.start, spec.stop, spec.status))
            return Verbs(spec.start, spec.stop, spec.status)


def _require(spec: ServiceSpec, names: str, values: Sequence[object]) -> None:
    if not all(values):
        raise BadInput(
            "service-incomplete",
            f"un service « {spec.manager} » demande {names}",
            hint="complétez la rubrique « service » du plan",
        )


def status_of(manager: Manager, seen: Completed) -> Status:
    """What the answer to `Verbs.status` means."""
    if manager is Manager.SYSTEMD:
        return _systemd(seen)
    # pg_ctl(1): 3 = no server; 4 = no usable data directory, which tells nothing of a server.
    # The plan's own commands follow the same convention (LSB: 0 running, 3 not running).
    return {0: Status.RUNNING, 3: Status.STOPPED}.get(seen.code, Status.UNKNOWN)


_ACTIVE_STATE = {
    "active": Status.RUNNING,
    "reloading": Status.RUNNING,
    "refreshing": Status.RUNNING,
    "inactive": Status.STOPPED,
    "failed": Status.STOPPED,
    "activating": Status.MOVING,
    "deactivating": Status.MOVING,
}


def _systemd(seen: Completed) -> Status:
    if seen.code != 0:
        return Status.UNKNOWN
    lines = seen.stdout.decode("utf-8", "replace").splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    if facts.get("LoadState") == "not-found" and facts.get("ActiveState") == "inactive":
        return Status.ABSENT
    return _ACTIVE_STATE.get(facts.get("ActiveState", ""), Status.UNKNOWN)
